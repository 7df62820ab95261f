"""Cases of notebook 09."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from fer_paddle.compression import quant_params
from fer_paddle.course.checks import Case, is_missing, then
from fer_paddle.environment import paddle


def exercise_1(round_trip: Callable[..., Any]) -> Iterator[Case]:
    """Weights after the round trip, a scale a channel or one a layer."""
    weights = (np.random.default_rng(9).normal(size=(4, 3, 3, 3)) * np.logspace(-2, 0, 4)[:, None, None, None]).astype(
        np.float32
    )
    for bits in (8, 4):
        for by_channel in (True, False):
            expected = quant_params.for_weights(weights, 0 if by_channel else None, bits).round_trip(weights)
            call = partial(round_trip, weights, bits, by_channel)
            yield Case(f"round_trip(weights, {bits}, {by_channel})", call, expected, 1e-5)


def exercise_2(same_answers: Callable[..., Any]) -> Iterator[Case]:
    """The share of faces whose class stays."""
    rng = np.random.default_rng(3)
    exact = rng.normal(size=(50, 7))
    for noise in (0.0, 0.3, 2.0):
        other = exact + noise * rng.normal(size=exact.shape)
        expected = float((exact.argmax(axis=1) == other.argmax(axis=1)).mean())
        yield Case(
            f"same_answers(logits, logits with noise {noise})", partial(same_answers, exact, other), expected, 1e-6
        )


def exercise_3(fake_quantize: Callable[..., Any]) -> Iterator[Case]:
    """Values and gradients inside and outside of the range."""
    values = np.linspace(-2, 2, 401).astype(np.float32)
    for threshold in (1.0, 0.5):
        wanted = quant_params.symmetric(threshold).round_trip(values)
        inside = np.abs(values) < threshold
        outside = np.abs(values) > threshold * 1.02  # the lowest integer is one step below
        call = partial(_quantize, fake_quantize, values, threshold)
        yield Case(f"fake_quantize(r, {threshold})", then(call, itemgetter(0)), wanted, 1e-5)
        name = f"|gradient - 1| inside and |gradient| outside of fake_quantize(r, {threshold})"
        yield Case(name, then(call, partial(_largest, inside, outside)), [0.0, 0.0], 1e-5)


def _quantize(fake_quantize: Callable[..., Any], values: np.ndarray, threshold: float) -> Any:
    """Return values and gradients of an answer; the answer itself where it is none."""
    r = paddle.to_tensor(values, stop_gradient=False)
    found = fake_quantize(r, threshold)
    if is_missing(found):
        return found
    found.sum().backward()
    return found.numpy(), np.zeros_like(values) if r.grad is None else r.grad.numpy()


def _largest(inside: np.ndarray, outside: np.ndarray, found: tuple[np.ndarray, np.ndarray]) -> list[float]:
    slopes = found[1]
    return [float(np.abs(slopes[inside] - 1).max()), float(np.abs(slopes[outside]).max())]


def exercise_4(linear_int8: Callable[..., Any]) -> Iterator[Case]:
    """The layer on numbers after the round trip: one scale for x, one an output for w."""
    rng = np.random.default_rng(4)
    for inputs, outputs in ((256, 7), (64, 3)):
        x, w = rng.normal(size=(5, inputs)), rng.normal(size=(inputs, outputs)) * np.logspace(-2, 0, outputs)
        of_x, of_w = quant_params.symmetric(np.abs(x).max()), quant_params.for_weights(w, axis=1)
        expected = of_x.round_trip(x).astype(np.float64) @ of_w.round_trip(w).astype(np.float64)
        yield Case(f"linear_int8(x [5, {inputs}], w [{inputs}, {outputs}])", partial(linear_int8, x, w), expected, 1e-4)
