"""Cases of notebook 05."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case
from fer_paddle.training.optim import make_schedule
from fer_paddle.training.transfer import average_states


def exercise_1(count: Callable[..., Any]) -> Iterator[Case]:
    """Parameters of mini_xception as it is built."""
    from fer_paddle.analysis.complexity import count_parameters
    from fer_paddle.models import build_model

    for classes in (7, 10):
        built = count_parameters(build_model("mini_xception", num_classes=classes))
        yield Case(f"count({classes})", partial(count, classes), built)


def exercise_2(factors: Callable[..., Any]) -> Iterator[Case]:
    """The factor of each part of a batch."""
    for sizes in ([8, 8], [4, 12], [2, 6, 24]):
        yield Case(f"factors({sizes})", partial(factors, sizes), np.array(sizes) / np.sum(sizes), 1e-6)


def exercise_3(rates: Callable[..., Any]) -> Iterator[Case]:
    """Rates of all steps, against make_schedule."""
    for peak, steps, warm, every in ((2e-3, 100, 10, 20), (1e-2, 40, 4, 9)):
        schedule, expected = make_schedule("halve", peak, steps, (every,), warmup_steps=warm), []
        for _ in range(steps):
            expected.append(schedule())
            schedule.step()
        yield Case(
            f"rates({peak}, {steps}, {warm}, {every})",
            partial(rates, peak, steps, warm, every),
            np.array(expected),
            peak * 1e-5,
        )


def exercise_4(average: Callable[..., Any]) -> Iterator[Case]:
    """Weights of two and three networks, by name."""
    rng = np.random.default_rng(5)
    for number in (2, 3):
        states = [{"conv": rng.normal(size=(3, 2)), "bias": rng.normal(size=3)} for _ in range(number)]
        yield Case(f"average({number} states)", partial(average, states), average_states(states), 1e-6)
