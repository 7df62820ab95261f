"""The networks that ship, by name: what each does, how well, how large. Starts without Paddle."""

from __future__ import annotations

import fnmatch
import os
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_paddle.deployment.runtimes import read_metadata
from fer_paddle.deployment.runtimes.model_files import check_file
from fer_paddle.expression import predict as expressions
from fer_paddle.files import read_json
from fer_paddle.landmarks import predict as landmarks
from fer_paddle.weights import DETECTION, find_weights, load_card, named_task, shipped_files
from yolo3tiny import predict as faces
from yolo3tiny.keypoint import predict as marks

if TYPE_CHECKING:
    from fer_paddle.models.model import Model


@dataclass(frozen=True)
class ShippedModel:
    """A network that ships."""

    name: str  # `Classifier(name)`, `Detector(name)`, `KeypointDetector(name)` or `Landmarker(name)` loads it
    task: str  # "expression", "mouth", "face detection", "keypoint" or "landmarks"
    classes: tuple[str, ...]  # names of its classes
    input_size: int  # side in pixels of a face, or longer side of a photo
    parameters: int  # trained numbers
    file_kb: float  # size of its ONNX file
    accuracy: float | None  # on the first data set of its model card; average precision at IoU 0.5 of a detector
    latency_ms: float | None  # where its card has it


def list_models(pattern: str = "*") -> list[ShippedModel]:
    """List the networks that ship, those whose names fit a pattern such as "distresnet*" or "*.fer2013"."""
    return [_describe(path) for name, path in shipped_files().items() if fnmatch.fnmatch(name, pattern)]


def load_model(weights: str | os.PathLike[str]) -> Model:
    """Read a `.safetensors` network of any task with its card, by path or by name; imports Paddle."""
    path = find_weights(weights, suffix=".safetensors")
    by_task = {marks.TASK: marks.LOADER, landmarks.TASK: landmarks.LOADER, DETECTION: faces.LOADER}
    return pkgutil.resolve_name(by_task.get(task_of(path) or "", expressions.LOADER))(path)


def task_of(path: Path) -> str | None:
    """Return the task of a network, one of weights.NETWORK_OF: by the metadata of an `.onnx` file, or by the card."""
    return named_task(read_metadata(check_file(path, (".safetensors", ".onnx"), "dynamic")))


def _describe(path: Path) -> ShippedModel:
    card = load_card(path)
    measured_file = path.with_suffix(".measured.json")
    sets = read_json(measured_file, "measured figures")["sets"] if measured_file.is_file() else [{}]
    figure = sets[0].get("ap" if "anchors" in card else "accuracy")
    return ShippedModel(
        name=path.stem,
        task="mouth" if "train_mouths" in card else str(named_task(card)),
        classes=tuple(card["classes"]),
        input_size=card["longest"] if "longest" in card else card["input_size"],
        parameters=card["parameters"],
        file_kb=round(path.stat().st_size / 1000, 1),
        accuracy=figure and round(figure["value"], 3),
        latency_ms=card.get("latency_ms"),
    )
