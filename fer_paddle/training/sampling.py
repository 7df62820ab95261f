"""Which faces an epoch shows: rare classes oftener, with the exact order that a resumed run needs."""

from __future__ import annotations

import numpy as np

from fer_paddle.training.loader import EpochSampler


class BalancedSampler(EpochSampler):
    """Index batches in which rare classes come oftener; an epoch has as many samples as without it.

    A class with n of N samples gets a share proportional to n ** (1 - power). Its samples are gone through in whole
    passes, so that none comes twice more than another of its class.

    Args:
        labels: int [N], the class of each sample.
        power: 0 shows the classes as often as they are, 1 all alike.
        batch_size: As in EpochSampler.
        seed: As in EpochSampler.
        rank: As in EpochSampler.
        world: As in EpochSampler.

    Raises:
        ValueError: The power is not in 0 to 1, or there are too few samples (see EpochSampler).
    """

    def __init__(self, labels: np.ndarray, power: float, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1):
        if not 0 <= power <= 1:
            raise ValueError(f"expected a power from 0 to 1, got {power}")
        super().__init__(len(labels), batch_size, True, seed, rank, world)
        self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        weights = np.array([len(members) ** (1 - power) for members in self.members])
        ends = np.rint(np.cumsum(weights) / weights.sum() * len(labels)).astype(int)
        self.quotas = np.diff(ends, prepend=0)  # they sum to N

    def _order(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, epoch))
        parts = []
        for members, quota in zip(self.members, self.quotas):
            passes = -(-quota // len(members))
            parts += [np.concatenate([rng.permutation(members) for _ in range(passes)] or [members[:0]])[:quota]]
        return rng.permutation(np.concatenate(parts))
