"""Cases of notebook 14."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np

from fer_paddle.course.checks import Between, Case, mean_difference, then

LAYERS = ((3, 2), (3, 2), (3, 2), (3, 1), (3, 2), (3, 1), (3, 2), (3, 1))  # kernel, stride


def exercise_1(field: Callable[..., Any]) -> Iterator[Case]:
    """Receptive fields: of the network, of it without a layer, of a layer."""
    for name, layers, expected in (
        ("all layers", LAYERS, 175),
        ("all but the last layer", LAYERS[:-1], 111),
        ("one layer of 5", ((5, 1),), 5),
    ):
        yield Case(f"field({name})", partial(field, list(layers)), expected)


def exercise_2(shift_right: Callable[..., Any]) -> Iterator[Case]:
    """Mean difference, in gray levels, from OpenCV's shift."""
    image = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (24, 40), np.uint8), (0, 0), 2)
    for pixels in (0.25, 1.0, -2.5):
        matrix = np.array([[1, 0, pixels], [0, 1, 0]], np.float32)
        wanted = cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        call = then(partial(shift_right, image, pixels), partial(mean_difference, wanted=wanted))
        yield Case(f"|shift_right(image, {pixels}) - OpenCV|.mean()", call, Between(0, 1))


def exercise_3(precision_recall: Callable[..., Any]) -> Iterator[Case]:
    """Marks with their scores, of which some are right."""
    scores = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2])
    right = np.array([1, 1, 1, 0, 1, 1, 0, 0], bool)
    for least in (0.1, 0.5, 0.85):
        chosen = right[scores >= least]
        expected = (float(chosen.mean()), float(chosen.sum() / 6))
        call = partial(precision_recall, scores, right, 6, least)
        yield Case(f"precision_recall(scores, right, 6, {least})", call, expected, 1e-6)


def exercise_4(largest_drift: Callable[..., Any]) -> Iterator[Case]:
    """The drift at which a curve of recalls falls through 0.9, on straight lines between the points."""
    for drifts, recalls in (((1.0, 1.5, 2.0, 3.0), (0.98, 0.94, 0.84, 0.4)), ((1.0, 2.0), (1.0, 0.8))):
        expected = float(np.interp(-0.9, -np.array(recalls), drifts))
        call = partial(largest_drift, list(drifts), list(recalls))
        yield Case(f"largest_drift({list(drifts)}, {list(recalls)})", call, expected, 0.005)
