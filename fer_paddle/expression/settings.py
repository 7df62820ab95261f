"""Settings of an expression network, in its card and in the metadata of every deployed file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_paddle.images import FER_MEAN, FER_STD

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
        if type(self.input_size) is not int or not 1 <= self.input_size <= MAX_SIDE:
            raise ValueError(f"expected input_size in pixels, 1 to {MAX_SIDE}, got {self.input_size!r}")
        is_number = isinstance(self.temperature, (int, float)) and not isinstance(self.temperature, bool)
        if not is_number or not math.isfinite(self.temperature) or self.temperature <= 0:
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
        if normalize != NORMALIZE:
            raise ValueError(f"expected a network for pixels normalized by {NORMALIZE}, got {normalize}")
        return cls(**values, model=metadata.get("model", ""))

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
    numbers = isinstance(prior, (list, tuple)) and all(type(share) in (int, float) for share in prior)
    if not numbers or len(prior) != count or not all(0 < share < math.inf for share in prior):
        raise ValueError(f"expected a prior of {count} finite class shares above 0, got {prior!r}")
    return tuple(share / sum(prior) for share in prior)
