"""A training run as one ONNX file that says itself how to use it, with its Paddle weights and a JSON card beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.export import export_network as export_checked
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.loop import BEST
from fer_paddle.training.run import load_best, training_cost
from fer_paddle.weights import load_into
from yolo3tiny.files import DetectorModel
from yolo3tiny.model import Yolo3Tiny
from yolo3tiny.predict import CLASSES, NetworkSettings

FILES_OF_A_RUN = (BEST, LAST, "curves.json")  # which the weights and the card of an export could replace
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
            it was trained on, the path does not end in `.onnx`, or what is written beside it would replace
            a file of the run.
        RuntimeError: ONNX Runtime and Paddle differ too much.
    """
    if Path(path).with_suffix("").resolve() in [Path(run, name).with_suffix("").resolve() for name in FILES_OF_A_RUN]:
        raise ValueError(f"expected a file name that leaves {', '.join(FILES_OF_A_RUN)} of the run alone, got {path}")
    arrays, told = load_best(Path(run))
    try:
        task, figures = told["task"], told["figures"]
        recipe, anchors = told["config"], task["anchors"]
        settings = NetworkSettings(anchors, longest or recipe["longest"])
        name, width = recipe["name"], recipe["width"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected a face detector's run in {run}, its card lacks {error}") from error
    trained_on = trained_on or task.get("data")
    if not trained_on:
        raise ValueError(f"expected the training data in words, for the run in {run} does not say them")
    network = Yolo3Tiny(width=width)
    load_into(network, arrays)
    card = {"recipe": recipe, "figures": figures, **training_cost(told)}
    return export_network(network, path, settings, {"recipe": name, "trained_on": trained_on}, card)


def export_network(
    network: Yolo3Tiny,
    path: str | os.PathLike[str],
    settings: NetworkSettings,
    told: Mapping[str, str],
    card: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes a network as ONNX; of the same name, its card as JSON and Paddle's own weights as safetensors.

    Args:
        network: The network, which may be pruned; it ends in eval mode.
        path: The `.onnx` file to write.
        settings: Anchors and input size.
        told: More text for the metadata, such as the training data in words.
        card: More for the card.

    Returns:
        The card as written; that of a pruned network keeps the `shapes` of the layers that lost filters.

    Raises:
        ValueError: The path does not end in `.onnx`.
        RuntimeError: ONNX Runtime and Paddle differ too much.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"expected a file name that ends in .onnx, got {path.name!r}")
    metadata = settings.to_metadata() | dict(told) | {"input": INPUT}
    example = np.random.default_rng(0).random((2, 3, 96, 160), np.float32)
    spec = {"images": (None, 3, None, None)}
    difference = export_checked(network, path, spec, metadata, example).max_difference
    content = {
        "model": f"tiny YOLOv3 of one class, width {network.width}",
        "width": network.width,
        "parameters": 0,  # set by save
        **metadata,
        "classes": list(CLASSES),
        "anchors": np.asarray(settings.anchors, np.float64).tolist(),
        "longest": settings.longest,
        **card,
        "largest_difference_from_paddle": difference,
    }
    return DetectorModel(network, content).save(path.with_suffix(".safetensors"))
