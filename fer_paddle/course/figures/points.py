"""Figures of notebook 13 and of videos: heatmaps, head pose, smoothing in time."""

from __future__ import annotations

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.course.figures.canvas import BLUE, GREEN, INK, LINE, ORANGE, RED, SMALL, SOFT, Canvas, Say
from fer_paddle.landmarks.pose import HeadPose, mean_face, project, to_rotation
from fer_paddle.tracking import OneEuro

_PARTS = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
_CAMERA = 440  # sides of the image before the camera, pixels
_CLOSED = 5  # from this part on: eyes and lips


def soft_argmax(say: Say) -> Canvas:
    """The place of the maximum is a cell; the center of mass lies between cells."""
    draw, cells, cell = Canvas(600, 288, say), 7, 34
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
    draw.circle(20 + center[0] * cell, 20 + center[1] * cell, 5, INK, INK)
    draw.text(138, 272, "softmax of one map", SMALL, SOFT)
    draw.frame(290, 44, 22, 22, BLUE)
    draw.text(324, 55, "largest cell: whole cells, no gradient", SMALL, anchor="start")
    draw.text(324, 79, f"({best[1] + 0.5:.1f}, {best[0] + 0.5:.1f})", anchor="start")
    draw.circle(301, 135, 6, INK, INK)
    draw.text(324, 135, "center of mass: finer, with a gradient", SMALL, anchor="start")
    draw.text(324, 159, f"({center[0]:.2f}, {center[1]:.2f})", anchor="start")
    draw.text(324, 215, "p = Σ softmax(h) · (x, y)", anchor="start")
    return draw


def pose_axes(say: Say) -> Canvas:
    """Yaw, pitch and roll of the mean face, by the library's own projection."""
    draw = Canvas(600, 262, say)
    for at, (name, yaw, pitch, roll) in enumerate(
        (("yaw {}°", 30, 0, 0), ("pitch {}°", 0, 25, 0), ("roll {}°", 0, 0, 20))
    ):
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
        draw.text(left + 95, 222, (name, max(yaw, pitch, roll)), bold=True)
    draw.text(300, 246, "x to the viewer's right, y down, z out of the face", SMALL, SOFT)
    return draw


def one_euro(say: Say) -> Canvas:
    """A trembling point that rests and then moves: raw, and through the filter of the videos."""
    draw, rate = Canvas(600, 250, say), 25
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


FIGURES = (soft_argmax, pose_axes, one_euro)
