"""Training: a batch is learned, anchors fit their data, an export says what the run says."""

import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest

from fer_paddle.compression.plan import plan_evenly
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.environment import seed_everything
from fer_paddle.files import file_digest, write_json
from fer_paddle.training.loop import RunOptions
from fer_paddle.training.run import load_best
from fer_paddle.weights import load_arrays
from tests.yolo3tiny.samples import ANCHORS, SMALL, WHOLE, make_photo
from yolo3tiny.boxes import iou
from yolo3tiny.export import export_network, export_run
from yolo3tiny.model import NETWORKS, Yolo3Tiny
from yolo3tiny.predict import Detector, NetworkSettings
from yolo3tiny.train import fit_anchors, paddle_forward, train_detector, train_from_files

OVERFIT = dataclasses.replace(SMALL, name="overfit", ema_decay=None, repeat=(("drawn", 25),), augment=WHOLE)


@pytest.fixture(scope="module")
def photos():
    return [make_photo("a", [(10, 10, 40, 50)]), make_photo("b", [(50, 20, 86, 66), (4, 60, 24, 86)])]


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A network that has seen two photos and nothing else: (network, history, folder of the run)."""
    folder = tmp_path_factory.mktemp("run")
    seed_everything(0)
    network = Yolo3Tiny(width=OVERFIT.width)
    history = train_detector(network, photos, photos, OVERFIT, ANCHORS, RunOptions(folder), {"data": "two drawings"})
    network.eval()
    return network, history, folder


def test_one_batch_is_learned(run, photos):
    network, history, _ = run
    assert history[-1]["valid_ap"] == 1.0
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 3
    terms = {name for name in history[-1] if name.startswith("train_loss_")}
    assert terms == {"train_loss_xy", "train_loss_wh", "train_loss_objectness", "train_loss_class"}

    detect = Detector(forward=paddle_forward(network), anchors=ANCHORS, longest=OVERFIT.longest)
    for photo in photos:
        faces = detect(photo.read())
        assert len(faces) == len(photo.boxes_xyxy)
        assert iou(photo.boxes_xyxy, faces.boxes_xyxy).max(axis=1).min() > 0.7
    assert len(detect(np.full((96, 96, 3), 60, np.uint8))) == 0


def test_an_export_is_the_same_detector_and_says_what_it_is(run, photos, tmp_path):
    network, history, folder = run
    card = export_run(folder, tmp_path / "detector.onnx")
    assert json.loads((tmp_path / "detector.json").read_text()) == card
    assert (card["recipe"], card["trained_on"]) == (OVERFIT.to_json(), "two drawings")
    assert card["figures"]["valid_ap"] == history[-1]["valid_ap"]
    assert card["parameters"] == sum(p.size for p in network.parameters() if not p.stop_gradient)

    assert Detector(tmp_path / "detector.onnx", threads=1).settings.longest == OVERFIT.longest
    exported = Detector(tmp_path / "detector.onnx", threads=1, longest=OVERFIT.longest)  # one look, as `detect` below
    np.testing.assert_array_equal(exported.settings.anchors, ANCHORS)
    told = exported.forward.metadata
    assert (told["recipe"], told["trained_on"], told["classes"]) == ("overfit", "two drawings", '["face"]')
    detect = Detector(forward=paddle_forward(network), anchors=ANCHORS, longest=OVERFIT.longest)
    image = cv2.resize(photos[1].read(), (150, 70))  # another shape than any in training
    for min_score in (0.5, 0.01):
        ours, theirs = detect(image, min_score), exported(image, min_score)
        np.testing.assert_allclose(theirs.boxes_xyxy, ours.boxes_xyxy, atol=1e-2)
        np.testing.assert_allclose(theirs.scores, ours.scores, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda card: card["task"].pop("data"), "training data in words"),
        (lambda card: card["task"].update(anchors=[[1, 2]]), "a multiple of 2 anchors"),
        (lambda card: card.update(config="crowd"), "expected the fields of a configuration"),
    ],
)
def test_what_is_no_detector_run_is_not_exported(change, why, run, tmp_path):
    shutil.copytree(run[2], tmp_path / "run")
    card = json.loads((run[2] / "best.json").read_text())
    change(card)
    (tmp_path / "run" / "best.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=why):
        export_run(tmp_path / "run", tmp_path / "detector.onnx")
    assert not (tmp_path / "detector.onnx").exists()


# Going on from other weights


@pytest.fixture(scope="module")
def starts(run, tmp_path_factory):
    """Detectors to go on from: one of each kind of network, that of the tiny kind pruned."""
    folder = tmp_path_factory.mktemp("starts")
    lite = NETWORKS["lite"](width=0.25)
    settings = NetworkSettings(ANCHORS, 96, lite.strides)
    export_network(lite, folder / "lite.onnx", settings, {"recipe": OVERFIT.to_json()})
    pruner = FilterPruner(tiny := Yolo3Tiny(width=0.25), (1, 3, 96, 96))
    pruner.prune(plan_evenly(pruner, 0.5).kept)
    export_network(tiny, folder / "pruned.onnx", NetworkSettings(ANCHORS, 96), {"recipe": OVERFIT.to_json()})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("start", ["lite", "pruned"])
def test_a_run_goes_on_from_any_detector_with_boxes_of_another_class(start, starts, photo_folder, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "hands")
    table = json.loads((tmp_path / "hands" / "annotations.json").read_text())
    table["categories"] = [{"id": 1, "name": "手"}]
    write_json(tmp_path / "hands" / "annotations.json", table)
    recipe = dataclasses.replace(SMALL, epochs=1, network="tiny", width=0.5, warmup_epochs=0.5, learning_rate=1e-6)
    options, weights = RunOptions(tmp_path / "run"), starts / f"{start}.safetensors"
    (record,) = train_from_files([tmp_path / "hands"], recipe, options, ["手"], weights, drawn=2)
    card = export_run(tmp_path / "run", tmp_path / "hand.onnx")
    assert (card["classes"], card["network"], card["width"]) == (["手"], start.replace("pruned", "tiny"), 0.25)
    assert load_best(tmp_path / "run")[1]["task"]["start_digest"] == file_digest(weights)
    assert np.isfinite(record["train_loss"]) and "2 drawn images" in card["trained_on"]
    assert Detector(tmp_path / "hand.onnx").settings.classes == ("手",)
    np.testing.assert_array_equal(card["anchors"], ANCHORS)
    # So low a rate has changed next to nothing.
    before, after = load_arrays(weights), load_arrays(tmp_path / "hand.safetensors")
    assert before.keys() == after.keys()
    for name in before:
        if "_mean" not in name and "_variance" not in name:
            np.testing.assert_allclose(after[name], before[name], atol=1e-4)


# Anchors and optimizer


def test_anchors_fit_the_boxes_as_they_are_seen():
    sizes = [(12, 16), (20, 20), (28, 36), (40, 40), (52, 64), (72, 80)]
    photos = [make_photo(str(i), [(4, 4, 4 + w, 4 + h)]) for i, (w, h) in enumerate(sizes * 4)]
    recipe = dataclasses.replace(SMALL, augment=WHOLE)
    np.testing.assert_allclose(fit_anchors(photos, recipe), sizes, atol=1e-3)
    # A canvas twice as large shows faces twice as large.
    larger = dataclasses.replace(recipe, sizes=((0, 192),))
    np.testing.assert_allclose(fit_anchors(photos, larger), np.array(sizes) * 2, atol=2)
