"""Expression networks as files for the runtimes."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.export import OPSET, Parity, export_weights
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.images import faces_to_batch

PARITY_FACES = 256


def export_expression_network(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    faces: Sequence[np.ndarray] | np.ndarray | None = None,
    description: str = "faces of the caller",
    precision: str = "fp32",
    opset: int = OPSET,
    batch: int | None = None,
    labels: str = "both",
) -> Parity:
    """Write a `.safetensors` network for a runtime, or an `.onnx` one for ncnn or MNN, after comparing them.

    Args:
        weights: Written by ExpressionModel.save, or by this function as `.onnx`.
        path: The file to write: `.onnx`, `.pdmodel`, `.param` or `.mnn`; the report that is returned goes beside it.
        faces: Crops uint8, gray or BGR, to compare on; None draws PARITY_FACES. `description` says what they are.
        precision: Of the stored weights, where the weights are ONNX: as of convert.convert_onnx.
        opset, batch: As of deployment.export.export_network, where Paddle's weights become ONNX.
        labels: Of a network of two label sets, which of losses.LABEL_SETS the file answers by.

    Raises:
        RuntimeError: The runtime differs too much from Paddle (from ONNX Runtime where the weights are ONNX).
    """
    if faces is None:
        faces, description = _draw_faces(), "drawn faces"
    weights = Path(weights)
    model = None if weights.suffix.lower() == ".onnx" else ExpressionModel.load(weights, labels)
    if model is None and labels != "both":
        raise ValueError(f"expected .safetensors weights for the labels {labels!r}, got {weights}")
    size = model.input_size if model else int(load_runner(weights).metadata.get("input_size", 0))
    if not size:
        raise ValueError(f"expected the ONNX file of an expression network, got none in {weights}")
    images = faces_to_batch(faces, size)
    return export_weights(weights, path, model, images, description, precision, opset, batch)


@functools.cache
def _draw_faces() -> list[np.ndarray]:
    from fer_paddle.drawn import make_faces

    return list(make_faces(PARITY_FACES, 64, seed=0).images)
