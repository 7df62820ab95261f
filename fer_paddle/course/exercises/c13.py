"""Cases of notebook 13."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case, then
from fer_paddle.drawn import draw_face
from fer_paddle.environment import paddle
from fer_paddle.landmarks.measures import measure_face
from fer_paddle.landmarks.metrics import nme
from fer_paddle.landmarks.pose import estimate_pose


def _points(yaw_deg: float = 0.0, seed: int = 3) -> np.ndarray:
    return draw_face("neutral", 256, seed, pose_deg=(yaw_deg, 0, 0), clean=True).points.astype(float)


def exercise_1(growth: Callable[..., Any]) -> Iterator[Case]:
    """The same error in pixels on a turned head, over that on a frontal one."""
    frontal = _points()
    for yaw in (15, 35):
        for norm in ("inter_ocular", "box"):
            before, after = (nme(points[None] + (3, 0), points[None], norm)[0] for points in (frontal, _points(yaw)))
            yield Case(
                f"growth(frontal, turned by {yaw}, {norm!r})",
                partial(growth, frontal, _points(yaw), norm),
                float(after / before),
                0.01,
            )


def exercise_2(wing_slope: Callable[..., Any]) -> Iterator[Case]:
    """Gradients, against Paddle's."""
    from fer_paddle.landmarks.losses import wing

    for error, epsilon in ((0.1, 0.5), (0.1, 2.0), (3.0, 8.0), (12.0, 2.0)):
        tensor = paddle.to_tensor([error], stop_gradient=False)
        wing(tensor, 10.0, epsilon).sum().backward()
        expected = float(tensor.grad.numpy()[0])
        yield Case(f"wing_slope({error}, 10, {epsilon})", partial(wing_slope, error, 10.0, epsilon), expected, 1e-3)


def exercise_3(angle_changes: Callable[..., Any]) -> Iterator[Case]:
    """Changes of yaw, pitch and roll, against estimate_pose."""
    points = _points()
    before = estimate_pose(points, (256, 256))
    for point, pull in ((30, (6, 0)), (30, (0, -6)), (8, (6, 0))):
        moved = points.copy()
        moved[point] += pull
        after = estimate_pose(moved, (256, 256))
        names = ("yaw_deg", "pitch_deg", "roll_deg")
        expected = np.array([abs(getattr(after, name) - getattr(before, name)) for name in names])
        call = partial(angle_changes, points.copy(), point, pull)
        yield Case(f"angle_changes(points, {point}, {pull})", call, expected, 0.05)


def exercise_4(close_eyes: Callable[..., Any]) -> Iterator[Case]:
    """How closed the library finds eyes whose lids were moved together."""
    for seed, ratio in ((3, 0.0), (3, 0.5), (5, 0.75), (3, 1.0)):
        points, lids = _points(seed=seed), _points(seed=seed)
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
            middle = points[[upper, lower]].mean(axis=0)
            lids[[upper, lower]] = (1 - ratio) * points[[upper, lower]] + ratio * middle
        found = then(partial(close_eyes, points.copy(), ratio), _measure)
        yield Case(f"measure_face(close_eyes(points, {ratio})).eye_closed", found, measure_face(lids).eye_closed, 0.01)


def _measure(points: Any) -> float:
    return measure_face(np.asarray(points)).eye_closed
