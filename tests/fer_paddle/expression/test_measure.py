"""What a card says of an expression network: figures of a classifier that is known, and the temperature on disk."""

import json

import numpy as np
import onnx
import pytest

from fer_paddle import files
from fer_paddle.expression.calibrate import measure_calibration, plot_before_after, store_temperature
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.expression.measure import evaluate_classifier, measure_expressions
from fer_paddle.labels import EXPRESSIONS, parse_expression
from fer_paddle.weights import load_card


@pytest.fixture(scope="module")
def faces():
    """280 faces, forty of each class; the brightest are those of the last class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 40)
    images = rng.integers(0, 90, (280, 8, 8), np.uint8) + np.uint8(20) * labels[:, None, None].astype(np.uint8)
    column = {parse_expression(name): index for index, name in enumerate(FERPLUS_CLASSES[:7])}
    votes = np.zeros((280, 10), np.float32)
    votes[np.arange(280), [column[label] for label in labels]] = 1.0
    votes[::2] = np.eye(10, dtype=np.float32)[7]  # contempt: none of the seven
    return LabelledFaces(images, labels, votes)


@pytest.fixture(scope="module")
def logits(faces):
    """Right but for every fourth face, which is named as the class before."""
    said = np.where(np.arange(280) % 4 == 3, (faces.labels - 1) % 7, faces.labels)
    return 2 * np.eye(7)[said] + np.random.default_rng(1).normal(size=(280, 7)) * 0.1


def test_figures_of_a_known_classifier(faces, logits):
    measured = measure_expressions(logits, faces, temperature=0.5, resamples=60)
    assert json.loads(json.dumps(measured)) == measured
    assert measured["accuracy"]["value"] == pytest.approx(0.75) == measured["mean_recall"]["value"]
    for kind in ("recall", "precision", "f1"):
        assert [cell["value"] for cell in measured[kind].values()] == pytest.approx([0.75] * 7)
        assert all(cell["low"] < 0.75 < cell["high"] for cell in measured[kind].values())
    assert measured["confusions"][0]["share"] == 0.25
    assert {(one["label"], one["predicted"]) for one in measured["confusions"]} == {
        (EXPRESSIONS[i], EXPRESSIONS[i - 1]) for i in range(7)
    }
    assert measured["by_crowd"]["crowd chose the label"]["faces"] == 140  # contempt is no label
    assert len(measured["mistakes"]) == 10 and all(one["index"] % 4 == 3 for one in measured["mistakes"])
    # None has 50 faces, so there is no class to say more of.
    assert measured["classes_of_enough_faces"] == [] and "accuracy_of_enough_faces" not in measured


def test_classes_of_enough_faces(faces, logits):
    many = np.concatenate([np.flatnonzero(faces.labels == 3)] * 2 + [np.flatnonzero(faces.labels == 1)])
    wrong = logits[many].copy()
    wrong[80:] = np.eye(7)[0]  # the class of 40 faces is always wrong
    measured = measure_expressions(wrong, faces.select(many), resamples=20)
    assert measured["classes_of_enough_faces"] == ["happy"]
    assert measured["accuracy_of_enough_faces"]["value"] == pytest.approx(0.75)
    assert measured["accuracy"]["value"] == pytest.approx(0.5)


def test_temperature_is_written_beside_and_into_the_weights(faces, logits, tmp_path):
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:]))
    onnx.helper.set_model_props(model, {"classes": "[]", "temperature": "9"})
    onnx.save(model, tmp_path / "net.onnx")
    files.write_json(tmp_path / "net.json", {"model": "tiny"})
    found = measure_calibration(logits, faces.labels, resamples=10)
    assert found["ece_after"]["value"] < found["ece_before"]["value"] and found["nll_after"] < found["nll_before"]
    written = store_temperature(tmp_path / "net.onnx", {"data": "drawn", **found})
    assert sorted(written) == sorted(tmp_path.iterdir())
    card = load_card(tmp_path / "net.json")
    assert card["model"] == "tiny" and card["calibration"]["data"] == "drawn"
    fields = {field.key: field.value for field in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert fields == {"classes": "[]", "temperature": str(card["temperature"])}
    assert len(plot_before_after(logits, faces.labels).axes) == 2
    with pytest.raises(FileNotFoundError):
        store_temperature(tmp_path / "other.onnx", found)


def test_plain_figures_of_a_known_classifier():
    said = np.arange(140) % 7
    labels = np.minimum(said, 5)  # the classifier says neutral where it is surprise
    images = np.uint8(said)[:, None, None]
    figures = evaluate_classifier(lambda crops: np.eye(7)[[crop[0, 0] for crop in crops]], images, labels)
    assert figures["accuracy"] == pytest.approx(120 / 140)
    assert figures["recall"]["surprise"] == pytest.approx(0.5)
    assert figures["recall"]["neutral"] is None  # no such face: not a zero
    assert figures["precision"]["neutral"] == 0
    assert figures["mean_recall"] == pytest.approx((5 + 0.5) / 6)
    assert figures["faces"] == 140 and list(figures["recall"]) == list(EXPRESSIONS)
    assert json.loads(json.dumps(figures)) == figures
