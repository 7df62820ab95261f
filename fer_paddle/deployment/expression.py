"""Expression networks as files: export to ONNX, and a Classifier from either kind of file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from fer_paddle.classifier import Classifier
from fer_paddle.images import FER_MEAN, FER_STD
from fer_paddle.labels import EXPRESSIONS


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
    from fer_paddle.deployment.export import export_onnx
    from fer_paddle.models.files import load_model

    network, card = load_model(weights)
    size = int(card["input_size"])
    example = np.random.default_rng(0).normal(size=(4, 1, size, size)).astype(np.float32)
    return export_onnx(network, path, {"images": (None, 1, size, size)}, network_metadata(card), {"images": example})


def network_metadata(card: dict) -> dict[str, str]:
    """What an ONNX file says of itself, as text: classes, input size, colour and normalisation."""
    return {
        "classes": json.dumps(list(EXPRESSIONS)),
        "input_size": str(card["input_size"]),
        "input": "gray face crop, float32 [N, 1, size, size], (pixel / 255 - mean) / std",
        "mean": str(FER_MEAN),
        "std": str(FER_STD),
        "model": card["model"],
    }


def load_classifier(weights: str | os.PathLike[str] | None = None) -> Classifier:
    """Makes a Classifier from `.onnx` (run by ONNX Runtime) or `.safetensors` (run by Paddle); None takes the shipped one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is of neither kind, or damaged.
    """
    if weights is None or Path(weights).suffix.lower() == ".onnx":
        return Classifier(weights)
    if Path(weights).suffix.lower() != ".safetensors":
        raise ValueError(f"expected weights as .onnx or .safetensors, got {weights}")
    from fer_paddle.deployment.runtimes.dynamic import PaddleRunner

    return Classifier(runner=PaddleRunner(weights, network_metadata))
