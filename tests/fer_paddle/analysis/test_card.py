"""Model cards: every figure from JSON, tied to the very weights, and those that ship are up to date."""

from contextlib import nullcontext

import numpy as np
import pytest

from fer_paddle.analysis.card import TEXT, find_shipped, kind_of, read_measured, render, write_files
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.measure import measure_expressions
from fer_paddle.expression.recipes import Recipe
from fer_paddle.files import file_digest, write_json
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.data.faces import draw_landmark_faces
from fer_paddle.landmarks.evaluate import measure_landmarks
from fer_paddle.landmarks.points import PARTS
from fer_paddle.landmarks.recipes import LandmarkRecipe
from fer_paddle.weights import load_card
from tests.yolo3tiny.samples import make_photo
from yolo3tiny.evaluate import measure_detector
from yolo3tiny.metrics import average_precision
from yolo3tiny.predict import Detections
from yolo3tiny.recipes import DetectorRecipe

ORIGIN = {"command": "python -m fer_paddle card", "date": "2026-01-02", "versions": {"python": "3.11"}}


@pytest.fixture(scope="module")
def expression_set():
    labels = np.repeat(np.arange(7), 60)
    said = np.where(np.arange(420) % 5 == 0, 2, labels)
    images = np.random.default_rng(0).integers(0, 256, (420, 6, 6), np.uint8)
    return measure_expressions(3 * np.eye(7)[said], LabelledFaces(images, labels), 1.3, resamples=20)


def test_detector_by_hand():
    """It finds the large face of every photo, the small one of the first, and a box where the last has no face."""
    small, large = (0, 0, 10, 10), (20, 20, 100, 100)
    sources = {"near": [small, large], "far": [small, large], "far again": [small, large], "empty": []}
    photos = [make_photo(name, boxes, source=name.split()[0]) for name, boxes in sources.items()]
    rows = [(np.float32([large, small]), np.float32([0.9, 0.8])), *[(np.float32([large]), np.float32([0.9]))] * 3]
    answers = iter([Detections(*row) for row in rows])
    measured = measure_detector(lambda image, min_score: next(answers), photos, resamples=30)
    assert (measured["photos"], measured["faces"]) == (4, 6)
    assert measured["false_alarms"]["value"] == 0.25  # the last photo has no face
    assert measured["found_by_side"]["0 to 16 px"]["found"]["value"] == pytest.approx(1 / 3)
    assert measured["found_by_side"]["64 to 128 px"]["found"]["value"] == 1
    assert list(measured["ap_by_source"]) == ["far", "near"]
    expected = average_precision(rows, [(photo.boxes_xyxy, photo.ignore) for photo in photos]).ap
    assert measured["ap"]["value"] == pytest.approx(expected, abs=1e-6)
    assert measured["ap"]["low"] <= expected <= measured["ap"]["high"]
    with pytest.raises(ValueError, match="without one"):
        measure_detector(None, photos[3:])


def make_weights(folder, card, suffix=".onnx"):
    weights = folder / f"net{suffix}"
    weights.write_bytes(b"weights")
    write_json(folder / "net.json", card)
    return weights


def write_text(weights, *sets, kind="expression"):
    return write_files(weights, {"kind": kind, **ORIGIN, "sets": [*sets]})[1].read_text(encoding="utf-8")


EXPRESSION_CARD = {
    "model": "distresnet",
    "classes": list(EXPRESSIONS),
    "parameters": 403767,
    "hours": 1.9,
    "recipe": {"epochs": 7, "augment": {"flip": 0.5}},
    "data": "some faces",
}


def test_every_figure_of_the_text_comes_from_the_json(expression_set, tmp_path):
    weights = make_weights(tmp_path, EXPRESSION_CARD)
    text = write_text(weights, {"data": "drawn.npz", **expression_set})
    assert "403,767" in text and "`augment.flip` | 0.5" in text and "some faces" in text and "**hours:** 1.9" in text
    assert f"{expression_set['accuracy']['value']:.3f} (" in text and "## On drawn.npz" in text
    assert "20% of the `angry` faces are named `fear`" in text
    assert "temperature 1.3" in text and file_digest(weights)[:16] in text
    assert "None" not in text and "nan" not in text
    changed = {**expression_set, "accuracy": {"value": 0.123456, "low": 0.1, "high": 0.2}}
    assert "0.123 (0.100 to 0.200)" in render("net", {}, {**read_measured(weights), "sets": [{"data": "x", **changed}]})
    assert (tmp_path / "net.measured.json").is_file()


def test_calibration_on_the_faces_of_the_fit_is_the_cross_fitted_one(expression_set, tmp_path):
    fitted = {"data": "drawn.npz", "ece_after": {"value": 0.0123, "low": 0.01, "high": 0.02}}
    weights = make_weights(tmp_path, {**EXPRESSION_CARD, "temperature": 1.3, "calibration": fitted})
    text = write_text(weights, *({"data": data, **expression_set} for data in ("drawn.npz", "other.npz")))
    first, second = text.split("## On other.npz")
    assert "fitted on others | 0.012" in first and "temperature 1.3" not in first.split("## On drawn.npz")[1]
    assert "the same with temperature 1.3" in second


def test_a_smaller_network_says_how_it_was_made(expression_set, tmp_path):
    cut = {"criterion": "l1", "flops_share": 0.4981, "parameters": 143753}
    whole = {"weights": "model.onnx", "method": "ort-minmax", "calibration_images": 256, "share": 0.31}
    taught = {"temperature": 4.0, "soft_weight": 0.7, "teachers": ["a.safetensors", "b.safetensors"]}
    card = {"classes": list(EXPRESSIONS), "pruning": cut, "pruned_from": "net.safetensors", "distill": taught}
    weights = make_weights(tmp_path, {**card, "quantization": {**whole, "calibration": "faces.npz"}})
    text = write_text(weights, {"data": "drawn", **expression_set})
    assert "Pruned from `net.safetensors` by the criterion l1" in text and "143,753 parameters" in text
    assert "`a.safetensors` and `b.safetensors` at a temperature of 4; weight of this part of the loss: 70%" in text
    assert "256 images of faces.npz: 31.0% of its bytes" in text


def test_figures_of_other_weights_are_refused(expression_set, tmp_path):
    weights = make_weights(tmp_path, EXPRESSION_CARD)
    with pytest.raises(FileNotFoundError, match="measure them first"):
        read_measured(weights)
    write_text(weights, {"data": "x", **expression_set})
    assert read_measured(weights)["sets"][0]["faces"] == 420
    weights.write_bytes(b"retrained")
    with pytest.raises(ValueError, match="other weights"):
        read_measured(weights)


def test_card_of_landmarks(tmp_path):
    weights = make_weights(tmp_path, {"task": "landmarks", "trained_on": "faces"})
    faces = draw_landmark_faces(4, 96)
    figures = measure_landmarks(lambda image, boxes: faces.points[:1] + 1, faces, resamples=5)
    assert figures["by_source"]["drawn"]["faces"] == 4 and set(figures["by_part"]) == set(PARTS)
    text = write_text(weights, {"data": "v", **figures}, kind="landmarks")
    assert "mean error, inter-ocular" in text and "| drawn | 4 |" in text and "nan" not in text and "None" not in text


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ({"classes": list(EXPRESSIONS)}, "expression"),
        ({"anchors": [], "classes": ["face"]}, "detector"),
        ({"task": "landmarks", "classes": [], "input_size": 80}, "landmarks"),
        ({"classes": [*EXPRESSIONS, "contempt"]}, "ferplus"),
        ({"classes": ["neutral", "smile"], "train_mouths": {"neutral": 9, "smile": 9}}, "mouth"),
        ({"classes": ["laugh", "pout"], "input_size": 56}, "classes"),
        ({"classes": ["neutral", "happiness"]}, None),
        ({}, None),
    ],
)
def test_kinds(card, kind, tmp_path):
    weights = make_weights(tmp_path, card, ".safetensors")
    with nullcontext() if kind else pytest.raises(ValueError, match="got another"):
        assert kind_of(weights) == kind


@pytest.mark.parametrize("weights", find_shipped(), ids=lambda path: path.stem)
def test_shipped_cards_are_up_to_date(weights):
    """Whoever changes weights, their JSON or the text runs `python -m fer_paddle card` (or with --text-only)."""
    measured, kind = read_measured(weights), kind_of(weights)
    recipes = {"detector": DetectorRecipe, "landmarks": LandmarkRecipe}
    assert recipes.get(kind, Recipe).from_json(load_card(weights)["recipe"])  # which pruning and QAT shorten
    text = weights.with_suffix(TEXT).read_text(encoding="utf-8")
    assert text == render(weights.stem, load_card(weights), measured)
