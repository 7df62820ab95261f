"""A training run as one ONNX file that says itself how to use it, with its Paddle weights and a JSON card beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import weight_files
from fer_paddle.deployment.export import export_onnx
from fer_paddle.training.loop import BEST
from yolo3tiny.detector import CLASSES, NetworkSettings
from yolo3tiny.model import Yolo3Tiny

INPUT = "float32 [N, 3, H, W], blue, green, red in 0..1, H and W multiples of 32"


def export_run(
    run: str | os.PathLike[str],
    path: str | os.PathLike[str],
    trained_on: str | None = None,
    longest: int | None = None,
) -> dict[str, Any]:
    """Writes the best weights of a run as ONNX; of the same name, their card as JSON and Paddle's own as safetensors.

    Args:
        run: Folder of a run of train.train_detector.
        path: The `.onnx` file to write.
        trained_on: The training data in words; None takes the run's own words.
        longest: Longer side of the input in pixels that the detector is to use; None takes the recipe's.

    Returns:
        The card.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged or of another network, neither the run nor `trained_on` says what
            it was trained on, or the path does not end in `.onnx`.
        RuntimeError: ONNX Runtime and Paddle differ too much.
    """
    path = Path(path)
    best = Path(run) / BEST
    arrays, told = weight_files.load_arrays(best), weight_files.load_card(best)
    try:
        task, figures = told["config"]["task"], told["figures"]
        recipe, anchors = task["recipe"], task["anchors"]
        settings = NetworkSettings(anchors, longest or recipe["longest"])
        name, width = recipe["name"], recipe["width"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected a face detector's run in {run}, its card lacks {error}") from error
    trained_on = trained_on or task.get("data")
    if not trained_on:
        raise ValueError(f"expected the training data in words, for the run in {run} does not say them")
    network = Yolo3Tiny(width=width)
    weight_files.load_into(network, arrays)
    metadata = settings.to_metadata() | {"recipe": name, "trained_on": trained_on, "input": INPUT}
    example = np.random.default_rng(0).random((2, 3, 96, 160), np.float32)
    difference = export_onnx(network, path, {"images": (None, 3, None, None)}, metadata, {"images": example})
    card = {
        "model": f"tiny YOLOv3 of one class, width {width}",
        "parameters": sum(weight.size for weight in network.parameters() if not weight.stop_gradient),
        **metadata,
        "classes": list(CLASSES),
        "anchors": anchors,
        "longest": settings.longest,
        "figures": figures,
        "recipe": recipe,
        "largest_difference_from_paddle": difference,
    }
    weight_files.save_weights(path.with_suffix(".safetensors"), arrays, card)
    return card
