"""Marks in an image of any size. ONNX Runtime by default; starts without Paddle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from fer_paddle.deployment.runtimes import check_outputs, load_runner, network_file, used_as
from fer_paddle.images import to_bgr
from yolo3tiny.keypoint.decode import STRIDE, Marks, decode

DEFAULT = "keypoint.belt"
LOADER = "yolo3tiny.keypoint.files:KeypointModel.load"  # imports Paddle
TASK, CHANNELS, SCALE = "keypoint", "BGR", "0..255"  # what the pixels are


class KeypointDetector:
    """Finds marks.

    Args:
        weights: A network that ships, by name, or a file that the runtime reads; None takes DEFAULT.
        forward: Used instead of a file: images float32 [N, 3, H, W] -> [map of decode.decode].
        classes: Names of the classes; None reads them from the metadata of the file.
        threads: Threads of the runtime; 0 lets it choose.
        runtime: What runs the file, one of fer_paddle.deployment.runtimes.RUNTIMES; None takes the one it was made for.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        forward: Callable[[np.ndarray], Sequence[np.ndarray]] | None = None,
        *,
        classes: Sequence[str] | None = None,
        threads: int = 0,
        runtime: str | None = None,
    ):
        if weights is not None and forward is not None:
            raise ValueError("expected weights or forward, got both")
        if forward is None:
            path = network_file(DEFAULT if weights is None else weights, TASK, runtime)
            forward = load_runner(path, runtime, threads, loader=LOADER)
            told = forward.metadata
            with used_as(TASK, told, path):
                for name, own in {"task": TASK, "channels": CHANNELS, "scale": SCALE}.items():
                    if told.get(name) != own:
                        raise ValueError(f"expected the {name} {own}, got {told.get(name)}")
                classes = classes or json.loads(told["classes"])
                names = isinstance(classes, (list, tuple)) and all(isinstance(one, str) and one for one in classes)
                if not names or len(set(classes)) < len(classes):
                    raise ValueError(f"expected the names of classes, got {classes!r}")
                check_outputs(forward, (3, STRIDE, STRIDE), 3 + len(classes))
        if not classes:
            raise ValueError("expected the names of the classes beside `forward`, got none")
        self.forward, self.classes = forward, tuple(classes)

    def __call__(self, image: np.ndarray, min_score: float = 0.5) -> Marks:
        """Find the marks of one image: uint8 BGR [H, W, 3] or gray [H, W]; sides are padded to multiples of 32."""
        image = to_bgr(image)
        height, width = image.shape[:2]
        if height % STRIDE or width % STRIDE:
            image = cv2.copyMakeBorder(image, 0, -height % STRIDE, 0, -width % STRIDE, cv2.BORDER_REPLICATE)
        outputs = self.forward(np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32))[0]
        if outputs.shape[1] != 3 + len(self.classes):
            raise ValueError(f"expected {3 + len(self.classes)} numbers a cell, got {outputs.shape[1]}")
        found = decode(outputs, min_score)[0]
        inside = ((found.centers >= 0) & (found.centers <= (width, height))).all(axis=1)
        return Marks(found.centers[inside], found.labels[inside], found.scores[inside])

    def to_json(self, found: Marks) -> list[dict[str, Any]]:
        """Return marks as plain JSON values."""
        return [
            {
                "class": self.classes[label],
                "center_xy": [round(side, 2) for side in center],
                "score": round(score, 4),
            }
            for center, label, score in zip(found.centers.tolist(), found.labels, found.scores.tolist())
        ]
