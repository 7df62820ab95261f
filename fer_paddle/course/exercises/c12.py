"""Cases of notebook 12."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case
from yolo3tiny.anchors import kmeans_anchors, mean_best_iou
from yolo3tiny.boxes import iou
from yolo3tiny.decode import nms
from yolo3tiny.metrics import average_precision


def exercise_1(count: Callable[..., Any]) -> Iterator[Case]:
    """Parameters of the network as it is built."""
    from fer_paddle.analysis.complexity import count_parameters
    from yolo3tiny.model import Yolo3Tiny

    for width in (0.5, 1.0):
        yield Case(f"count({width})", partial(count, width), count_parameters(Yolo3Tiny(width=width)))


def exercise_2(distance: Callable[..., Any]) -> Iterator[Case]:
    """The distance from which NMS keeps both boxes, found in steps of a quarter pixel."""
    for width, threshold in ((60, 0.45), (60, 0.7), (100, 0.3)):
        for moved in np.arange(0, width, 0.25):
            boxes = np.array([[0, 0, width, 80], [moved, 0, width + moved, 80]], np.float32)
            if len(nms(boxes, np.array([0.9, 0.8], np.float32), threshold)) == 2:
                break
        yield Case(f"distance({width}, {threshold})", partial(distance, width, threshold), float(moved), 0.5)


def exercise_3(ap: Any) -> Iterator[Case]:
    """The toy table of section 9 with its second face ignored."""

    def squares(*lefts: float) -> np.ndarray:
        return np.array([[x, 0.0, x + 50, 50.0] for x in lefts])

    truths = [(squares(0, 100, 200), np.array([0, 1, 0])), (squares(0, 100), np.zeros(2))]
    scores = [np.array([0.95, 0.80, 0.60, 0.50]), np.array([0.90, 0.70])]
    detections = list(zip((squares(2, 103, 5, 400), squares(300, 98)), scores))
    yield Case("ap", ap, average_precision(detections, truths).ap, 0.001)


def exercise_4(fit_of: Callable[..., Any]) -> Iterator[Case]:
    """How well anchors fit sizes."""
    sizes = np.random.default_rng(4).lognormal(3.5, 0.6, (80, 2))
    for k in (1, 3, 6):
        anchors = kmeans_anchors(sizes, k)
        yield Case(f"fit_of(sizes, {k} anchors)", partial(fit_of, sizes, anchors), mean_best_iou(sizes, anchors), 1e-4)


def exercise_5(recalls: Callable[..., Any]) -> Iterator[Case]:
    """The found shares of small and of large faces, of which some are moved too far."""
    rng = np.random.default_rng(5)
    corner, side = rng.uniform(0, 900, (30, 2)), rng.uniform(15, 90, (30, 1))
    drawn = np.concatenate([corner, corner + side], axis=1)
    found = drawn[::2] + side[::2] * rng.uniform(-0.3, 0.3, (15, 1))
    hit, small = (iou(drawn, found) >= 0.5).any(axis=1), side[:, 0] < 40
    expected = (float(hit[small].mean()), float(hit[~small].mean()))
    yield Case("recalls(drawn, found)", partial(recalls, drawn, found), expected, 1e-6)
    everything = (1.0, 1.0)
    yield Case("recalls(drawn, drawn)", partial(recalls, drawn, drawn), everything, 1e-6)
