"""The order of the samples: of seed and epoch alone, from any step on, shared by processes; and errors."""

import multiprocessing
import os
import signal
import threading

import cv2
import numpy as np
import pytest

from fer_paddle.training.loader import BalancedSampler, EpochSampler, make_loader
from tests.fer_paddle.training import tiny_run

LABELS = np.repeat([0, 1, 3], [60, 30, 10])  # no face of class 2


def epoch_of(sampler, epoch, first_step=0):
    sampler.set_epoch(epoch, first_step)
    return list(sampler)


def balanced(power, batch_size=10, rank=0, world=1):
    return BalancedSampler(LABELS, power, batch_size, 1, rank, world)


@pytest.mark.parametrize(
    ("length", "batch_size", "world", "expected"),
    [
        # samples, of one process's batch, processes -> batches of each process, without shuffling
        (4, 2, 1, [[[0, 1], [2, 3]]]),
        (5, 2, 1, [[[0, 1], [2, 3], [4]]]),  # the last batch is smaller
        (1, 8, 1, [[[0]]]),
        (8, 2, 2, [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]),
        (7, 2, 2, [[[0, 1], [4, 5]], [[2, 3], [6]]]),
        (5, 2, 2, [[[0, 1], [4]], [[2, 3]]]),  # the second process has no part of the last batch
        (3, 2, 2, [[[0, 1]], [[2]]]),
    ],
)
def test_in_order(length, batch_size, world, expected):
    samplers = [EpochSampler(length, batch_size, False, rank=rank, world=world) for rank in range(world)]
    assert [list(sampler) for sampler in samplers] == expected
    assert [len(sampler) for sampler in samplers] == [len(batches) for batches in expected]


# Every sampler as (batch size, rank, world) -> sampler of one process; a global batch has 10 samples.
SAMPLERS = {
    "in order": lambda *ranks: EpochSampler(50, ranks[0], False, 1, *ranks[1:]),
    "shuffled": lambda *ranks: EpochSampler(57, ranks[0], True, 1, *ranks[1:]),
    "balanced": lambda *ranks: balanced(0.7, *ranks),
}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_an_order_is_of_seed_and_epoch_alone_and_begins_at_any_step(make):
    sampler = make(10, 0, 1)
    whole = epoch_of(sampler, 4)
    epoch_of(sampler, 7)  # what it did before does not matter
    np.random.seed(3)
    for step in range(len(whole) + 1):
        assert epoch_of(sampler, 4, step) == whole[step:]
    assert [sampler.batch(4, step) for step in range(len(whole))] == whole and len(sampler) == len(whole)
    assert (epoch_of(sampler, 5) == whole) == (make is SAMPLERS["in order"])
    parts = zip(*(epoch_of(make(5, rank, 2), 4) for rank in (0, 1)))
    assert [first + second for first, second in parts] == whole  # two processes share the batches of one


def test_shuffled_batches_are_full_and_without_repeats():
    batches = epoch_of(EpochSampler(23, 4, True), 0)
    seen = [index for batch in batches for index in batch]
    assert [len(batch) for batch in batches] == [4] * 5  # three samples are left out, others in each epoch
    assert len(set(seen)) == 20 and set(seen) <= set(range(23))
    assert batches != epoch_of(EpochSampler(23, 4, True, seed=2), 0)


@pytest.mark.parametrize(
    ("power", "expected"),
    [(0.0, [60, 30, 0, 10]), (1.0, [33, 34, 0, 33]), (0.5, [46, 33, 0, 21])],  # 0.5: as sqrt(60), sqrt(30), sqrt(10)
)
def test_balanced_classes_come_by_their_power_and_their_samples_equally_often(power, expected):
    drawn = np.concatenate(epoch_of(balanced(power), 0))
    np.testing.assert_allclose(np.bincount(LABELS[drawn]), expected, atol=2)
    times = np.bincount(drawn, minlength=100)
    assert max(np.ptp(times[LABELS == label]) for label in (0, 1, 3)) <= 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: EpochSampler(4, 0, False), "batch size of at least 1, got 4 and 0"),
        (
            lambda: EpochSampler(3, 4, True),
            "at least 4 samples for batches of 4, got 3; use a smaller batch .--batch-size",
        ),
        (lambda: EpochSampler(7, 4, True, 0, 0, 2), "expected at least 8 samples for batches of 8, got 7"),
        (lambda: EpochSampler(4, 4, False, 0, 1, 2), "expected at least 5 samples for batches of 8, got 4"),
        (lambda: balanced(-0.1), "expected power in 0..1, got -0.1"),
    ],
)
def test_what_gives_no_batches(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_gives_batches_of_the_chosen_epoch(workers):
    data = tiny_run.TinyData(10)
    loader = make_loader(data, 4, shuffle=True, seed=2, workers=workers)
    for epoch, first_step in ((0, 0), (4, 1)):
        data.set_epoch(epoch)
        loader.batch_sampler.set_epoch(epoch, first_step)
        batches = list(loader)
        assert len(batches) == 2 - first_step
        for (images, labels), indices in zip(batches, loader.batch_sampler):
            expected_images, expected_labels = zip(*(data[index] for index in indices))
            np.testing.assert_array_equal(images.numpy(), np.stack(expected_images))
            np.testing.assert_array_equal(labels.numpy(), expected_labels)


class Squares:
    """Samples resized by OpenCV when they are read, of which the sixth is `damaged`: an error or a crash."""

    def __init__(self, length, damaged=None):
        self.length, self.damaged = length, damaged

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == 5 and self.damaged == "error":
            raise ValueError("expected an image, got a letter")
        if index == 5 and self.damaged == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        square = cv2.resize(np.full((600, 600), index, np.uint8), (8, 8), interpolation=cv2.INTER_AREA)
        return square, (np.int64(1), np.zeros(2, np.float32))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_data_set_is_raised_in_its_place(workers):
    """paddle.io.DataLoader ends the epoch early, or hangs, or says `Blocking queue is killed`."""
    batches = iter(make_loader(Squares(10, "error"), 2, shuffle=False, workers=workers))
    images, (labels, votes) = next(batches)
    assert (images[:, 0, 0].tolist(), labels.tolist(), votes.shape) == ([0, 1], [1, 1], [2, 2])
    next(batches)
    with pytest.raises(ValueError, match="expected an image, got a letter"):
        next(batches)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_reader_that_dies_is_an_error_and_no_wait():
    with pytest.raises(RuntimeError, match="expected 2 reader processes, but one of them was ended"):
        list(make_loader(Squares(60, "crash"), 2, shuffle=False, workers=2))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_left_in_mid_epoch_ends_its_readers(workers):
    before = threading.active_count()
    batches = iter(make_loader(tiny_run.TinyData(40), 2, shuffle=False, workers=workers))
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before
    assert multiprocessing.active_children() == []


def test_readers_start_after_opencv_has_run_its_threads():
    """OpenCV's threads do not live through a fork; a reader that waited for them would never answer."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        cv2.GaussianBlur(np.zeros((2000, 2000), np.uint8), (0, 0), 3)  # large enough for the threads to start
        loader = make_loader(Squares(6), 4, shuffle=False, workers=1)
        assert [images.shape for images, _ in loader] == [[4, 8, 8], [2, 8, 8]]
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(threads)
