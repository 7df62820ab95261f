"""Export: the same numbers in ONNX Runtime, metadata inside the file, and no half file."""

import json

import numpy as np
import onnxruntime
import pytest

from fer_paddle.classifier import Classifier, load_classifier
from fer_paddle.deployment import export as export_module
from fer_paddle.deployment.export import export_onnx
from fer_paddle.deployment.expression import export_expression_network
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.models.files import save_model


def lively_network():
    """A DistResNet whose every layer matters: the last BN scales start at zero, which would hide most of it."""
    seed_everything(0)
    network = build_model("distresnet")
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim == 1 and not parameter.numpy().any():
            parameter.set_value(paddle.uniform(parameter.shape, min=0.1, max=0.5))
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("权重") / "model.safetensors"
    save_model(path, "distresnet", lively_network(), input_size=48, card={"note": "made by a test"})
    return path


@pytest.fixture(scope="module")
def exported(weights):
    path = weights.with_suffix(".onnx")
    export_expression_network(weights, path)
    return path


def test_onnx_and_paddle_agree_on_faces(weights, exported):
    crops = list(np.random.default_rng(0).integers(0, 256, (16, 40, 40), np.uint8))
    by_paddle, by_onnx = load_classifier(weights)(crops), load_classifier(exported)(crops)
    assert np.abs(by_paddle - by_onnx).max() < 1e-4
    assert by_paddle.std(axis=0).max() > 1e-3  # the crops do differ


def test_the_file_needs_no_other_file(exported, tmp_path):
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(exported.read_bytes())
    assert Classifier(alone).input_size == 48
    metadata = onnxruntime.InferenceSession(str(alone)).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(EXPRESSIONS)
    assert float(metadata["mean"]) == 0.5077 and float(metadata["std"]) == 0.2550


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_any_batch_size(exported, batch):
    session = onnxruntime.InferenceSession(str(exported))
    assert session.run(None, {"images": np.zeros((batch, 1, 48, 48), np.float32)})[0].shape == (batch, 7)


def test_a_difference_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "_compare", lambda *_: 1e-3)
    with pytest.raises(RuntimeError, match="expected ONNX within 0.0001 of Paddle"):
        export_onnx(
            paddle.nn.Linear(3, 2), tmp_path / "x.onnx", {"x": (None, 3)}, {}, {"x": np.zeros((1, 3), np.float32)}
        )
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_are_refused(weights, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.onnx"):
        export_expression_network(weights, tmp_path / "model.pdmodel")
    with pytest.raises(ValueError, match=r"expected weights as \.onnx or \.safetensors"):
        load_classifier(tmp_path / "model.pdparams")
    with pytest.raises(FileNotFoundError):
        load_classifier(tmp_path / "model.safetensors")
