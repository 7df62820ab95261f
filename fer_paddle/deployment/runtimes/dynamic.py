"""Paddle itself as a runtime: the network as it was trained, without export."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file
from fer_paddle.environment import paddle
from fer_paddle.expression.files import ExpressionModel


class NetworkRunner:
    """Runs a Paddle network in dynamic mode.

    Args:
        network: The network in eval mode.
        metadata: What its file says of it.
    """

    def __init__(self, network: paddle.nn.Layer, metadata: Mapping[str, str]):
        self._network, self.metadata = network, metadata

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        with paddle.no_grad():
            outputs = self._network(paddle.to_tensor(images))
        return [tensor.numpy() for tensor in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


class PaddleRunner(NetworkRunner):
    """Runs a `.safetensors` expression network in Paddle's dynamic mode.

    Args:
        path: Written by models.files.save_model.
        threads: 0, or what `environment.prepare(threads)` was told: Paddle reads its threads when it is imported.
        precision: "fp32".

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or of another network, or Paddle runs with other threads.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        path = check_file(path, [".safetensors"], "dynamic")
        check_threads(threads)
        model = ExpressionModel.load(path)
        super().__init__(model.network, model.metadata)


def check_threads(threads: int) -> None:
    """Refuses a number of threads other than Paddle was imported with; 0 asks for none.

    Raises:
        ValueError: They differ.
    """
    prepared = os.environ.get("OMP_NUM_THREADS", "as many as cores")
    if threads and prepared != str(threads):
        raise ValueError(f"expected {threads} threads from environment.prepare before Paddle's import, got {prepared}")
