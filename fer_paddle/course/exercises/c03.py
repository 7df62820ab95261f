"""Cases of notebook 03."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Between, Case, mean_difference, then
from fer_paddle.drawn import draw_face
from fer_paddle.expression.data.mixup import cutmix
from fer_paddle.images import to_gray
from fer_paddle.training.randaugment import OPERATIONS


def exercise_1(shear: Callable[..., Any]) -> Iterator[Case]:
    """Mean difference from the library's shear, in gray levels."""
    for seed, strength in ((3, 2.0), (8, 1.0)):
        face = to_gray(draw_face("happy", size=64, seed=seed).image)
        wanted = OPERATIONS["shear_x"](face, strength)
        yield Case(
            f"|shear(face, {strength / 10}) - library|.mean()",
            then(partial(shear, face, strength / 10), partial(mean_difference, wanted=wanted)),
            Between(0, 0.5),
        )


def exercise_2(sharpness_lost: Callable[..., Any]) -> Iterator[Case]:
    """The share of sharpness that rotations lose, of each way the one that OpenCV loses."""
    import cv2

    from fer_paddle.quality.measures import measure_images

    face = to_gray(draw_face("happy", size=64, seed=3).image)
    for angles in ((30,), (10, 10, 10)):
        turned = face
        for angle in angles:
            matrix = cv2.getRotationMatrix2D((31.5, 31.5), angle, 1)
            turned = cv2.warpAffine(turned, matrix, (64, 64), borderMode=cv2.BORDER_REPLICATE)
        before, after = measure_images([face, turned])["sharpness"]
        yield Case(
            f"sharpness_lost(face, {list(angles)})",
            partial(sharpness_lost, face, list(angles)),
            1 - after / before,
            0.08,
        )


def exercise_3(largest_angle: Callable[..., Any]) -> Iterator[Case]:
    """Answers by angle: the last angle before the first other answer, in both directions."""
    for changes in ({-60, 75, 90}, {45, -90}, {15}):
        answers = {angle: "sad" if angle in changes else "happy" for angle in range(-90, 91, 15)}
        expected = max(angle for angle in range(0, 91, 15) if not any(abs(one) <= angle for one in changes))
        yield Case(f"largest_angle(other answers at {sorted(changes)})", partial(largest_angle, answers), expected)


def exercise_4(share_below: Callable[..., Any]) -> Iterator[Case]:
    """The measured share of batches with less than a quarter left."""
    images, partners = np.zeros((2, 1, 64, 64), np.float32), np.array([1, 0])
    for alpha in (1.0, 0.2):
        rng = np.random.default_rng(1)
        left = [cutmix(images, partners, rng.beta(alpha, alpha), rng)[1] for _ in range(2000)]
        yield Case(f"share_below({alpha})", partial(share_below, alpha), float(np.mean(np.array(left) < 0.25)), 0.016)
