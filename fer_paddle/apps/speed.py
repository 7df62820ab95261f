"""Time the networks that ship on this machine, for `python -m fer_paddle benchmark`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.apps.demo import astronaut
from fer_paddle.deployment.benchmark import time_in_turns, time_runs
from fer_paddle.deployment.runtimes import load_runner, read_metadata
from fer_paddle.deployment.runtimes.model_files import size_on_disk
from fer_paddle.expression.predict import WEIGHTS, Classifier
from fer_paddle.images import crop_square, write_image
from fer_paddle.messages import track
from fer_paddle.pipeline import Pipeline
from fer_paddle.weights import shipped_files
from yolo3tiny.boxes import letterbox
from yolo3tiny.keypoint.predict import TASK as KEYPOINT
from yolo3tiny.keypoint.strips import SIZE_HW
from yolo3tiny.predict import WEIGHTS as DETECTOR_WEIGHTS
from yolo3tiny.predict import Detector, NetworkSettings

SHELL_RUNS = 5
LOADER = "fer_paddle.zoo:load_model"


def photo_640x480() -> np.ndarray:
    """Return a photo with one face, the astronaut on a wider background; uint8 [480, 640, 3] in BGR."""
    square = cv2.resize(astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


def benchmark_shipped(runs: int) -> list[dict[str, Any]]:
    """Time detector, classifier, pipeline and a whole command, this at most SHELL_RUNS times."""
    photo, detector, classifier = photo_640x480(), Detector(), Classifier()
    pipeline = Pipeline(detector, classifier)
    faces = pipeline(photo)
    crop = crop_square(photo, faces[0].box_xyxy, pipeline.margin) if faces else photo
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / "photo.png", photo)
        command = [sys.executable, "-m", "fer_paddle", "recognize", f"{folder}/photo.png", "--out", f"{folder}/out"]
        shell = lambda: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
        rows: list[tuple[str, Callable[[], Any], int]] = [
            ("detector, 640x480 photo", lambda: detector(photo), runs),
            ("classifier, 1 face", lambda: classifier([crop]), runs),
            ("classifier, 32 faces", lambda: classifier([crop] * 32), runs),
            (f"pipeline, 640x480 photo, {len(faces)} face", lambda: pipeline(photo), runs),
            ("from the shell to the result", shell, min(runs, SHELL_RUNS)),
        ]
        return [{"what": what, **time_runs(function, count)} for what, function, count in track(rows, "rows")]


def time_side_by_side(
    files: Sequence[Path], threads: Sequence[int] = (1,), batch: int = 1, runs: int = 100
) -> list[dict[str, Any]]:
    """Time files, each in its runtime, in turns, so that a busy machine disturbs all alike; photos are square."""
    functions: dict[tuple[Path, int], Callable[[], Any]] = {}
    for path in files:
        channels, height, width = input_shape(path)
        if width < 2 * height:  # no strip
            height = width = max(height, width)
        images = np.random.default_rng(0).random((batch, channels, height, width), np.float32)
        functions |= {(path, count): partial(load_runner(path, None, count), images) for count in threads}
    return [
        {"file": str(path), "threads": count, "batch": batch, "file_bytes": size_on_disk(path), **figures}
        for (path, count), figures in time_in_turns(functions, runs).items()
    ]


def shipped_networks() -> list[Path]:
    """List both networks that are used by default, and the int8 files."""
    return [WEIGHTS, DETECTOR_WEIGHTS, *(path for name, path in shipped_files().items() if "_int8." in name)]


def input_shape(path: Path) -> tuple[int, int, int]:
    """Return channels, height and width of what a network takes: a face, a 640x480 photo, or a strip."""
    metadata = read_metadata(path)
    if metadata.get("task") == KEYPOINT:
        return 3, *SIZE_HW
    if "input_size" in metadata:
        return 1, int(metadata["input_size"]), int(metadata["input_size"])
    if "anchors" not in metadata:
        raise ValueError(f"expected an expression network or a detector in {path}, its metadata say neither")
    padded, _ = letterbox(np.empty((480, 640, 3), np.uint8), longest=NetworkSettings.from_metadata(metadata).longest)
    return 3, padded.shape[0], padded.shape[1]
