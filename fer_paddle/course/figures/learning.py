"""Figures of training and of what a trained network tells: gradients, epochs, losses, schedules, teachers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.course.figures.canvas import (
    BLUE,
    GREEN,
    LINE,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    SMALL,
    SOFT,
    Canvas,
    Label,
    Say,
)
from fer_paddle.expression.curve_cases import CASES
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.training.optim import make_schedule


def cross_entropy(say: Say) -> Canvas:
    """Logits, probabilities and the loss of one face."""
    draw = Canvas(600, 316, say)
    logits = np.array([0.4, -1.2, 0.3, 2.6, -0.5, 0.9, 1.1])
    probs = softmax(logits[None])[0]
    right = EXPRESSIONS.index("happy")
    draw.text(190, 22, "logits z")
    draw.text(400, 22, "probabilities p")
    for row, (name, logit, prob) in enumerate(zip(EXPRESSIONS, logits, probs)):
        y = 54 + 33 * row
        color = "#f0a35e" if row == right else "#9cc7e8"
        draw.text(84, y, name, anchor="end", bold=row == right)
        draw.area(170 + min(logit, 0) * 32, y - 9, abs(logit) * 32, 18, color)
        draw.text(286, y, f"{logit:.1f}".replace("-", "−"), SMALL, SOFT, "end")
        draw.area(340, y - 9, prob * 160, 18, color)
        draw.text(346 + prob * 160, y, f"{prob:.2f}", SMALL, SOFT, "start")
    draw.line((170, 38), (170, 268), color=SOFT, width=1)
    draw.arrow((296, 152), (330, 152))
    draw.text(300, 294, ("happy is right: loss = −ln {} = {}", f"{probs[right]:.2f}", f"{-np.log(probs[right]):.2f}"))
    return draw


def curves(say: Say) -> Canvas:
    """The five cases of training and validation loss."""
    draw = Canvas(600, 368, say)
    times = np.linspace(0, 1, 25)
    shapes = {
        "falls": 70 * np.exp(-2.6 * times) + 12,
        "flat": 64 + 2 * np.sin(12 * times),
        "rises": 34 + 46 * times**1.6,
    }
    late = {"flat": 40 + 42 * np.exp(-6 * times), "rises": 34 + 48 * np.exp(-6 * times) + 30 * times**2}
    titles = ("still learning", "overfitting", "wrong data", "stuck", "wrong settings")
    for at, (case, title) in enumerate(zip(CASES, titles)):
        x, y = (24 + 196 * at, 150) if at < 3 else (122 + 196 * (at - 3), 326)
        # Behind a training loss that falls, a validation loss falls first, too.
        other = late.get(case.test[-1]) if case.train == "falls" else None
        draw.axes(x, y, 164, 108)
        draw.text(x + 82, y - 126, title, bold=True)
        draw.line(*zip(x + 6 + 146 * times, y - shapes[case.train]), color=BLUE, width=2.5)
        valid = shapes[case.test[-1]] + 8 if other is None else other
        draw.line(*zip(x + 6 + 146 * times, y - valid), color=ORANGE, width=2.5)
    draw.line((20, 352), (46, 352), color=BLUE, width=3)
    draw.text(52, 352, "training loss", SMALL, anchor="start")
    draw.line((180, 352), (206, 352), color=ORANGE, width=3)
    draw.text(212, 352, "validation loss", SMALL, anchor="start")
    draw.text(586, 352, "across: epochs", SMALL, SOFT, "end")
    return draw


def schedules(say: Say) -> Canvas:
    """Learning rates over the steps of a run, by the library's schedules."""
    draw, steps = Canvas(600, 300, say), 100
    draw.axes(30, 262, 400, 240, "steps", "learning rate")
    lines: tuple[tuple[Label, str, object], ...] = (
        ("constant", SOFT, 1.0),
        ("halve", GREEN, make_schedule("halve", 1.0, steps, points=(25,))),
        ("multi_step", PURPLE, make_schedule("multi_step", 1.0, steps, points=(50, 80))),
        ("warm-up, cosine", ORANGE, make_schedule("cosine", 1.0, steps, warmup_steps=10)),
        ("one_cycle", BLUE, make_schedule("one_cycle", 1.0, steps)),
    )
    for row, (name, color, schedule) in enumerate(lines):
        rates = _follow(schedule, steps)
        draw.line(*((30 + 3.8 * at, 262 - 200 * rate) for at, rate in enumerate(rates)), color=color, width=2.5)
        draw.line((446, 60 + 40 * row), (470, 60 + 40 * row), color=color, width=4)
        draw.text(476, 60 + 40 * row, name, SMALL + 1, anchor="start")
    return draw


def gradcam(say: Say) -> Canvas:
    """Grad-CAM: maps weighed by their mean slopes, summed, cut at zero, laid over the face."""
    draw = Canvas(600, 236, say)
    maps = np.array(
        [
            [[0, 0, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 3, 3, 0]],
            [[0, 1, 1, 0], [2, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]],
            [[3, 2, 2, 3], [1, 0, 0, 1], [2, 0, 0, 2], [3, 1, 1, 3]],
        ]
    )
    weights = np.array([0.8, 0.4, -0.5])
    heat = np.maximum(np.tensordot(weights, maps, 1), 0)
    for at, (each, weight) in enumerate(zip(maps, weights)):
        x = 20 + 124 * at
        _shade(draw, x, 60, 84, each / 3, BLUE)
        draw.text(x + 42, 40, f"A{'₁₂₃'[at]}")
        draw.text(x + 42, 168, ("× {}", f"{weight:+.1f}".replace("-", "−")))
        draw.text(x + 104, 102, "+" if at < 2 else "=")
    _shade(draw, 400, 60, 84, heat / heat.max(), RED)
    draw.text(442, 40, "ReLU(Σ αA)")
    draw.arrow((488, 102), (506, 102))
    _shade(draw, 508, 60, 84, heat / heat.max(), RED)
    draw.face(510, 62, 80, 1, fill="none")
    draw.text(190, 204, "α: how much the class grows with the map, mean slope", SMALL, SOFT)
    draw.text(500, 168, "where it looks", SMALL, SOFT)
    return draw


def _follow(schedule: object, steps: int) -> list[float]:
    """Return the rate of each step."""
    rates = []
    for _ in range(steps):
        rates.append(float(schedule()) if callable(schedule) else float(schedule))  # type: ignore[arg-type]
        if callable(schedule):
            schedule.step()  # type: ignore[attr-defined]
    return rates


def _shade(draw: Canvas, x: float, y: float, side: float, values: Sequence[Sequence[float]], color: str) -> None:
    """Draw a map of values 0 to 1, the larger the darker."""
    cell = side / len(values)
    low, high = (np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) for code in (PAPER, color))
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            mixed = (low + 0.8 * float(value) * (high - low)).round().astype(int)
            fill = "#" + "".join(f"{channel:02x}" for channel in mixed)
            draw.area(x + column * cell, y + row * cell, cell, cell, fill, LINE)


FIGURES = (cross_entropy, curves, schedules, gradcam)
