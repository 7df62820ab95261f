"""How fast what ships is on this machine: the rows of `python -m fer_paddle benchmark`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.classifier import Classifier
from fer_paddle.demo import astronaut
from fer_paddle.deployment.benchmark import time_runs
from fer_paddle.images import crop_square, write_image
from fer_paddle.pipeline import Pipeline
from yolo3tiny.detector import Detector

SHELL_RUNS = 5


def photo_640x480() -> np.ndarray:
    """A 640x480 photo with one face: the astronaut on a wider background; uint8 [480, 640, 3] in BGR."""
    square = cv2.resize(astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


def benchmark_shipped(runs: int, progress: Callable[[Iterable], Iterable] = iter) -> list[dict[str, Any]]:
    """Times detector, classifier, pipeline and a whole command.

    Args:
        runs: Timed runs of each row; the whole command runs at most SHELL_RUNS times.
        progress: Wraps the rows for a progress bar.

    Returns:
        Rows with `what`, `median_ms`, `p95_ms` and `runs`.
    """
    photo, detector, classifier = photo_640x480(), Detector(), Classifier()
    pipeline = Pipeline(detector, classifier)
    faces = pipeline(photo)
    crop = crop_square(photo, faces[0].box_xyxy, pipeline.margin) if faces else photo
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / "photo.png", photo)
        command = [sys.executable, "-m", "fer_paddle", "recognize", f"{folder}/photo.png", "--out", f"{folder}/out"]
        rows: list[tuple[str, Callable[[], Any], int]] = [
            ("detector, 640x480 photo", lambda: detector(photo), runs),
            ("classifier, 1 face", lambda: classifier([crop]), runs),
            ("classifier, 32 faces", lambda: classifier([crop] * 32), runs),
            (f"pipeline, 640x480 photo, {len(faces)} face", lambda: pipeline(photo), runs),
            (
                "from the shell to the result",
                lambda: subprocess.run(command, check=True, capture_output=True),
                min(runs, SHELL_RUNS),
            ),
        ]
        return [{"what": what, **time_runs(function, count)} for what, function, count in progress(rows)]
