"""Batches in an order that depends on the seed and the epoch alone, so that a run can be resumed exactly."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.files import check_number
from fer_paddle.training import parallel
from fer_paddle.training.config import side_at, to_stages


class EpochData:
    """Samples that depend on (seed, epoch, index) alone, so that a resumed run sees what an unbroken one sees.

    `size` is their side in pixels, or pairs (first epoch, side) in rising order, from epoch 0.
    """

    def __init__(self, size: int | Sequence[tuple[int, int]], seed: int):
        self.sizes, self.seed = to_stages(size), seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, 0 or more, whose size and random changes the samples have."""
        self.epoch, self.size = epoch, side_at(self.sizes, epoch)

    def rng(self, index: int, *use: int) -> np.random.Generator:
        """Return the random generator of a sample; another for each further `use` of it."""
        return np.random.default_rng((self.seed, self.epoch, index, *use))


class EpochSampler:
    """Index batches of one process: the same order for the same (seed, epoch), from any step on.

    Of `world` processes each, by its `rank`, takes a part of every batch, so that together they see exactly the batches
    of one process with `batch_size * world`. With `shuffle` each epoch has a new order without the last incomplete
    batch; otherwise every sample comes once, in order, and the last batch may be smaller or missing in some processes.
    """

    def __init__(self, length: int, batch_size: int, shuffle: bool, seed: int = 0, rank: int = 0, world: int = 1):
        if batch_size < 1 or length < 1:
            raise ValueError(
                f"expected at least one sample and a batch size of at least 1, got {length} and {batch_size}"
            )
        needed = batch_size * world if shuffle else batch_size * (world - 1) + 1
        if length < needed:
            raise ValueError(
                f"expected at least {needed} samples for batches of {batch_size * world}, got {length}; "
                "use a smaller batch (--batch-size of train)"
            )
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.rank, self.world = rank, world
        self.epoch, self.first_step = 0, 0

    def __len__(self) -> int:
        """Return the steps of a whole epoch, from whichever step the next iteration begins."""
        global_batch = self.batch_size * self.world
        if self.shuffle:
            return self.length // global_batch
        return -(-(self.length - self.rank * self.batch_size) // global_batch)

    def batch(self, epoch: int, step: int) -> list[int]:
        """Return the sample indices of one step of one epoch, for this process."""
        return self._cut(self._order(epoch), step)

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """Choose the epoch that the next iteration runs over, and the step it begins with."""
        self.epoch, self.first_step = epoch, first_step

    def __iter__(self) -> Iterator[list[int]]:
        """Give the index batches of the chosen epoch from the chosen step on."""
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


class BalancedSampler(EpochSampler):
    """Index batches in which rare classes come more often; an epoch has as many samples as without it.

    A class with n of N samples comes in proportion to n ** (1 - power): 0 shows the classes as often as they are, 1 all
    alike. Its samples are gone through in whole passes, so that none comes twice more than another of its class. The
    other arguments are those of EpochSampler.
    """

    def __init__(self, labels: np.ndarray, power: float, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1):
        check_number("power", power, 0, 1)
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


class Loader:
    """Batches of a data set as Paddle tensors, read ahead in a thread or in processes.

    paddle.io.DataLoader does the same, but an error of the data set makes it hang or end the epoch early; here it is
    raised where its batch would have come. `collate` joins samples to a batch of arrays; None stacks each field.
    """

    def __init__(
        self,
        dataset: Any,
        batch_sampler: EpochSampler,
        workers: int = 0,
        collate: Callable[[Sequence[Any]], Any] | None = None,
    ):
        self.dataset, self.batch_sampler, self.workers = dataset, batch_sampler, workers
        self.collate = collate or stack_samples

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        """Give the batches of the epoch that the sampler was set to, from its step on."""
        executor = self._start_readers()
        waiting: deque[Future] = deque()
        try:
            for indices in self.batch_sampler:
                waiting.append(executor.submit(_read_batch, indices))
                if len(waiting) > 2 * max(self.workers, 1):
                    yield _to_tensors(waiting.popleft().result())
            while waiting:
                yield _to_tensors(waiting.popleft().result())
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"expected {self.workers} reader processes, but one of them was ended, as by a crash or for want of "
                "memory; with 0 workers it is this process that reads"
            ) from error
        finally:
            executor.shutdown(cancel_futures=True)

    def _start_readers(self) -> Executor:
        """Start new ones for every epoch: a process sees the data set as it was when the process began."""
        source = (self.dataset, self.collate)
        if self.workers == 0:
            return ThreadPoolExecutor(1, initializer=_start_reader, initargs=source)
        context = get_context("fork" if sys.platform == "linux" else None)  # without a copy of the data set
        # OpenCV's threads do not live through a fork, and a child that waits for them waits for ever: one thread ends
        # them here, and is what each reader has.
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            executor = ProcessPoolExecutor(self.workers, context, _start_process, source)
            executor.submit(os.getpid).result()  # starts all processes
        finally:
            cv2.setNumThreads(threads)
        return executor


def make_loader(
    dataset: Any,
    batch_size: int,
    shuffle: bool,
    seed: int = 0,
    workers: int = 0,
    collate: Callable[[Sequence[Any]], Any] | None = None,
    labels: np.ndarray | None = None,
    power: float = 0.0,
) -> Loader:
    """Make the loader of this process, of batches of `batch_size` samples over all processes together.

    With a power above 0 the classes of `labels` come as in BalancedSampler; the rest is as in EpochSampler and Loader.
    """
    local, ranks = parallel.local_batch(batch_size), (parallel.rank(), parallel.world_size())
    if labels is not None and power:
        return Loader(dataset, BalancedSampler(labels, power, local, seed, *ranks), workers, collate)
    return Loader(dataset, EpochSampler(len(dataset), local, shuffle, seed, *ranks), workers, collate)


def stack_samples(samples: Sequence[Any]) -> Any:
    """Join samples, arrays or tuples of such, to one of the same form with a first axis more."""
    if isinstance(samples[0], (tuple, list)):
        return tuple(stack_samples(fields) for fields in zip(*samples, strict=True))
    return np.stack(samples)


# What a reader reads, one in each reading thread or process.
_source = threading.local()


def _start_reader(dataset: Any, collate: Callable[[Sequence[Any]], Any]) -> None:
    _source.dataset, _source.collate = dataset, collate


def _start_process(dataset: Any, collate: Callable[[Sequence[Any]], Any]) -> None:
    # A terminal sends Ctrl-C to every process; the loop ends its readers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _start_reader(dataset, collate)


def _read_batch(indices: Sequence[int]) -> Any:
    return _source.collate([_source.dataset[index] for index in indices])


def _to_tensors(batch: Any) -> Any:
    """Turn the arrays of a batch, in tuples or not, into tensors."""
    if isinstance(batch, (tuple, list)):
        return tuple(_to_tensors(part) for part in batch)
    return paddle.to_tensor(batch)
