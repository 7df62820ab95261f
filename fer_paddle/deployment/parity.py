"""Parity: do two runtimes give the same numbers for the same network?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = 32
LARGEST_DIFFERENCE = 1e-4
Forward = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Parity:
    """How far the outputs of a network lie from those of its reference."""

    candidate: str  # what was measured, such as "model.onnx in onnx"
    reference: str  # what it is compared with, such as "Paddle"
    inputs: int  # number of images compared
    description: str  # what they show, such as "drawn faces"
    max_difference: float  # largest absolute difference of any output
    mean_difference: float  # mean absolute difference over all outputs
    top1_agreement: float | None  # ratio of images with the same most likely class

    @property
    def holds(self) -> bool:
        """Return whether no output differs by more than LARGEST_DIFFERENCE; False if one is NaN."""
        return self.max_difference <= LARGEST_DIFFERENCE

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return dataclasses.asdict(self) | {"allowed_difference": LARGEST_DIFFERENCE, "holds": self.holds}


def compare(
    reference: Forward, candidate: Forward, images: np.ndarray, names: tuple[str, str], description: str
) -> Parity:
    """Run a network twice on the same images [N, ...]; ValueError for none, or outputs of other number or shape."""
    if not len(images):
        raise ValueError("expected images to compare on, got none")
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    ours, theirs = ([np.concatenate(parts) for parts in zip(*map(run, batches))] for run in (reference, candidate))
    shapes = [[array.shape for array in arrays] for arrays in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"expected outputs of shapes {shapes[0]} as from {names[0]}, got {shapes[1]}")
    differences = np.concatenate([np.abs(a.astype(np.float64) - b).ravel() for a, b in zip(ours, theirs)])
    is_classes = len(ours) == 1 and ours[0].ndim == 2
    return Parity(
        candidate=names[1],
        reference=names[0],
        inputs=len(images),
        description=description,
        max_difference=float(differences.max()),  # NaN stays
        mean_difference=float(differences.mean()),
        top1_agreement=float((ours[0].argmax(1) == theirs[0].argmax(1)).mean()) if is_classes else None,
    )
