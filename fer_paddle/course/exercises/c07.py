"""Cases of notebook 07."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.analysis.complexity import layer_costs, total_costs
from fer_paddle.compression.distill import soft_divergence
from fer_paddle.course.checks import Case
from fer_paddle.environment import paddle


def exercise_1(slope: Callable[..., Any]) -> Iterator[Case]:
    """The gradient of T^2 KL, against Paddle's."""
    rng = np.random.default_rng(7)
    z, v = (row - row.mean() for row in rng.normal(size=(2, 7)).astype(np.float32) * 2)
    for temperature in (1.0, 5.0, 100.0):
        logits = paddle.to_tensor(z[None], stop_gradient=False)
        probs = paddle.nn.functional.softmax(paddle.to_tensor(v[None]) / temperature)
        (expected,) = paddle.grad(temperature**2 * soft_divergence(logits, probs, temperature), logits)
        yield Case(f"slope(z, v, {temperature:g})", partial(slope, z, v, temperature), expected.numpy()[0], 2e-3)


def exercise_2(count: Callable[..., Any]) -> Iterator[Case]:
    """Weights of both layers, by the library."""
    for a, b in ((32, 128), (32, 32), (64, 40)):
        layers = (((a, a, 3, a), (a, b, 1, 1)), ((a, b // 4, 1, 1), (b // 4, b // 4, 3, 1), (b // 4, b, 1, 1)))
        expected = [_count_weights(shapes, a) for shapes in layers]
        yield Case(f"count({a}, {b})", partial(count, a, b), expected)


def _count_weights(shapes: tuple[tuple[int, int, int, int], ...], channels: int) -> int:
    """Count the weights of convolutions given by their inputs, outputs, kernel and groups."""
    layers = [
        paddle.nn.Conv2D(a, b, kernel, padding=kernel // 2, groups=groups, bias_attr=False)
        for a, b, kernel, groups in shapes
    ]
    return int(total_costs(layer_costs(paddle.nn.Sequential(*layers), (channels, 8, 8)))["parameters"])


def exercise_3(ensemble: Callable[..., Any]) -> Iterator[Case]:
    """Labels by the mean of probabilities."""
    rng = np.random.default_rng(8)
    for number in (2, 3):
        probs = rng.dirichlet(np.full(7, 0.4), size=(number, 30))
        yield Case(f"ensemble({number} teachers)", partial(ensemble, list(probs)), probs.mean(axis=0).argmax(axis=1))


def exercise_4(repaired: Callable[..., Any]) -> Iterator[Case]:
    """The part of the damage that is won back."""
    for clean, noisy, taught in ((0.75, 0.55, 0.65), (0.8, 0.5, 0.5), (0.7, 0.6, 0.72)):
        expected = 1 - (clean - taught) / (clean - noisy)
        call = partial(repaired, clean, noisy, taught)
        yield Case(f"repaired({clean}, {noisy}, {taught})", call, expected, 1e-6)
