"""Paddle itself: a network in dynamic mode, and Paddle Inference, its engine for exported networks, with oneDNN."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.runtimes.base import Runner
from fer_paddle.deployment.runtimes.model_files import read_manifest, write_manifest
from fer_paddle.environment import old_ir, paddle, quiet
from fer_paddle.models.model import Model

InputSpec = Mapping[str, Sequence[int | None]]
SHAPES_KEPT = 10  # oneDNN keeps what it prepared for as many input shapes
# Without pool2d: oneDNN would also round the mean over an image, in steps made for the largest single value.
INT8_OPERATORS = {"conv2d", "depthwise_conv2d", "fused_conv2d", "fc", "matmul"}
QUANTIZED = "quantized"  # the metadata of a program that PaddleSlim quantized have a line of this name


class NetworkRunner(Runner):
    """Run a Paddle network, which must be in eval mode, without export."""

    name = "dynamic"

    def __init__(self, network: paddle.nn.Layer, metadata: Mapping[str, str]):
        self._network, self.metadata = network, metadata

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        with paddle.no_grad():
            outputs = self._network(paddle.to_tensor(images))
        return [tensor.numpy() for tensor in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


class PaddleInferenceRunner(Runner):
    """Run `.pdmodel` with its `.pdiparams` and manifest, a quantized one in int8. A thread has a clone of its own."""

    name, suffixes = "paddle", (".pdmodel",)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        self.metadata = read_manifest(path)["metadata"]
        config = paddle.inference.Config(str(path), str(path.with_suffix(".pdiparams")))
        config.disable_gpu()
        config.disable_glog_info()
        config.enable_mkldnn()
        config.set_mkldnn_cache_capacity(SHAPES_KEPT)
        config.set_cpu_math_library_num_threads(threads or os.cpu_count() or 1)
        config.enable_memory_optim()
        if precision == "bf16":
            config.enable_mkldnn_bfloat16()
        if QUANTIZED in self.metadata:
            config.enable_mkldnn_int8(INT8_OPERATORS)
        try:
            with quiet():  # each pass of the int8 optimizer prints what it did
                self._predictor = paddle.inference.create_predictor(config)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"expected an inference model at {path}, got: {str(error).splitlines()[-1]}") from error
        self._own, self._turn = threading.local(), threading.Lock()
        self._own.predictor = self._predictor

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        if not hasattr(self._own, "predictor"):
            with self._turn, quiet():
                self._own.predictor = self._predictor.clone()
        predictor = self._own.predictor
        predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(images)
        predictor.run()
        return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]


def run_model(model: Model, runtime: str, threads: int = 0, precision: str = "fp32") -> Runner:
    """Run a loaded model in dynamic mode, or export it and run it by Paddle Inference."""
    if runtime == "dynamic":
        check_threads(threads)
        return NetworkRunner(model.network, model.metadata)
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder, "network.pdmodel")
        write_inference_model(model.network, exported, model.input_spec, model.metadata)
        return PaddleInferenceRunner(exported, threads, precision)


def check_threads(threads: int) -> None:
    """Raise ValueError for a number of threads other than Paddle was imported with; 0 asks for none."""
    prepared = os.environ.get("OMP_NUM_THREADS", "as many as cores")
    if threads and prepared != str(threads):
        raise ValueError(f"expected {threads} threads from environment.prepare before Paddle's import, got {prepared}")


def write_inference_model(
    network: paddle.nn.Layer, path: Path, input_spec: InputSpec, metadata: Mapping[str, str]
) -> None:
    """Write a network in eval mode as `.pdmodel`, `.pdiparams` and their manifest; compare nothing."""
    specs = [paddle.static.InputSpec([*shape], "float32", name) for name, shape in input_spec.items()]
    with old_ir():
        paddle.jit.save(network, str(path.with_suffix("")), input_spec=specs)
    path.with_suffix(".pdiparams.info").unlink(missing_ok=True)  # a pickle that nothing needs
    write_manifest(path, list(input_spec), [], metadata)


def load_program(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> PaddleInferenceRunner:
    """Write the manifest of a whole program with the input `images`, and load it; metadata `quantized`: in int8."""
    write_manifest(path, ["images"], [], metadata)
    return PaddleInferenceRunner(path, 1)
