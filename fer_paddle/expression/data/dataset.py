"""Labelled faces as the samples a network trains on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_paddle import images
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.training.augment import AugmentConfig, augment_face
from fer_paddle.training.loader import EpochData


class ExpressionData(EpochData):
    """Normalized faces with their labels.

    Args:
        size: Side of the samples in pixels, or pairs (first epoch, side) in rising order, from epoch 0.
        augment: Strengths of the random changes; None takes every face as it is.
        targets: float32 [N, C], probabilities to give in place of the labels; None gives the labels.
        draw: Give one class for certain, drawn by the targets, each epoch anew.
    """

    def __init__(
        self,
        faces: LabelledFaces,
        size: int | Sequence[tuple[int, int]],
        augment: AugmentConfig | None = None,
        seed: int = 0,
        targets: np.ndarray | None = None,
        draw: bool = False,
    ):
        super().__init__(size, seed)
        self.faces, self.augment, self.targets, self.draw = faces, augment, targets, draw
        self.squares = [images.to_square(images.to_gray(image)) for image in faces.images]

    def __len__(self) -> int:
        return len(self.squares)

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return (image float32 [1, size, size], (label int64 [] or probs float32 [C], votes float32 [V]))."""
        if self.augment is None:
            face = images.resize(self.squares[index], self.size)
        else:
            face = augment_face(self.squares[index], self.size, self.augment, self.rng(index))
        label = self.faces.labels[index] if self.targets is None else self._target(index)
        votes = np.zeros(len(FERPLUS_CLASSES), np.float32) if self.faces.votes is None else self.faces.votes[index]
        return images.normalize(face)[None], (label, votes)

    def _target(self, index: int) -> np.ndarray:
        """Return the probabilities of one face, or one class drawn by them, float32 [C]."""
        probs = self.targets[index]  # type: ignore[index]
        if not self.draw:
            return probs
        chance = self.rng(index, 1).random()  # apart from the augmentation's
        drawn = np.searchsorted(np.cumsum(probs), chance * probs.sum(), side="right")
        return np.eye(len(probs), dtype=np.float32)[min(drawn, len(probs) - 1)]
