"""Cases of notebook 08."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.analysis.complexity import count_flops
from fer_paddle.course.checks import Between, Case, then
from fer_paddle.environment import paddle


def exercise_1(multiply_adds: Callable[..., Any]) -> Iterator[Case]:
    """Multiply-adds of two convolutions, by the library."""
    for side, channels, filters in ((20, 64, 128), (20, 64, 64), (12, 8, 24)):
        pair = paddle.nn.Sequential(
            paddle.nn.Conv2D(channels, filters, 3, padding=1), paddle.nn.Conv2D(filters, channels, 3, padding=1)
        )
        expected = int(count_flops(pair, (1, channels, side, side)))
        call = partial(multiply_adds, side, channels, filters)
        yield Case(f"multiply_adds({side}, {channels}, {filters})", call, expected)


def exercise_2(random_scores: Callable[..., Any]) -> Iterator[Case]:
    """Scores that have nothing to do with the weights and differ from call to call."""
    weights = np.random.default_rng(0).normal(size=(2000, 4, 3, 3)) * np.linspace(0.1, 1, 2000)[:, None, None, None]

    def correlate(one: Any, other: Any) -> float:
        return float(abs(np.corrcoef(np.asarray(one, float), np.asarray(other, float))[0, 1]))

    scores, by_size = partial(random_scores, weights), np.abs(weights).mean(axis=(1, 2, 3))
    yield Case("len(random_scores(weights of 2000 filters))", then(scores, len), 2000)
    yield Case("correlation with L1", lambda: correlate(scores(), by_size), Between(0, 0.12))
    yield Case("correlation of two calls", lambda: correlate(scores(), scores()), Between(0, 0.12))


def exercise_3(split_gain: Callable[..., Any]) -> Iterator[Case]:
    """What training gave the whole network, and what pruning cost."""
    for whole, whole_tuned, half_tuned in ((0.78, 0.89, 0.45), (0.60, 0.66, 0.64)):
        call = partial(split_gain, whole, whole_tuned, half_tuned)
        expected = (whole_tuned - whole, whole_tuned - half_tuned)
        yield Case(f"split_gain({whole}, {whole_tuned}, {half_tuned})", call, expected, 1e-6)


def exercise_4(normalize_anew: Callable[..., Any]) -> Iterator[Case]:
    """Features whose mean and spread pruning has changed, by the statistics of their own batch."""
    rng = np.random.default_rng(9)
    for channels in (2, 5):
        shape = (6, channels, 4, 4)
        features = rng.normal(size=shape) * rng.uniform(0.2, 3, (channels, 1, 1)) + rng.normal(size=(channels, 1, 1))
        features = features.astype(np.float32)
        norm = paddle.nn.BatchNorm2D(channels)
        norm.train()
        expected = norm(paddle.to_tensor(features)).numpy()
        yield Case(
            f"normalize_anew(features of {channels} channels)", partial(normalize_anew, features), expected, 1e-3
        )
