"""Expression networks as ONNX files."""

from __future__ import annotations

import os

import numpy as np

from fer_paddle.deployment.export import export_onnx
from fer_paddle.models.files import card_metadata, load_model


def export_expression_network(weights: str | os.PathLike[str], path: str | os.PathLike[str]) -> float:
    """Writes a `.safetensors` network and its card as one ONNX file that needs no other file.

    Args:
        weights: Written by models.files.save_model.
        path: The `.onnx` file to write.

    Returns:
        The largest absolute difference of the logits between ONNX Runtime and Paddle.

    Raises:
        FileNotFoundError: There are no weights.
        ValueError: The weights are damaged or of another network.
        RuntimeError: ONNX Runtime and Paddle differ too much.
    """
    network, card = load_model(weights)
    size = int(card["input_size"])
    example = np.random.default_rng(0).normal(size=(4, 1, size, size)).astype(np.float32)
    return export_onnx(network, path, {"images": (None, 1, size, size)}, card_metadata(card), {"images": example})
