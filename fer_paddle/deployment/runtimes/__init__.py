"""Runtimes: a network file as a function of arrays, behind one protocol. None of them needs Paddle's training side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class Runner(Protocol):
    """A loaded network.

    Attributes:
        metadata: What the file says of itself: classes, input size, normalisation.
    """

    metadata: Mapping[str, str]

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs, float32 [N, ...] each."""
        ...
