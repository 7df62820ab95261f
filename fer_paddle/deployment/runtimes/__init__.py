"""Runtimes: a network file as a function of arrays, behind one protocol.

| name | what runs | files it reads |
|---|---|---|
| onnx | ONNX Runtime | .onnx |
| openvino | OpenVINO | .onnx |
| ncnn | ncnn | .param with .bin, .onnx |
| mnn | MNN | .mnn, .onnx |
| paddle | Paddle Inference with oneDNN | .pdmodel with .pdiparams (int8 too); .safetensors of an expression network |
| dynamic | Paddle as in training | .safetensors of an expression network |
| tensorrt | TensorRT by ONNX Runtime's provider | .onnx |
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class Runner(Protocol):
    """A loaded network. Every class of it is called with (path, threads, precision).

    Attributes:
        metadata: What the file says of itself: classes, input size, normalisation.
    """

    metadata: Mapping[str, str]

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs in the order of the ONNX file, float32 [N, ...] each.

        Raises:
            ValueError: N is 0, or the images are others than inputs.check_images takes.
        """
        ...


# Name -> module and class. A module is imported when it is asked for, and its package with it.
RUNTIMES = {
    "onnx": ("fer_paddle.deployment.runtimes.onnx", "OnnxRunner"),
    "openvino": ("fer_paddle.deployment.runtimes.openvino", "OpenVinoRunner"),
    "ncnn": ("fer_paddle.deployment.runtimes.ncnn", "NcnnRunner"),
    "mnn": ("fer_paddle.deployment.runtimes.mnn", "MnnRunner"),
    "paddle": ("fer_paddle.deployment.runtimes.paddle_inference", "PaddleInferenceRunner"),
    "dynamic": ("fer_paddle.deployment.runtimes.dynamic", "PaddleRunner"),
    "tensorrt": ("fer_paddle.deployment.runtimes.tensorrt", "TensorRtRunner"),
}
# What each can compute in; the first is the one to compare with others. A quantised file is int8 by itself.
PRECISIONS = {
    "onnx": ("fp32",),
    "openvino": ("fp32", "bf16"),
    "ncnn": ("fp32", "fp16"),
    "mnn": ("fp32", "int8"),
    "paddle": ("fp32", "bf16"),
    "dynamic": ("fp32",),
    "tensorrt": ("fp32", "fp16"),
}


def load_runner(
    path: str | os.PathLike[str], runtime: str = "onnx", threads: int = 0, precision: str = "fp32"
) -> Runner:
    """Loads a network file.

    Args:
        path: The file; the table at the head of this module says which runtime reads which.
        runtime: One of RUNTIMES.
        threads: Threads of one run; 0 lets the runtime choose.
        precision: One of PRECISIONS of the runtime: what it computes in.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The runtime or its precision is unknown, threads are negative, or the file is not one that the
            runtime reads, damaged, or a pickle.
        RuntimeError: The runtime's package is not installed.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"expected a runtime of {', '.join(RUNTIMES)}, got {runtime!r}")
    if precision not in PRECISIONS[runtime]:
        raise ValueError(f"expected a precision of {', '.join(PRECISIONS[runtime])} for {runtime}, got {precision!r}")
    if threads < 0:
        raise ValueError(f"expected threads of 0 or more, got {threads}")
    module, name = RUNTIMES[runtime]
    try:
        runner = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        package = {"paddle": "paddlepaddle"}.get(error.name, error.name)
        raise RuntimeError(
            f"expected the package {package} for the runtime {runtime} (pip install {package})"
        ) from error
    return runner(path, threads, precision)


def warm_up(runner: Runner, images: np.ndarray, runs: int = 3) -> None:
    """Runs a network on images as they will come, so that the next run pays for no allocation and no tuning.

    Args:
        runner: The network.
        images: float32 [N, C, H, W] of the shape to come.
        runs: How often, 1 or more.

    Raises:
        ValueError: `runs` is below 1.
    """
    if runs < 1:
        raise ValueError(f"expected 1 or more runs to warm up, got {runs}")
    for _ in range(runs):
        runner(images)
