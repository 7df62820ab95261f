"""Cases of notebook 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case, then


def exercise_1(translate: Callable[..., Any]) -> Iterator[Case]:
    """What the translation asks of a node: one layer without settings."""

    def layer(kind: str, params: dict[int, Any] | None = None, *weights: Any) -> tuple[str, int, int]:
        return kind, len(params or {}), len(weights)

    yield Case("translate(node)", partial(translate, SimpleNamespace(layer=layer, settings={})), ("Softplus", 0, 0))


def exercise_2(half_size: Callable[..., Any]) -> Iterator[Case]:
    """Bytes, and the largest relative error, of weights in float16."""
    for count in (100, 1000):
        weights = np.random.default_rng(count).normal(size=count).astype(np.float32)
        half = weights.astype(np.float16)
        error = float(np.abs((half.astype(np.float64) - weights) / weights).max())
        call = partial(half_size, weights)
        yield Case(f"half_size({count} weights)[0]", then(call, itemgetter(0)), half.nbytes)
        yield Case(f"half_size({count} weights)[1]", then(call, itemgetter(1)), error, 1e-5)


def exercise_3(to_pixels: Callable[..., Any]) -> Iterator[Case]:
    """Normalized batches back as gray levels."""
    rng = np.random.default_rng(3)
    for mean, deviation in ((0.5, 0.25), (0.42, 0.21)):
        pixels = rng.integers(0, 256, (2, 1, 4, 4))
        batch = ((pixels / 255 - mean) / deviation).astype(np.float32)
        yield Case(f"to_pixels(batch, {mean}, {deviation})", partial(to_pixels, batch, mean, deviation), pixels, 0.01)


def exercise_4(best_batch: Callable[..., Any]) -> Iterator[Case]:
    """The batch of most images a second among those that are fast enough."""
    times_ms = {1: 2.0, 2: 3.6, 4: 7.0, 8: 13.0, 16: 27.0, 32: 58.0}
    for limit_ms in (2.5, 10.0, 30.0, 100.0):
        allowed = [batch for batch, time_ms in times_ms.items() if time_ms <= limit_ms]
        expected = max(allowed, key=lambda batch: batch / times_ms[batch])
        yield Case(f"best_batch(times_ms, {limit_ms})", partial(best_batch, times_ms, limit_ms), expected)
