"""Paddle itself as a runtime: the network as it was trained, without export."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.models.files import card_metadata, load_model


class PaddleRunner:
    """Runs a `.safetensors` network in Paddle's dynamic mode.

    Args:
        path: Written by models.files.save_model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or of another network.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._network, card = load_model(path)
        self.metadata = card_metadata(card)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        with paddle.no_grad():
            outputs = self._network(paddle.to_tensor(images))
        return [tensor.numpy() for tensor in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]
