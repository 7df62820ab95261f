"""The face detector in other runtimes: its network as any runner, and as files for boards."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_paddle.deployment.runtimes import PADDLES, Runner, load_runner
from fer_paddle.deployment.runtimes.model_files import check_file
from yolo3tiny.boxes import letterbox
from yolo3tiny.predict import WEIGHTS, Detector, check_metadata, to_input

if TYPE_CHECKING:
    from fer_paddle.deployment.parity import Parity
    from yolo3tiny.files import DetectorModel

PARITY_PX = 192  # side of the photos that runtimes are compared on: 256 of them fit in 113 MB


def load_forward(
    weights: str | os.PathLike[str] | None = None, runtime: str = "onnx", threads: int = 0, precision: str = "fp32"
) -> Runner:
    """Loads the detector's network for `Detector(forward=...)`.

    Args:
        weights: A file that the runtime reads, or a `.safetensors` for Paddle's two; None takes what ships.
        runtime: One of fer_paddle.deployment.runtimes.RUNTIMES.
        threads: Threads of one run; 0 lets the runtime choose.
        precision: What the runtime computes in.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As fer_paddle.deployment.runtimes.load_runner, or the network is no face detector.
        RuntimeError: The runtime's package is not installed.
    """
    path = Path(weights) if weights is not None else WEIGHTS.with_suffix(_shipped_suffix(runtime))
    runner = load_runner(path, runtime, threads, precision, load_detector_model)
    check_metadata(runner.metadata)
    return runner


def load_detector(
    weights: str | os.PathLike[str] | None = None,
    runtime: str = "onnx",
    longest: int | None = None,
    threads: int = 0,
) -> Detector:
    """Makes a Detector whose network any runtime runs.

    Args:
        weights, runtime, threads: As of load_forward.
        longest: The longer side of the network's input in pixels; None takes the network's own.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: As load_forward.
    """
    if runtime == "onnx":
        return Detector(weights, longest=longest, threads=threads)
    return Detector(forward=load_forward(weights, runtime, threads), longest=longest)


def export_detector(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    photos: Iterable[np.ndarray],
    photos_are: str,
    precision: str = "fp32",
) -> Parity:
    """Writes the detector for a runtime after comparing it on photos, and a report beside it.

    Args:
        weights: `.safetensors` as yolo3tiny.export writes it, or `.onnx` (for `.param` and `.mnn`).
        path: The file to write: `.onnx`, `.pdmodel`, `.param` or `.mnn`.
        photos: uint8 [H, W, 3] in BGR, of any sizes.
        photos_are: What they are, for the report.
        precision: Of the stored weights, where the weights are ONNX: as of fer_paddle.deployment.convert.

    Raises:
        FileNotFoundError: There are no weights.
        ValueError: The weights are damaged or of another network, or the path ends otherwise.
        RuntimeError: The runtime differs too much from Paddle (from ONNX Runtime where the weights are ONNX).
    """
    from fer_paddle.deployment.export import convert_checked, export_network

    images = np.stack([to_input(letterbox(photo, (PARITY_PX, PARITY_PX))[0]) for photo in photos])
    if Path(weights).suffix.lower() == ".onnx":
        check_metadata(load_runner(weights).metadata)
        return convert_checked(weights, path, images, photos_are, precision)
    if precision != "fp32":
        raise ValueError(f"expected an .onnx file to write in {precision}, got {weights}")
    model = load_detector_model(weights)
    names = ["head32", "head16"]
    return export_network(model.network, path, model.input_spec, model.metadata, images, photos_are, names)


def is_detector(weights: str | os.PathLike[str]) -> bool:
    """Whether a file says that it is a face detector: by its card, an ONNX file by its metadata.

    Raises:
        FileNotFoundError: The file or its card is not there.
        ValueError: The file is damaged.
    """
    path = Path(weights)
    if path.suffix.lower() not in (".onnx", ".safetensors"):
        raise ValueError(f"expected weights .safetensors or .onnx, got {path}")
    if path.suffix.lower() == ".onnx":
        return "anchors" in load_runner(path).metadata
    check_file(path, [".safetensors"], "dynamic")
    from fer_paddle.weights import load_card

    return "anchors" in load_card(path)


def load_detector_model(path: str | os.PathLike[str]) -> DetectorModel:
    """Read a `.safetensors` detector; imports Paddle."""
    from yolo3tiny.files import DetectorModel

    return DetectorModel.load(path)


def _shipped_suffix(runtime: str) -> str:
    return ".safetensors" if runtime in PADDLES else ".onnx"
