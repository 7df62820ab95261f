"""Runs the command line in this process."""

from __future__ import annotations

import shutil

import pytest

from fer_paddle.apps.cli import main
from fer_paddle.expression.predict import WEIGHTS


@pytest.fixture
def run(capsys):
    """`run(*args)`: exit code, stdout and stderr of `python -m fer_paddle ARGS`."""

    def call(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def weights(tmp_path):
    """A copy of the shipped network, which a command may change."""
    for suffix in (".onnx", ".safetensors", ".json"):
        shutil.copy(WEIGHTS.with_suffix(suffix), tmp_path / f"net{suffix}")
    return tmp_path / "net.onnx"
