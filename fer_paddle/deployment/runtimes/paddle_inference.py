"""Paddle Inference: Paddle's own engine for exported networks, with oneDNN on the CPU."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.inference_model import write_expression_model
from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file, read_card, write_card
from fer_paddle.environment import paddle, quiet

SHAPES_KEPT = 10  # oneDNN keeps what it prepared for as many input shapes
# Without pool2d: oneDNN would also round the mean over a picture, in steps made for the largest single value.
INT8_OPERATORS = {"conv2d", "depthwise_conv2d", "fused_conv2d", "fc", "matmul"}
QUANTIZED = "quantized"  # the metadata of a program that PaddleSlim quantised have a line of this name


class PaddleInferenceRunner:
    """Runs an inference model by Paddle Inference on the CPU, a quantised one in int8.

    Args:
        path: `.pdmodel` with its `.pdiparams` and card, or a `.safetensors` expression network, exported first.
        threads: Threads of oneDNN; 0 takes all cores.
        precision: "fp32", or "bf16" on processors that have it.

    Raises:
        FileNotFoundError: There is no such file, or one that belongs to it is missing.
        ValueError: The files are damaged or of another network.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        path = check_file(path, [".pdmodel", ".safetensors"], "paddle")
        if path.suffix.lower() == ".safetensors":
            with tempfile.TemporaryDirectory() as folder:
                exported = Path(folder, "network.pdmodel")
                write_expression_model(path, exported)
                self._load(exported, threads, precision)
        else:
            self._load(path, threads, precision)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        self.metadata = read_card(path)["metadata"]
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
            with quiet():  # each pass of the int8 optimiser prints what it did
                self._predictor = paddle.inference.create_predictor(config)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"expected an inference model at {path}, got: {str(error).splitlines()[-1]}") from error
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._outputs = [self._predictor.get_output_handle(name) for name in self._predictor.get_output_names()]

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        self._input.copy_from_cpu(np.ascontiguousarray(images, np.float32))
        self._predictor.run()
        return [output.copy_to_cpu() for output in self._outputs]


def load_program(path: str | os.PathLike[str], metadata: Mapping[str, str], threads: int = 1) -> PaddleInferenceRunner:
    """Gives a Paddle program with one input, `images`, the card that its runner asks for, and loads it.

    Args:
        path: The `.pdmodel` file with its `.pdiparams`, such as compression.quantize makes.
        metadata: Text for the card; with a line `quantized` it is computed in int8.
        threads: Of oneDNN.

    Raises:
        FileNotFoundError: One of the files is missing.

    Whether the program is whole is not looked at, and Paddle ends the process where it is not: let
    compression.programs.check_program look at one from outside before.
    """
    write_card(path, ["images"], [], metadata)
    return PaddleInferenceRunner(path, threads)
