"""Labelled faces as the samples a network trains on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_paddle import images
from fer_paddle.data.augment import AugmentConfig, augment_face
from fer_paddle.data.expressions import LabelledFaces


class ExpressionData:
    """Normalised faces with their labels; a training sample depends on (seed, epoch, index) alone.

    Args:
        faces: The faces; they are made square gray once, here.
        size: Side of the samples in pixels, or pairs (first epoch, side) in rising order.
        augment: Strengths of the random changes; None takes every face as it is.
        seed: Seed of the random changes.
    """

    def __init__(
        self,
        faces: LabelledFaces,
        size: int | Sequence[tuple[int, int]],
        augment: AugmentConfig | None = None,
        seed: int = 0,
    ):
        self.sizes = ((0, size),) if isinstance(size, int) else tuple(size)
        if not self.sizes or self.sizes[0][0] != 0:
            raise ValueError(f"expected sizes that begin at epoch 0, got {size}")
        self.faces, self.augment, self.seed = faces, augment, seed
        self.squares = [_square_gray(image) for image in faces.images]
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self.squares)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose size and random changes the samples have."""
        self.epoch = epoch
        self.size = [size for first, size in self.sizes if first <= epoch][-1]

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Gives (image float32 [1, size, size], (label int64 [], votes float32 [10], zeros without FER+))."""
        if self.augment is None:
            face = images.resize(self.squares[index], self.size)
        else:
            face = augment_face(self.squares[index], self.size, self.augment, np.random.default_rng((self.seed, self.epoch, index)))
        votes = np.zeros(10, np.float32) if self.faces.votes is None else self.faces.votes[index]
        return images.normalize(face)[None], (self.faces.labels[index], votes)


def _square_gray(image: np.ndarray) -> np.ndarray:
    """Makes a crop gray and square, taking the whole of it; uint8 [S, S]."""
    gray = images.to_gray(image)
    height, width = gray.shape
    return gray if height == width else images.crop_square(gray, np.array([0, 0, width, height], np.float32))
