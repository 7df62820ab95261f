"""Cases of notebook 06."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.analysis.calibration import fit_temperature, reliability
from fer_paddle.analysis.complexity import layer_costs, total_costs
from fer_paddle.analysis.metrics import softmax
from fer_paddle.course.checks import Between, Case
from fer_paddle.environment import paddle
from fer_paddle.training.optim import make_schedule


def exercise_1(one_cycle: Callable[..., Any]) -> Iterator[Case]:
    """Rates of all steps, against make_schedule."""
    for peak, steps in ((1e-3, 200), (4e-3, 50)):
        schedule, expected = make_schedule("one_cycle", peak, steps), []
        for _ in range(steps):
            expected.append(schedule())
            schedule.step()
        yield Case(f"one_cycle({peak}, {steps})", partial(one_cycle, peak, steps), np.array(expected), peak * 1e-5)


def exercise_2(cook: Callable[..., Any]) -> Iterator[Case]:
    """Accuracy, ECE and temperature of logits times a factor."""
    rng = np.random.default_rng(6)
    logits = 1.5 * rng.normal(size=(800, 7))
    labels = np.array([rng.choice(7, p=row) for row in softmax(logits)])
    for factor in (1, 3):
        probs = softmax(factor * logits)
        accuracy, ece = (probs.argmax(axis=1) == labels).mean(), reliability(probs, labels).ece
        expected = (float(accuracy), ece, fit_temperature(factor * logits, labels))
        yield Case(f"cook(logits, labels, {factor})", partial(cook, logits, labels, factor), expected, 0.01)


def exercise_3(cover: Callable[..., Any]) -> Iterator[Case]:
    """Images with the hottest part set to zero."""
    rng = np.random.default_rng(7)
    images = rng.normal(size=(3, 1, 8, 8)).astype(np.float32)
    heats = rng.random((3, 8, 8))
    for share in (0.25, 0.5):
        hottest = heats >= np.quantile(heats, 1 - share, axis=(1, 2), keepdims=True)
        expected = np.where(hottest[:, None], 0, images)
        yield Case(f"cover(images, heats, {share})", partial(cover, images, heats, share), expected, 1e-6)


def exercise_4(count: Callable[..., Any]) -> Iterator[Case]:
    """Weights and multiply-adds of both kinds, by the library."""
    nn = paddle.nn
    for a, b, side in ((32, 64, 24), (16, 48, 12)):
        separable = nn.Sequential(
            nn.Conv2D(a, a, 3, padding=1, groups=a, bias_attr=False), nn.Conv2D(a, b, 1, bias_attr=False)
        )
        plain = nn.Sequential(nn.Conv2D(a, b, 3, padding=1, bias_attr=False))
        totals = [total_costs(layer_costs(network, (a, side, side))) for network in (separable, plain)]
        expected = [int(one[name]) for one in totals for name in ("parameters", "flops")]
        yield Case(f"count({a}, {b}, {side})", partial(count, a, b, side), expected)


def exercise_5(faces_needed: Callable[..., Any]) -> Iterator[Case]:
    """Numbers of faces, rounded up or not."""
    for accuracy, width in ((0.7, 0.02), (0.9, 0.01)):
        exact = accuracy * (1 - accuracy) * (2 * 1.96 / width) ** 2
        found = partial(faces_needed, accuracy, width)
        yield Case(f"faces_needed({accuracy}, {width})", found, Between(exact - 1, math.ceil(exact) + 1))
