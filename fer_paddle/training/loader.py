"""Batches in an order that depends on the seed and the epoch alone, so that a run can be resumed exactly."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fer_paddle.environment import paddle


class EpochSampler(paddle.io.BatchSampler):
    """Index batches of one process: the same order for the same (seed, epoch), from any step on.

    With several processes every global batch is cut into consecutive parts, so that together they see exactly the
    batches of one process with `batch_size * world`.

    Args:
        length: Samples in the data set.
        batch_size: Samples of one batch in this process.
        shuffle: Draw a new order each epoch; then the last incomplete global batch is left out. Otherwise every
            sample comes once, in order, and the last batch may be smaller, or be missing in some processes.
        seed: Seed of the order.
        rank: Number of this process, 0 to world - 1.
        world: Number of processes.

    Raises:
        ValueError: There are too few samples for one step in every process.
    """

    def __init__(self, length: int, batch_size: int, shuffle: bool, seed: int = 0, rank: int = 0, world: int = 1):
        if batch_size < 1 or length < 1:
            raise ValueError(
                f"expected at least one sample and a batch size of at least 1, got {length} and {batch_size}"
            )
        needed = batch_size * world if shuffle else batch_size * (world - 1) + 1
        if length < needed:
            raise ValueError(
                f"expected at least {needed} samples for batches of {batch_size * world}, got {length}; use a smaller batch"
            )
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.rank, self.world = rank, world
        self.epoch, self.first_step = 0, 0

    def __len__(self) -> int:
        """Steps of a whole epoch, from whichever step the next iteration begins."""
        global_batch = self.batch_size * self.world
        if self.shuffle:
            return self.length // global_batch
        return -(-(self.length - self.rank * self.batch_size) // global_batch)

    def batch(self, epoch: int, step: int) -> list[int]:
        """Gives the sample indices of one step of one epoch, for this process."""
        return self._cut(self._order(epoch), step)

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """Chooses the epoch that the next iteration runs over, and the step it begins with."""
        self.epoch, self.first_step = epoch, first_step

    def __iter__(self) -> Iterator[list[int]]:
        """Gives the index batches of the chosen epoch from the chosen step on."""
        order = self._order(self.epoch)
        for step in range(self.first_step, len(self)):
            yield self._cut(order, step)

    def _order(self, epoch: int) -> np.ndarray:
        if self.shuffle:
            return np.random.default_rng((self.seed, epoch)).permutation(self.length)
        return np.arange(self.length)

    def _cut(self, order: np.ndarray, step: int) -> list[int]:
        start = (step * self.world + self.rank) * self.batch_size
        return order[start : start + self.batch_size].tolist()


def make_loader(
    dataset: Any,
    batch_size: int,
    shuffle: bool,
    seed: int = 0,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
    collate: Callable[[Sequence[Any]], Any] | None = None,
) -> paddle.io.DataLoader:
    """Makes a DataLoader over an EpochSampler.

    Args:
        dataset: Anything with `__len__` and `__getitem__`; where it has `set_epoch`, the loop calls it.
        batch_size: Samples of one batch in this process.
        shuffle: As in EpochSampler.
        seed: As in EpochSampler.
        workers: Reader processes; 0 reads in this one.
        rank: As in EpochSampler.
        world: As in EpochSampler.
        collate: Joins samples to a batch (inputs, targets); None takes Paddle's own.

    Raises:
        ValueError: As in EpochSampler.
    """
    sampler = EpochSampler(len(dataset), batch_size, shuffle, seed, rank, world)
    return paddle.io.DataLoader(
        dataset, batch_sampler=sampler, num_workers=workers, collate_fn=collate, worker_init_fn=_ignore_interrupt
    )


def _ignore_interrupt(worker: int) -> None:
    """Leaves Ctrl-C, which a terminal sends to every process, to the loop: it ends the step, saves, stops reading."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
