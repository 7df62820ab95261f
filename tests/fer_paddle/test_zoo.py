"""The networks that ship, by name."""

import numpy as np
import pytest

import fer_paddle
from fer_paddle.deployment.export import compare
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import Classifier
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.predict import Landmarker
from fer_paddle.zoo import find_model, list_models, load_model, task_of
from yolo3tiny import Detector
from yolo3tiny.keypoint.predict import KeypointDetector


def weights_of(name):
    return find_model(name).with_suffix(".safetensors")


def test_what_ships():
    models = {model.name: model for model in fer_paddle.list_models()}
    assert {
        "distresnet.fer2013",
        "distresnet.ferplus",
        "vgg8.fer2013",
        "mouth.smile",
        "yolo3lite.face",
        "yolo3tiny.face",
    } <= set(models)
    best = models["distresnet.fer2013"]
    assert (best.task, best.classes, best.input_size, best.parameters) == ("expression", EXPRESSIONS, 56, 403_767)
    assert (best.accuracy, models["yolo3tiny.face"].accuracy) == (0.66, 0.862)
    assert (models["yolo3tiny.face"].task, models["yolo3tiny.face"].input_size) == ("face detection", 544)
    assert (models["landmarks.68"].task, models["landmarks.68"].input_size) == ("landmarks", 80)
    assert models["landmarks.68"].file_kb < 2000 and models["landmarks_int8.68"].file_kb < 700
    assert [model.name for model in list_models("vgg8*")] == [
        *("vgg8.fer2013", "vgg8.fer2013_seed2", "vgg8.photos", "vgg8_flat.fer2013", "vgg8_flat.photos"),
        "vgg8_flat_int8.photos",
    ]


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_a_file_tells_its_task(suffix, tmp_path):
    files = [one for one in list_models() if find_model(one.name).with_suffix(suffix).is_file()]
    for one in files:
        assert task_of(find_model(one.name).with_suffix(suffix)) == one.task.replace("mouth", "expression")
    with pytest.raises(FileNotFoundError):
        task_of(tmp_path / f"none{suffix}")


def test_any_task_by_name():
    assert ExpressionModel.load("mouth.smile").input_size == 56
    assert load_model("mouth.smile").classes == ("neutral", "smile")
    assert load_model("landmarks.68").settings == Landmarker("landmarks.68").settings
    assert load_model("yolo3tiny.face").settings == Detector("yolo3tiny.face").settings
    assert load_model("keypoint.belt").metadata["task"] == list_models("keypoint*")[0].task == "keypoint"
    assert find_model("yolo3tiny_int8.face").name == "yolo3tiny_int8.face.onnx"
    with pytest.raises(ValueError, match="or a network such as yolo3tiny.face"):
        Detector("yolo3tiny.faces")


@pytest.mark.parametrize("name", [one.name for one in list_models() if weights_of(one.name).is_file()])
def test_weights_compute_on_any_paddle_what_their_onnx_file_does(name):
    """Paddle 2.6.2 has written the ONNX files: figures measured with one Paddle hold with the others."""
    model = load_model(name)
    (shape,) = model.input_spec.values()
    images = np.random.default_rng(0).random((2, shape[1], *(side or 96 for side in shape[2:])), np.float32)
    runner = load_runner(find_model(name))
    parity = compare(runner, NetworkRunner(model.network, {}), images, (f"{name}.onnx", "Paddle"), "noise")
    assert parity.holds, parity


@pytest.mark.parametrize(
    "task, name",
    [
        (Classifier, "vgg8_flat.photos"),
        (Detector, "yolo3lite.face"),
        (Landmarker, "landmarks.68"),
        (KeypointDetector, "keypoint.belt"),
    ],
)
def test_a_file_runs_in_the_runtime_it_was_made_for(task, name):
    loaded = task(weights_of(name))
    assert isinstance(getattr(loaded, "forward", None) or loaded.runner, NetworkRunner)
