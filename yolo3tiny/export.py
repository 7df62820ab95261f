"""Face detectors as files: a training run or a network as ONNX with its Paddle weights and card, and other runtimes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.export import OPSET, Parity, export_model, export_weights
from fer_paddle.models.model import resize_layers
from fer_paddle.training.run import check_export, load_best, training_card
from fer_paddle.weights import load_into
from yolo3tiny.boxes import letterbox
from yolo3tiny.files import DetectorModel
from yolo3tiny.model import NETWORKS, Network
from yolo3tiny.predict import CLASSES, NetworkSettings, load_network, to_input

PARITY_IMAGES = 256
PARITY_PX = 192  # side of the images that runtimes are compared on: 256 of them fit in 113 MB


def export_run(
    run: str | os.PathLike[str], path: str | os.PathLike[str], trained_on: str | None = None, longest: int | None = None
) -> dict[str, Any]:
    """Write the best weights of a run as ONNX; of the same name, their card as JSON and Paddle's own as safetensors."""
    check_export(run, path)
    arrays, told = load_best(run)
    task, recipe = told["task"], told["config"]
    try:
        network = NETWORKS[recipe["network"]](width=recipe["width"])
        classes = tuple(task.get("classes", CLASSES))
        settings = NetworkSettings(task["anchors"], longest or recipe["longest"], network.strides, classes)
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected a face detector's run in {run}, its card lacks {error}") from error
    trained_on = trained_on or task.get("data")
    if not trained_on:
        raise ValueError(f"expected the training data in words, for the run in {run} does not say them")
    resize_layers(network, task.get("shapes", {}))
    load_into(network, arrays)
    return export_network(network, path, settings, {**training_card(told), "trained_on": trained_on})


def export_network(
    network: Network,
    path: str | os.PathLike[str],
    settings: NetworkSettings,
    card: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a network, which may be pruned, as `.onnx`, its card as JSON and Paddle's own weights as safetensors."""
    example = np.random.default_rng(0).random((2, 3, 96, 160), np.float32)
    return export_model(DetectorModel.of(network, settings, card), path, example, "noise")


def export_detector(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    photos: Iterable[np.ndarray] | None = None,
    description: str = "photos of the caller",
    precision: str = "fp32",
    opset: int = OPSET,
    batch: int | None = None,
) -> Parity:
    """Write `.safetensors` as `.onnx` or `.pdmodel`, or `.onnx` as `.param` or `.mnn`, once both agree on photos."""
    if photos is None:
        photos, description = _draw_photos(), "pieces of drawn scenes"
    images = np.stack([to_input(letterbox(photo, (PARITY_PX, PARITY_PX))[0]) for photo in photos])
    model = None if Path(weights).suffix.lower() == ".onnx" else DetectorModel.load(weights)
    if model is None:
        load_network(weights)  # which refuses other networks
    return export_weights(weights, path, model, images, description, precision, opset, batch)


def _draw_photos() -> list[np.ndarray]:
    """Return PARITY_IMAGES pieces of drawn scenes, sixteen of each."""
    from fer_paddle.drawn import draw_scene

    scenes = [draw_scene(seed, 640, 480).image for seed in range(PARITY_IMAGES // 16)]
    places = [(y, x) for y in range(0, 480, 120) for x in range(0, 640, 160)]
    return [scene[y : y + 120, x : x + 160] for scene in scenes for y, x in places]
