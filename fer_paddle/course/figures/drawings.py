"""The figures that show what the library computes, drawn from its own numbers."""

from __future__ import annotations

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.compression.quant_params import asymmetric
from fer_paddle.course.figures.canvas import BLUE, GREEN, INK, LINE, ORANGE, PURPLE, RED, SMALL, SOFT, Canvas
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.pose import HeadPose, mean_face, project, to_rotation
from fer_paddle.tracking import OneEuro
from fer_paddle.training.optim import make_schedule, rates_of

_PARTS = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
_CAMERA = 440  # sides of the image before the camera, pixels
_CLOSED = 5  # from this part on: eyes and lips


def cross_entropy() -> Canvas:
    """Logits, probabilities and the loss of one face."""
    draw = Canvas(600, 316)
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
    draw.text(300, 294, f"happy is right: loss = −ln {probs[right]:.2f} = {-np.log(probs[right]):.2f}")
    return draw


def schedules() -> Canvas:
    """Learning rates over the steps of a run, by the library's schedules."""
    draw, steps = Canvas(600, 300), 100
    draw.axes(30, 262, 400, 240, "steps", "learning rate")
    lines = (
        ("constant", SOFT, make_schedule("step", 1.0, steps, points=(steps,))),
        ("halve", GREEN, make_schedule("halve", 1.0, steps, points=(25,))),
        ("multi_step", PURPLE, make_schedule("multi_step", 1.0, steps, points=(50, 80))),
        ("warm-up, cosine", ORANGE, make_schedule("cosine", 1.0, steps, warmup_steps=10)),
        ("one_cycle", BLUE, make_schedule("one_cycle", 1.0, steps)),
    )
    for row, (name, color, schedule) in enumerate(lines):
        rates = rates_of(schedule, steps)
        draw.line(*((30 + 3.8 * at, 262 - 200 * rate) for at, rate in enumerate(rates)), color=color, width=2.5)
        draw.line((446, 60 + 40 * row), (470, 60 + 40 * row), color=color, width=4)
        draw.text(476, 60 + 40 * row, name, SMALL + 1, anchor="start")
    return draw


def soft_argmax() -> Canvas:
    """The place of the maximum is a cell; the center of mass lies between cells."""
    draw, cells, cell = Canvas(600, 288), 7, 34
    truth = np.array([3.4, 2.7])
    places = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1) + 0.5
    raw = -(((places - truth) ** 2).sum(-1))
    mass = softmax(raw.reshape(1, -1))[0].reshape(cells, cells)
    best = np.unravel_index(mass.argmax(), mass.shape)
    center = (mass[..., None] * places).sum((0, 1))
    for row in range(cells):
        for column in range(cells):
            level = round(255 - 150 * mass[row, column] / mass.max())
            draw.area(20 + column * cell, 20 + row * cell, cell, cell, f"#ff{level:02x}{level:02x}", LINE)
    draw.frame(20 + best[1] * cell, 20 + best[0] * cell, cell, cell, BLUE)
    draw.circle(20 + center[0] * cell, 20 + center[1] * cell, 5, INK)
    draw.text(138, 272, "softmax of one map", SMALL, SOFT)
    draw.frame(290, 44, 22, 22, BLUE)
    draw.text(324, 55, "largest cell: whole cells, no gradient", SMALL, anchor="start")
    draw.text(324, 79, f"({best[1] + 0.5:.1f}, {best[0] + 0.5:.1f})", anchor="start")
    draw.circle(301, 135, 6, INK)
    draw.text(324, 135, "center of mass: finer, with a gradient", SMALL, anchor="start")
    draw.text(324, 159, f"({center[0]:.2f}, {center[1]:.2f})", anchor="start")
    draw.text(324, 215, "p = Σ softmax(h) · (x, y)", anchor="start")
    return draw


def pose_axes() -> Canvas:
    """Yaw, pitch and roll of the mean face, by the library's own projection."""
    draw = Canvas(600, 262)
    for at, (name, yaw, pitch, roll) in enumerate((("yaw", 30, 0, 0), ("pitch", 0, 25, 0), ("roll", 0, 0, 20))):
        left = 8 + 198 * at
        pose = HeadPose(yaw, pitch, roll, to_rotation(yaw, pitch, roll), np.array([0.0, 0.0, 6.0]))
        shift = np.array([left + 95 - _CAMERA / 2, 100 - _CAMERA / 2])
        face, nose = mean_face(), mean_face()[30]
        seen = project(face, pose, (_CAMERA, _CAMERA)) + shift
        for part, (first, last) in enumerate(_PARTS):
            outline = [*map(tuple, seen[first:last])]
            draw.line(*outline, *outline[: part >= _CLOSED], color=SOFT, width=2)
        start, *tips = project(np.vstack([nose, nose + 0.7 * np.eye(3)]), pose, (_CAMERA, _CAMERA)) + shift
        for tip, color, axis in zip(tips, (RED, GREEN, BLUE), "xyz"):
            if np.hypot(*(tip - start)) > 12:
                draw.arrow(tuple(start), tuple(tip), color=color, width=3)
                away = tip + (tip - start) / np.hypot(*(tip - start)) * 12
                draw.text(away[0], away[1], axis, SMALL, color, bold=True)
        draw.text(left + 95, 222, f"{name} {max(yaw, pitch, roll)}°", bold=True)
    draw.text(300, 246, "x to the viewer's right, y down, z out of the face", SMALL, SOFT)
    return draw


def one_euro() -> Canvas:
    """A trembling point that rests and then moves: raw, and through the filter of the videos."""
    draw, rate = Canvas(600, 250), 25
    times = np.arange(1, 101) / rate
    truth = np.clip((times - 2) * 70, 0, 100)
    raw = truth + np.random.default_rng(3).normal(0, 5, len(times))
    smooth = OneEuro(cutoff_hz=0.6, beta=0.02)
    filtered = [float(smooth(value, time)) for value, time in zip(raw, times)]
    draw.axes(30, 216, 540, 190, "seconds", "x of a point, px")
    for values, color, width in ((raw, "#90a4ae", 1.2), (filtered, ORANGE, 3)):
        draw.line(
            *((30 + 128 * time, 190 - 1.3 * value) for time, value in zip(times, values)), color=color, width=width
        )
    draw.line((250, 38), (280, 38), color="#90a4ae", width=2)
    draw.text(288, 38, "measured", SMALL, anchor="start")
    draw.line((250, 62), (280, 62), color=ORANGE, width=3)
    draw.text(288, 62, "filtered", SMALL, anchor="start")
    draw.text(150, 226, "still: smoothed", SMALL, SOFT)
    draw.text(390, 168, "moving: little delay", SMALL, SOFT, "start")
    return draw


def number_line() -> Canvas:
    """A real number, its integer and back, between -1 (ELU's floor) and 4; sixteen steps are drawn."""
    draw, low, high = Canvas(600, 270), -1.0, 4.0
    few, full = asymmetric(low, high, bits=4), asymmetric(low, high)
    real = 2.1
    integer = int(few.quantize(np.array(real)))
    back = float(few.dequantize(np.array(integer)))

    def place(value: float | np.ndarray) -> float:
        return 90 + (float(value) - low) * 88

    draw.arrow((30, 76), (580, 76), color=SOFT)
    draw.area(place(low), 71, place(high) - place(low), 10, "#9cc7e8")
    for value in range(-1, 5):
        draw.line((place(value), 70), (place(value), 82))
        draw.text(place(value), 54, f"{value}".replace("-", "−"), SMALL)
    draw.text(24, 24, "real r", bold=True, anchor="start")
    draw.text(24, 196, "integer q", bold=True, anchor="start")
    for step in range(few.low, few.high + 1):
        x = place(few.dequantize(np.array(step)))
        special = step in (integer, int(few.zero_point))
        draw.line((x, 140), (x, 156), color=ORANGE if special else INK, width=3 if special else 1.5)
        if special or step in (few.low, few.high):
            draw.text(x, 170, f"{step}".replace("-", "−"), SMALL)
    ends = (place(few.dequantize(np.array(step))) for step in (few.low, few.high))
    draw.line(*((x, 148) for x in ends), color=SOFT)
    draw.circle(place(real), 76, 5, RED)
    draw.arrow((place(real), 84), (place(back), 138), color=RED)
    draw.text(place(real) + 20, 108, f"r = {real}  →  q = {integer}  →  r̂ = {back:.2f}", SMALL, RED, "start")
    draw.arrow((place(0), 84), (place(0), 138), color=ORANGE)
    draw.text(place(0) - 8, 108, "0 is exact", SMALL, ORANGE, "end")
    draw.text(place(0), 196, "zero point z", SMALL, ORANGE)
    draw.text(place(high) + 4, 24, "beyond: cut off", SMALL, SOFT, "middle")
    draw.text(300, 226, f"4 bits: s = {float(few.scale):.3f}; the error is at most s / 2", SMALL)
    zero = f"{int(full.zero_point)}".replace("-", "−")
    draw.text(300, 250, f"8 bits, 256 steps: s = {float(full.scale):.4f}, z = {zero}", SMALL)
    return draw


FIGURES = (cross_entropy, schedules, soft_argmax, pose_axes, one_euro, number_line)
