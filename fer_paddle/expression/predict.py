"""Face crops in, probabilities of expressions (or of a user's own classes) out. Starts without Paddle."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.deployment.runtimes import Runner, check_outputs, load_runner, network_file, used_as
from fer_paddle.files import is_number
from fer_paddle.images import FER_MEAN, FER_STD, check_crops, predict

NORMALIZE = {"mean": FER_MEAN, "std": FER_STD}  # what images.normalize does in training and in every runtime
MAX_SIDE = 4096  # as on the command line
INPUT = "gray face crop, float32 [N, 1, size, size], (pixel / 255 - mean) / std"


@dataclass(frozen=True)
class ClassifierSettings:
    """How to use an expression network."""

    classes: tuple[str, ...]  # names of its outputs, two or more, all different
    input_size: int  # side in pixels of the faces it was trained for
    temperature: float = 1.0  # its logits are divided by this before the softmax
    model: str = ""  # name of the network in MODELS
    # class shares that its probabilities assume, those of its training faces; empty where unknown
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        classes = self.classes
        are_names = isinstance(classes, (list, tuple)) and all(isinstance(name, str) and name for name in classes)
        if not are_names or len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"expected classes as two or more different names, got {classes!r}")
        if not is_number(self.input_size, Integral) or not 1 <= self.input_size <= MAX_SIDE:
            raise ValueError(f"expected input_size in pixels, 1 to {MAX_SIDE}, got {self.input_size!r}")
        if not is_number(self.temperature) or not 0 < self.temperature < math.inf:
            raise ValueError(f"expected a finite temperature above 0, got {self.temperature!r}")
        object.__setattr__(self, "classes", tuple(classes))
        object.__setattr__(self, "prior", () if self.prior == () else check_prior(self.prior, len(classes)))

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> ClassifierSettings:
        """Read the card of a network; ValueError where something is missing or wrong."""
        if missing := [name for name in ("model", "input_size", "classes", "normalize") if name not in card]:
            raise ValueError(f"expected the card of an expression network, it lacks {', '.join(missing)}")
        if card["normalize"] != NORMALIZE:
            raise ValueError(f"expected a network for pixels normalized by {NORMALIZE}, got {card['normalize']}")
        return cls(
            card["classes"], card["input_size"], card.get("temperature", 1.0), card["model"], card.get("prior", ())
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ClassifierSettings:
        """Read the metadata of a deployed file; ValueError where something is missing or wrong."""
        if missing := [name for name in ("classes", "input_size") if name not in metadata]:
            raise ValueError(f"expected the file of an expression network, its metadata lack {', '.join(missing)}")
        names = ("classes", "input_size", "temperature", "prior", "mean", "std")
        try:
            values = {name: json.loads(metadata[name]) for name in names if name in metadata}
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected {', '.join(names)} as JSON in the metadata, got: {error}") from error
        normalize = {name: values.pop(name, default) for name, default in NORMALIZE.items()}
        return cls.from_card({**values, "normalize": normalize, "model": metadata.get("model", "")})

    def to_metadata(self) -> dict[str, str]:
        """Return the text that a deployed file carries."""
        metadata = {
            "model": self.model,
            "classes": json.dumps(self.classes),
            "input_size": str(self.input_size),
            "input": INPUT,
            **{name: str(value) for name, value in NORMALIZE.items()},
        }
        metadata |= {"temperature": str(self.temperature)} if self.temperature != 1 else {}
        return metadata | ({"prior": json.dumps(self.prior)} if self.prior else {})


def check_prior(prior: Any, count: int) -> tuple[float, ...]:
    """Return class shares scaled to a sum of 1; ValueError where they are not `count` finite numbers above 0."""
    numbers = isinstance(prior, (list, tuple)) and all(map(is_number, prior))
    if not numbers or len(prior) != count or not all(0 < share < math.inf for share in prior):
        raise ValueError(f"expected a prior of {count} finite class shares above 0, got {prior!r}")
    return tuple(float(share / sum(prior)) for share in prior)


TASK = "expression"
DEFAULT = "vgg8.photos"
COURSE = "distresnet.fer2013"  # the network of chapter 4, which the course makes smaller and exports
WEIGHTS = Path(__file__).parents[1] / "weights" / f"{COURSE}.onnx"
LOADER = "fer_paddle.expression.files:ExpressionModel.load"  # imports Paddle


class Classifier:
    """Name the expressions of faces, or the classes of any crops that the network was trained on, such as mouths.

    Args:
        weights: A network that ships, by name (`fer_paddle.list_models()`), or a file that the runtime reads, such as
            `python -m fer_paddle export` writes; None takes DEFAULT.
        runner: Used instead of a file: a loaded network whose metadata holds `input_size` and `classes`.
        threads: Threads of the runtime; 0 lets it choose.
        runtime: What runs the file, one of deployment.runtimes.RUNTIMES; None takes the one that the file was made
            for: ONNX Runtime for `.onnx`, Paddle for `.safetensors`, and so on.
        prior: Class shares to expect in your images, by name, above 0, for every class, or "uniform": each probability
            is multiplied by its share over that of the training (`settings.prior`). None answers as the network
            learned. Source: Menon et al. 2021, arXiv:2007.07314.
        flip: Answer with the mean of each crop and its mirror image, in twice the time; see docs/results.md.

    Attributes:
        classes: What the columns of the answer mean: EXPRESSIONS, or whatever the network was trained on.
        settings: What the network's file says of itself: classes, input size and temperature.

    Raises:
        FileNotFoundError: There is no weights file.
        ValueError: The file is not one of an expression network that the runtime reads, its metadata are wrong, name
            or runtime are unknown, or both a file and a runner are given.
        RuntimeError: The runtime's package is not installed.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        runner: Runner | None = None,
        threads: int = 0,
        runtime: str | None = None,
        prior: Mapping[str, float] | str | None = None,
        flip: bool = False,
    ):
        if weights is not None and runner is not None:
            raise ValueError("expected weights or a runner, got both")
        path = classifier_file(weights, runtime) if runner is None else "the runner"
        self.runner = load_runner(path, runtime, threads, loader=LOADER) if runner is None else runner
        with used_as(TASK, self.runner.metadata, path):
            self.settings = ClassifierSettings.from_metadata(self.runner.metadata)
            if runner is None:
                size, count = self.settings.input_size, len(self.settings.classes)
                check_outputs(self.runner, (1, size, size), count)
        self.classes = self.settings.classes
        self.input_size = self.settings.input_size
        self.flip, self.prior_ratios = flip, None if prior is None else self._prior_ratios(prior)

    def __call__(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Name the classes of crops, uint8 [H, W] or [H, W, 3] in BGR, of any sizes: float32 [N, C], rows sum to 1.

        ValueError: A crop is no such image, or the weights answer NaN.
        """
        check_crops(crops)
        if not len(crops):
            return np.zeros((0, len(self.classes)), np.float32)
        probs = predict(self._probs, crops, self.input_size)
        if self.prior_ratios is not None:
            probs = probs * self.prior_ratios
            probs /= probs.sum(axis=1, keepdims=True)
        if not np.isfinite(probs).all():
            raise ValueError("expected finite probabilities, got NaN: the weights are damaged")
        return probs

    def _probs(self, batch: np.ndarray) -> np.ndarray:
        """Return the probabilities of a batch [N, 1, S, S], with `flip` the mean of it and its mirror image."""
        views = (batch, np.ascontiguousarray(batch[..., ::-1])) if self.flip else (batch,)
        temperature = np.float32(self.settings.temperature)
        return np.mean([softmax(self.runner(view)[0] / temperature) for view in views], axis=0)

    def _prior_ratios(self, prior: Mapping[str, float] | str) -> np.ndarray:
        """Return what each probability is multiplied by, float32 [C]."""
        classes = self.classes
        if not self.settings.prior:
            raise ValueError("expected a network whose file names the class shares of its training, for a prior")
        if prior == "uniform":
            prior = dict.fromkeys(classes, 1.0)
        if not isinstance(prior, Mapping) or set(prior) != set(classes):
            raise ValueError(f"expected a prior 'uniform' or a share for each of {', '.join(classes)}, got {prior!r}")
        expected = check_prior([prior[name] for name in classes], len(classes))
        return np.divide(expected, self.settings.prior, dtype=np.float32)

    def name(self, crop: np.ndarray) -> str:
        """Return the likeliest class of one crop."""
        return self.classes[int(self([crop])[0].argmax())]


def classifier_file(weights: str | os.PathLike[str] | None = None, runtime: str | None = None) -> Path:
    """Return the file of a network that ships, by name, as a runtime reads it; a path stays as it is."""
    return network_file(DEFAULT if weights is None else weights, TASK, runtime)
