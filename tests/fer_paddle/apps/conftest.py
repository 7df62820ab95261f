"""Copies of what ships."""

import shutil

import pytest

from fer_paddle.expression.predict import WEIGHTS


@pytest.fixture
def weights(tmp_path):
    """A copy of the shipped network, which a command may change."""
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copy(WEIGHTS.with_suffix(suffix), tmp_path / f"net{suffix}")
    return tmp_path / "net.onnx"
