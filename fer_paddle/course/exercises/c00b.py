"""Cases of notebook 00b."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case
from fer_paddle.environment import paddle


def exercise_1(relu_gradients: Callable[..., Any]) -> Iterator[Case]:
    """Slopes along W1, b1, W2, b2 of small networks with ReLU, against Paddle's own."""
    for pixels, hidden, classes in ((6, 4, 3), (9, 8, 5)):
        rng = np.random.default_rng(pixels)
        weights = [rng.normal(0, 1, shape) for shape in ((pixels, hidden), hidden, (hidden, classes), classes)]
        x, y = rng.normal(0, 1, (12, pixels)), rng.integers(0, classes, 12)
        w1, b1, w2, b2 = tensors = [paddle.to_tensor(weight, stop_gradient=False) for weight in weights]
        logits = paddle.nn.functional.relu(paddle.to_tensor(x) @ w1 + b1) @ w2 + b2
        paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(y)).backward()
        expected = [tensor.grad.numpy() for tensor in tensors]
        name = f"relu_gradients({pixels} inputs, {hidden} hidden, {classes} classes)"
        yield Case(name, partial(relu_gradients, weights, x, y), expected, 1e-9)


def exercise_2(largest_rate: Callable[..., Any]) -> Iterator[Case]:
    """Losses of three classes: flat, falling, shaking, and falling from far above guessing."""
    flat, falling = [1.09, 1.08, 1.07], [0.58, 0.26, 0.12]
    for losses, expected in (
        ({0.001: flat, 0.1: falling, 10: [51.5, 11.8, 23.1]}, 0.1),
        ({0.1: falling, 0.01: flat, 1: [0.5, 0.1, 0.2]}, 0.1),
        ({0.01: flat, 0.1: falling, 10: [51.5, 40.5, 34.8]}, 0.1),
        ({0.01: flat, 0.1: [0.9, 1.0, 0.8]}, 0.01),
    ):
        yield Case(f"largest_rate({losses})", partial(largest_rate, losses), expected, 1e-9)


def exercise_3(count_steps: Callable[..., Any]) -> Iterator[Case]:
    """Steps where batches come out even, and where the last one is smaller."""
    for faces, size, epochs in ((420, 20, 5), (420, 1, 5), (420, 420, 5), (30, 20, 3), (10, 20, 2)):
        expected = epochs * -(-faces // size)
        yield Case(f"count_steps({faces}, {size}, {epochs})", partial(count_steps, faces, size, epochs), expected)


def exercise_4(read_confusion: Callable[..., Any]) -> Iterator[Case]:
    """Accuracy and the pair that is confused most, both ways together."""
    for name, counts, pair in (
        ("one way", [[8, 1, 1], [0, 10, 0], [0, 4, 6]], {"sad", "surprise"}),
        ("both ways", [[5, 3, 3], [0, 9, 0], [2, 0, 7]], {"happy", "surprise"}),
    ):
        table = np.array(counts)
        expected = (float(np.trace(table) / table.sum()), pair)
        call = partial(read_confusion, table, ["happy", "sad", "surprise"])
        yield Case(f"read_confusion({name}, names)", call, expected, 1e-9)
