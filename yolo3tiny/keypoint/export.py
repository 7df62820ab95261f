"""A training run of the one-anchor detector as ONNX, with its Paddle weights and card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.export import export_network
from fer_paddle.training.run import load_best, training_cost
from fer_paddle.weights import load_into
from yolo3tiny.export import check_name
from yolo3tiny.keypoint.files import KeypointModel
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.predict import CHANNELS, SCALE, TASK
from yolo3tiny.keypoint.strips import SIZE_HW, draw_strip


def export_run(run: Path, path: Path, trained_on: str | None = None) -> dict[str, Any]:
    """Write the best weights of a run as ONNX, once it agrees with Paddle; of the same name, a card and safetensors."""
    check_name(run, path)
    arrays, told = load_best(run)
    try:
        classes, data = told["task"]["classes"], told["task"]["data"]
    except KeyError as error:
        raise ValueError(f"expected the run of a detector of marks in {run}, its card lacks {error}") from error
    card = {
        "task": TASK,
        "model": "one map at stride 32, one anchor a cell",
        "classes": classes,
        "longest": max(SIZE_HW),
        "channels": CHANNELS,
        "scale": SCALE,
        "recipe": told["config"],
        "figures": told["figures"],
        "trained_on": trained_on or data,
        **training_cost(told),
    }
    network = KeypointNetwork(len(classes))
    load_into(network, arrays)
    model = KeypointModel(network, card)
    images = np.stack([draw_strip("belt", seed, (96, 160)).image.transpose(2, 0, 1) for seed in range(16)])
    parity = export_network(
        network, path, model.input_spec, model.metadata, images.astype(np.float32), "drawn strips", ["cells"]
    )
    card["largest_difference_from_paddle"] = parity.max_difference
    return model.save(path.with_suffix(".safetensors"))
