"""Balanced sampling: shares, whole passes, and the order that a resumed run finds again."""

from __future__ import annotations

import numpy as np
import pytest

from fer_paddle.training.loader import BalancedSampler

LABELS = np.repeat([0, 1, 3], [60, 30, 10])  # no face of class 2


def drawn(power, epoch=0, **arguments):
    sampler = BalancedSampler(LABELS, power, 10, seed=1, **arguments)
    return np.concatenate([sampler.batch(epoch, step) for step in range(len(sampler))])


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (0.0, [60, 30, 0, 10]),
        (1.0, [33, 34, 0, 33]),
        (0.5, [46, 33, 0, 21]),  # proportional to sqrt(60), sqrt(30), sqrt(10)
    ],
)
def test_shares_of_the_classes(power, expected):
    np.testing.assert_allclose(np.bincount(LABELS[drawn(power)]), expected, atol=2)


def test_faces_of_a_class_come_equally_often():
    times = np.bincount(drawn(1.0), minlength=100)
    for label in (0, 1, 3):
        assert np.ptp(times[LABELS == label]) <= 1
    assert times[LABELS == 3].min() == 3  # 33 of ten faces
    np.testing.assert_array_equal(np.bincount(drawn(0.0)), 1)  # every face once


def test_the_order_depends_on_seed_and_epoch_alone():
    np.testing.assert_array_equal(drawn(0.7, epoch=4), drawn(0.7, epoch=4))
    assert not np.array_equal(drawn(0.7, epoch=4), drawn(0.7, epoch=5))
    sampler = BalancedSampler(LABELS, 0.7, 10, seed=1)
    sampler.set_epoch(4, first_step=3)  # resumed after three steps
    np.testing.assert_array_equal(np.concatenate(list(sampler)), drawn(0.7, epoch=4)[30:])


def test_two_processes_see_the_batches_of_one():
    parts = [BalancedSampler(LABELS, 1.0, 5, 1, rank, world=2).batch(2, 3) for rank in range(2)]
    assert parts[0] + parts[1] == BalancedSampler(LABELS, 1.0, 10, 1).batch(2, 3)


@pytest.mark.parametrize("power", [-0.1, 1.1])
def test_a_power_out_of_range(power):
    with pytest.raises(ValueError, match="expected a power from 0 to 1"):
        BalancedSampler(LABELS, power, 10)
