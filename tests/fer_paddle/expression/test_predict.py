"""What a person relies on in Classifier, with a network that the test makes up."""

import json

import numpy as np
import pytest

from fer_paddle import EXPRESSIONS, Classifier
from fer_paddle.deployment import runtimes
from fer_paddle.expression.predict import WEIGHTS, classifier_file
from fer_paddle.labels import FERPLUS_EXPRESSIONS


class BrightnessRunner:
    """Logits from the mean brightness: 7 numbers that differ from crop to crop."""

    def __init__(self, classes=EXPRESSIONS, **metadata):
        self.metadata = {"classes": json.dumps(list(classes)), "input_size": "32", **metadata}
        self.batches = []

    def __call__(self, images):
        self.batches.append(images)
        classes = len(json.loads(self.metadata["classes"]))
        return [images.mean(axis=(1, 2, 3))[:, None] * np.arange(classes, dtype=np.float32)]


def test_any_sizes_gray_or_bgr_in_order():
    rng = np.random.default_rng(0)
    shapes = [(48, 48), (7, 7), (200, 200, 3), (1, 1), (30, 90, 3)]
    crops = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
    runner = BrightnessRunner()
    probs = Classifier(runner=runner)(crops)
    assert probs.shape == (5, 7) and probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-6)
    assert runner.batches[0].shape == (5, 1, 32, 32)
    one_by_one = np.concatenate([Classifier(runner=BrightnessRunner())([crop]) for crop in crops])
    np.testing.assert_allclose(probs, one_by_one, rtol=1e-5)


@pytest.mark.parametrize("classes", [("neutral", "smile"), FERPLUS_EXPRESSIONS, tuple(map(str, range(50)))])
def test_any_classes_are_named(classes):
    crops = [np.full((32, 32), value, np.uint8) for value in (10, 240)]
    classify = Classifier(runner=BrightnessRunner(classes=classes))
    probs = classify(crops)
    assert classify.classes == classes and probs.shape == (2, len(classes)) and classify([]).shape == (0, len(classes))
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert classify.name(crops[0]) == classes[probs[0].argmax()]


def test_probabilities_that_are_not_finite_are_an_error(monkeypatch):
    monkeypatch.setattr(BrightnessRunner, "__call__", lambda self, images: [np.full((len(images), 7), np.nan)])
    with pytest.raises(ValueError, match="expected finite probabilities, got NaN"):
        Classifier(runner=BrightnessRunner())([np.zeros((8, 8), np.uint8)])


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        Classifier(tmp_path / "missing.onnx")
    (tmp_path / "坏.onnx").write_bytes(b"not a network")
    with pytest.raises(ValueError, match="expected an ONNX file at"):
        Classifier(tmp_path / "坏.onnx")
    with pytest.raises(ValueError, match="got both"):
        Classifier(WEIGHTS, runner=BrightnessRunner())


@pytest.mark.parametrize(
    ("weights", "runtime", "file", "taken"),
    [
        ("a.onnx", None, "a.onnx", "onnx"),
        ("a.safetensors", None, "a.safetensors", "dynamic"),
        ("a.pdmodel", None, "a.pdmodel", "paddle"),
        ("a.param", None, "a.param", "ncnn"),
        ("a.mnn", None, "a.mnn", "mnn"),
        ("a.onnx", "openvino", "a.onnx", "openvino"),
        (None, "paddle", "vgg8.photos.safetensors", "paddle"),  # what ships, as the file that this runtime reads
    ],
)
def test_a_classifier_takes_the_runtime_of_the_file(monkeypatch, weights, runtime, file, taken):
    monkeypatch.setattr(runtimes, "RUNTIMES", {})
    with pytest.raises(ValueError, match=f"got '{taken}'"):
        Classifier(weights, runtime=runtime)
    assert classifier_file(weights, runtime).name == file


def test_shipped_networks_by_name():
    crops = list(np.random.default_rng(3).integers(0, 256, (3, 40, 40), np.uint8))
    assert Classifier("vgg8.fer2013", threads=1).input_size == 40
    assert Classifier("mouth.smile", threads=1).classes == ("neutral", "smile")
    np.testing.assert_array_equal(Classifier("vgg8.photos", threads=1)(crops), Classifier(threads=1)(crops))
    with pytest.raises(ValueError, match=r"or a network such as vgg8.fer2013.*, got vgg9.fer2013"):
        Classifier("vgg9.fer2013")
    with pytest.raises(FileNotFoundError, match="distresnet_int8.fer2013 ships as .onnx alone"):
        Classifier("distresnet_int8.fer2013", runtime="paddle")


BAD_PRIORS = ("[1, 1, true]", "[]", "0", "null", "[1, 1, NaN]", "{}")
THREE = {"classes": ("a", "b", "c"), "prior": "[0.5, 0.25, 0.25]"}
CROPS = [np.full((8, 8), value, np.uint8) for value in (20, 130, 140)]


@pytest.mark.parametrize(
    ("prior", "ratios"),
    [
        ("uniform", [2, 4, 4]),
        ({"b": 10, "a": 20, "c": 10}, [1, 1, 1]),
        ({"a": 0.2, "b": 0.3, "c": 0.5}, [4, 12, 20]),
        (dict(zip("abc", np.array([2, 1, 1]))), [1, 1, 1]),
    ],
)
def test_a_prior_is_bayes_rule(prior, ratios):
    plain = Classifier(runner=BrightnessRunner(**THREE))(CROPS)
    found = Classifier(runner=BrightnessRunner(**THREE), prior=prior)(CROPS)
    expected = plain * ratios
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("prior", "metadata", "says"),
    [
        ("uniform", {}, "expected a network whose file names the class shares of its training"),
        ("even", THREE, "expected a prior 'uniform' or a share for each of a, b, c, got 'even'"),
        ({"a": 1, "b": 1}, THREE, "or a share for each of a, b, c"),
        ({"a": 1, "b": 1, "c": 0}, THREE, "expected a prior of 3 finite class shares above 0"),
        (None, {**THREE, "prior": "[0.5, 0.5]"}, "expected a prior of 3 finite class shares above 0"),
        *[(None, {**THREE, "prior": bad}, "expected a prior of 3 finite class shares above 0") for bad in BAD_PRIORS],
    ],
)
def test_a_wrong_prior(prior, metadata, says):
    with pytest.raises(ValueError, match=says):
        Classifier(runner=BrightnessRunner(**metadata), prior=prior)


def test_flip_is_the_mean_of_both_views():
    crops = np.random.default_rng(4).integers(0, 256, (3, 40, 40), np.uint8)
    one, both = Classifier(threads=1), Classifier(threads=1, flip=True)
    mean = (one(crops) + one(np.ascontiguousarray(crops[:, :, ::-1]))) / 2
    np.testing.assert_allclose(both(crops), mean, atol=1e-5)
    assert np.abs(one(crops) - mean).max() > 1e-4
