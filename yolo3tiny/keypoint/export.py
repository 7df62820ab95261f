"""A training run of the one-anchor detector as ONNX, with its Paddle weights and card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.export import export_model
from fer_paddle.training.run import check_export, load_best, training_card
from fer_paddle.weights import load_into
from yolo3tiny.keypoint.files import KeypointModel
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.strips import draw_strip


def export_run(run: Path, path: Path, trained_on: str | None = None) -> dict[str, Any]:
    """Write the best weights of a run as ONNX, once it agrees with Paddle; of the same name, a card and safetensors."""
    check_export(run, path)
    arrays, told = load_best(run)
    try:
        classes, data = told["task"]["classes"], told["task"]["data"]
    except KeyError as error:
        raise ValueError(f"expected the run of a detector of marks in {run}, its card lacks {error}") from error
    network = KeypointNetwork(len(classes))
    load_into(network, arrays)
    model = KeypointModel.of(network, classes, {**training_card(told), "trained_on": trained_on or data})
    images = np.stack([draw_strip("belt", seed, (96, 160)).image.transpose(2, 0, 1) for seed in range(16)])
    return export_model(model, path, images.astype(np.float32), "drawn strips")
