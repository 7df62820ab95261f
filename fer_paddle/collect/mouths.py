"""The mouth classifier: mouth crops in, probabilities of neutral, smile and the reader's own classes out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.deployment.runtimes import Runner
from fer_paddle.images import faces_to_batch

WEIGHTS = Path(__file__).parent.parent / "weights" / "mouth.smile.onnx"
BATCH = 64


class MouthClassifier:
    """Names the class of mouths, cut as `select.mouth_box` does.

    Args:
        weights: An ONNX file that `collect train-mouths` wrote; None takes the one that ships: neutral and smile.
        runner: Used instead of a file: a loaded network whose metadata holds `input_size` and `classes`.

    Attributes:
        classes: Names of the classes, in order.

    Raises:
        FileNotFoundError: There is no weights file.
        ValueError: The file is no ONNX file of a classifier, or both a file and a runner are given.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None, runner: Runner | None = None):
        if weights is not None and runner is not None:
            raise ValueError("expected weights or a runner, got both")
        if runner is None:
            from fer_paddle.deployment.runtimes.onnx import OnnxRunner

            runner = OnnxRunner(weights or WEIGHTS)
        told = dict(runner.metadata)
        self.runner, self.classes = runner, tuple(json.loads(told.get("classes", "[]")))
        if len(self.classes) < 2 or "input_size" not in told:
            raise ValueError(f"expected a network of two classes or more, got one of {self.classes or 'none'}")
        self.input_size = int(told["input_size"])

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Return the probabilities: crops [H, W]."""
        parts = [np.zeros((0, len(self.classes)), np.float32)]
        for start in range(0, len(crops), BATCH):
            batch = faces_to_batch(crops[start : start + BATCH], self.input_size)
            parts.append(softmax(self.runner(batch)[0]))
        return np.concatenate(parts)

    def name(self, crop: np.ndarray) -> str:
        """Return the likeliest class of one mouth."""
        return self.classes[int(self([crop])[0].argmax())]
