"""Cases of notebook 00."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case
from fer_paddle.drawn import make_faces
from fer_paddle.images import crop_square
from fer_paddle.labels import EXPRESSIONS
from yolo3tiny.boxes import iou


def exercise_1(count_true: Callable[..., Any]) -> Iterator[Case]:
    """True and false boxes above a threshold, drawn as squares that are moved."""
    drawn = np.array([[x, 40, x + 60, 100] for x in (20, 120, 220, 320)], np.float32)
    found = np.concatenate([drawn[:3] + 5, drawn[:1] - 4, [[500, 300, 560, 360]]]).astype(np.float32)
    scores = np.array([0.95, 0.6, 0.3, 0.8, 0.4], np.float32)
    overlap = iou(found, drawn) >= 0.5
    for least in (0.2, 0.5, 0.9):
        chosen = overlap[scores >= least]
        true = int(chosen.any(axis=0).sum())
        yield Case(
            f"count_true(boxes, scores, drawn, {least})",
            partial(count_true, found, scores, drawn, least),
            (true, len(chosen) - true),
        )


def exercise_2(mean_probs: Callable[..., Any]) -> Iterator[Case]:
    """The mean of a face and its mirror image, of a function that favors one side."""

    def classify(crops: Any) -> np.ndarray:
        rows = np.array([[*crop[:, :3].mean(axis=(0, 2)), *crop[:4, -1].mean(axis=1)] for crop in crops])
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    for image in make_faces(2, 48, seed=3).images:
        expected = classify([image, image[:, ::-1]]).mean(axis=0)
        yield Case("mean_probs(classify, face)", partial(mean_probs, classify, image), expected, 1e-5)


def exercise_3(box_share: Callable[..., Any]) -> Iterator[Case]:
    """The area of a white box in its crop."""
    image = np.zeros((600, 600), np.uint8)
    image[200:400, 200:400] = 255
    for margin in (0.0, 0.06, 0.2, 0.5):
        expected = float(crop_square(image, (200, 200, 400, 400), margin).mean() / 255)
        yield Case(f"box_share({margin})", partial(box_share, margin), expected, 0.01)


def exercise_4(count_labels: Callable[..., Any]) -> Iterator[Case]:
    """Reports as results.json has them."""
    for count in (5, 11):
        labels = [EXPRESSIONS[i * i % 7] for i in range(count)]
        images: list[dict[str, Any]] = [{"file": "0.png", "faces": []}]
        images += [{"file": f"{i}.png", "faces": [{"label": name} for name in labels[i::3]]} for i in range(3)]
        yield Case(
            f"count_labels(report of {count} faces)",
            partial(count_labels, {"images": images}),
            dict(Counter(labels)),
        )
