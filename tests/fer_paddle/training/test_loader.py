"""The order of the samples: of seed and epoch alone, from any step on, shared by processes; and errors."""

from __future__ import annotations

import multiprocessing
import threading

import cv2
import numpy as np
import pytest

from fer_paddle.training.loader import EpochSampler, make_loader


def epoch_of(sampler, epoch, first_step=0):
    sampler.set_epoch(epoch, first_step)
    return list(sampler)


@pytest.mark.parametrize(
    ("length", "batch_size", "world", "expected"),
    [
        # samples, of one process's batch, processes -> batches of each process, without shuffling
        (4, 2, 1, [[[0, 1], [2, 3]]]),
        (5, 2, 1, [[[0, 1], [2, 3], [4]]]),  # the last batch is smaller
        (1, 8, 1, [[[0]]]),
        (8, 2, 2, [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]),
        (7, 2, 2, [[[0, 1], [4, 5]], [[2, 3], [6]]]),
        (5, 2, 2, [[[0, 1], [4]], [[2, 3]]]),  # the second process has no share of the last batch
        (3, 2, 2, [[[0, 1]], [[2]]]),
    ],
)
def test_in_order(length, batch_size, world, expected):
    samplers = [EpochSampler(length, batch_size, False, rank=rank, world=world) for rank in range(world)]
    assert [list(sampler) for sampler in samplers] == expected
    assert [len(sampler) for sampler in samplers] == [len(batches) for batches in expected]


def test_shuffled_order_is_of_seed_and_epoch_alone():
    first, second = EpochSampler(23, 4, True, seed=1), EpochSampler(23, 4, True, seed=1)
    epoch_of(second, 7)  # what it did before does not matter
    np.random.seed(3)
    assert epoch_of(first, 2) == epoch_of(second, 2)
    assert epoch_of(first, 2) != epoch_of(first, 3)
    assert epoch_of(first, 2) != epoch_of(EpochSampler(23, 4, True, seed=2), 2)


def test_shuffled_batches_are_full_and_without_repeats():
    batches = epoch_of(EpochSampler(23, 4, True), 0)
    seen = [index for batch in batches for index in batch]
    assert [len(batch) for batch in batches] == [4] * 5  # three samples are left out, others in each epoch
    assert len(set(seen)) == 20 and set(seen) <= set(range(23))


@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_can_begin_at_any_step(shuffle):
    sampler = EpochSampler(22, 4, shuffle, seed=5)
    whole = epoch_of(sampler, 1)
    for step in range(len(whole) + 1):
        assert epoch_of(sampler, 1, step) == whole[step:]
    assert [sampler.batch(1, step) for step in range(len(whole))] == whole
    assert len(sampler) == len(whole)


@pytest.mark.parametrize("shuffle", [True, False])
def test_two_processes_share_the_batches_of_one(shuffle):
    one = EpochSampler(20, 4, shuffle, seed=1)
    two = [EpochSampler(20, 2, shuffle, seed=1, rank=rank, world=2) for rank in (0, 1)]
    parts = zip(*(epoch_of(sampler, 3) for sampler in two))
    assert [first + second for first, second in parts] == epoch_of(one, 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0, 4, False), "at least one sample"),
        ((4, 0, False), "batch size of at least 1, got 4 and 0"),
        (
            (3, 4, True),
            "expected at least 4 samples for batches of 4, got 3; use a smaller batch .--batch-size of train",
        ),
        ((7, 4, True, 0, 0, 2), "expected at least 8 samples for batches of 8, got 7"),
        (
            (4, 4, False, 0, 1, 2),
            "expected at least 5 samples for batches of 8, got 4",
        ),  # nothing for the second
    ],
)
def test_too_few_samples(arguments, says):
    with pytest.raises(ValueError, match=says):
        EpochSampler(*arguments)


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_gives_batches_of_the_chosen_epoch(workers, tiny_run):
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


def test_loader_with_a_collate_function(tiny_run):
    loader = make_loader(tiny_run.TinyData(5), 2, shuffle=False, collate=lambda samples: np.array([len(samples)]))
    assert [batch.tolist() for batch in loader] == [[2], [2], [1]]


class BadPicture:
    """Ten samples of which the sixth cannot be read."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == 5:
            raise ValueError("expected a picture, got a letter")
        return np.float32([index]), (np.int64(1), np.zeros(2, np.float32))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_data_set_is_raised_in_its_place(workers):
    """paddle.io.DataLoader ends the epoch early, or hangs, or says `Blocking queue is killed`."""
    batches = iter(make_loader(BadPicture(), 2, shuffle=False, workers=workers))
    images, (labels, votes) = next(batches)
    assert (images.tolist(), labels.tolist(), votes.shape) == ([[0], [1]], [1, 1], [2, 2])
    next(batches)
    with pytest.raises(ValueError, match="expected a picture, got a letter"):
        next(batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_left_in_mid_epoch_ends_its_readers(workers, tiny_run):
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
        loader = make_loader(ResizedSquares(), 4, shuffle=False, workers=1)
        assert [batch.shape for batch in loader] == [[4, 8, 8], [2, 8, 8]]
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(threads)


class ResizedSquares:
    """Six squares, each resized by OpenCV when it is read."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return cv2.resize(np.full((600, 600), index, np.uint8), (8, 8), interpolation=cv2.INTER_AREA)
