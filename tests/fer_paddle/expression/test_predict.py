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


@pytest.mark.parametrize("classes", [EXPRESSIONS, ("neutral", "smile"), FERPLUS_EXPRESSIONS, tuple("abcdefghijk")])
def test_any_sizes_gray_or_bgr_in_order_of_any_classes(classes):
    rng = np.random.default_rng(0)
    shapes = [(48, 48), (7, 7), (200, 200, 3), (1, 1), (30, 90, 3)]
    crops, runner = [rng.integers(0, 256, shape, np.uint8) for shape in shapes], BrightnessRunner(classes)
    classify = Classifier(runner=runner)
    probs = classify(crops)
    assert probs.shape == (5, len(classes)) and probs.dtype == np.float32 and classify([]).shape == (0, len(classes))
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert runner.batches[0].shape == (5, 1, 32, 32)
    np.testing.assert_allclose(probs, np.concatenate([classify([crop]) for crop in crops]), rtol=1e-5)
    assert classify.classes == classes and classify.name(crops[0]) == classes[probs[0].argmax()]


def test_probabilities_that_are_not_finite_are_an_error(monkeypatch):
    monkeypatch.setattr(BrightnessRunner, "__call__", lambda self, images: [np.full((len(images), 7), np.nan)])
    with pytest.raises(ValueError, match="expected finite probabilities, got NaN"):
        Classifier(runner=BrightnessRunner())([np.zeros((8, 8), np.uint8)])


@pytest.mark.parametrize(
    ("weights", "more", "error", "says"),
    [
        ("missing.onnx", {}, FileNotFoundError, "missing.onnx"),
        ("坏.onnx", {}, ValueError, "expected an ONNX file at"),
        (WEIGHTS, {"runner": BrightnessRunner()}, ValueError, "got both"),
        ("vgg9.fer2013", {}, ValueError, "or a network such as vgg8.fer2013.*, got vgg9.fer2013"),
        ("distresnet_int8.fer2013", {"runtime": "paddle"}, FileNotFoundError, "int8.fer2013 ships as .onnx alone"),
    ],
)
def test_wrong_files(weights, more, error, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "坏.onnx").write_bytes(b"not a network")
    with pytest.raises(error, match=says):
        Classifier(weights, **more)


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
