"""Face crops in, probabilities of the seven expressions out. Starts without Paddle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.runtimes import Runner, load_runner
from fer_paddle.images import faces_to_batch
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

WEIGHTS = Path(__file__).parents[1] / "weights" / "distresnet_fer2013.onnx"
BATCH = 64
RUNTIME_FOR = {".onnx": "onnx", ".safetensors": "dynamic", ".pdmodel": "paddle", ".param": "ncnn", ".mnn": "mnn"}


class Classifier:
    """Names the expression of faces.

    A network of FER+'s eight classes serves, too: its contempt is left out, and the other seven share what is left.

    Args:
        weights: A file that the runtime reads, such as `python -m fer_paddle export` writes; None takes what ships.
        runner: Used instead of a file: a loaded network whose metadata holds `input_size` and `classes`.
        threads: Threads of the runtime; 0 lets it choose.
        runtime: What runs the file, one of deployment.runtimes.RUNTIMES.

    Attributes:
        classes: Of the network, FER2013's seven or FER+'s eight.
        input_size: Side in pixels of the faces that the network sees.
        temperature: That the logits are divided by, see analysis.temperature.

    Raises:
        FileNotFoundError: There is no weights file.
        ValueError: The file is not one of an expression network that the runtime reads, the runtime is unknown, or
            both a file and a runner are given.
        RuntimeError: The runtime's package is not installed.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        runner: Runner | None = None,
        threads: int = 0,
        runtime: str = "onnx",
    ):
        if weights is not None and runner is not None:
            raise ValueError("expected weights or a runner, got both")
        if runner is None:
            runner = load_runner(shipped_weights(runtime) if weights is None else weights, runtime, threads)
        self.runner = runner
        told = dict(runner.metadata)
        classes = tuple(json.loads(told.get("classes", "[]")))
        if classes not in (EXPRESSIONS, FERPLUS_EXPRESSIONS) or "input_size" not in told:
            got = ", ".join(classes) or "no classes"
            raise ValueError(f"expected a network of the classes {', '.join(EXPRESSIONS)}, got one of {got}")
        self.classes = classes
        self.input_size = int(told["input_size"])
        self.temperature = float(told.get("temperature", 1))

    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Gives the probabilities.

        Args:
            crops: Face crops uint8, gray [H, W] or BGR [H, W, 3], of any sizes.

        Returns:
            float32 [N, 7] in the order of EXPRESSIONS; every row sums to 1. No crops give [0, 7].

        Raises:
            ValueError: A crop is not uint8 or has no pixels.
        """
        parts = [np.zeros((0, len(EXPRESSIONS)), np.float32)]
        for start in range(0, len(crops), BATCH):
            batch = faces_to_batch(crops[start : start + BATCH], self.input_size)
            logits = self.runner(batch)[0][:, : len(EXPRESSIONS)]
            parts.append(softmax(logits / np.float32(self.temperature)))
        return np.concatenate(parts)


def shipped_weights(runtime: str = "onnx") -> Path:
    """The expression network that ships, as the file that a runtime reads."""
    return WEIGHTS.with_suffix(".safetensors") if runtime in ("paddle", "dynamic") else WEIGHTS


def load_classifier(
    weights: str | os.PathLike[str] | None = None, runtime: str | None = None, threads: int = 0
) -> Classifier:
    """Makes a Classifier from any file of an expression network.

    Args:
        weights: The file; None takes the one that ships.
        runtime: One of deployment.runtimes.RUNTIMES; None takes the one that the file was made for: ONNX Runtime for
            `.onnx`, Paddle for `.safetensors`, and so on.
        threads: Threads of the runtime; 0 lets it choose.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is of no kind that the runtime reads, or damaged.
        RuntimeError: The runtime's package is not installed.
    """
    suffix = ".onnx" if weights is None else Path(weights).suffix.lower()
    if runtime is None and suffix not in RUNTIME_FOR:
        raise ValueError(f"expected weights as {', '.join(RUNTIME_FOR)}, got {weights}")
    return Classifier(weights, threads=threads, runtime=runtime or RUNTIME_FOR[suffix])


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(logits) over their sum along the last axis, safe for large logits; float32 [..., C]."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
