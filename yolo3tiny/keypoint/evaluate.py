"""How well marks are found: error in pixels, precision and recall of each class, what is taken for what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from yolo3tiny.boxes import pair_greedily
from yolo3tiny.keypoint.decode import STRIDE, Marks
from yolo3tiny.keypoint.strips import Strip

TOLERANCE_PX = STRIDE / 2  # a detection farther than this from every mark is wrong


def evaluate(detect: Callable[[np.ndarray], Marks], strips: Iterable[Strip], classes: Sequence[str]) -> dict[str, Any]:
    """Compare what is found with what is there.

    Args:
        detect: Image uint8 [H, W, 3] -> Marks, such as a KeypointDetector.
        strips: Images with their marks. A detection on an ignored one counts neither way.
        classes: Names of the classes.

    Returns:
        `error_px` and `error_px_p95`, over the pairs of the same class, where there are any; `cost_px`, the mean error
        where what is missed, extra or of the wrong class counts as TOLERANCE_PX (OSPA, Schuhmacher et al. 2008,
        doi:10.1109/TSP.2008.920469); `precision`, `recall` and `f1`, means over the classes that are there, and of each
        class as `precision_NAME` ...; `confusion` [1 + C, 1 + C], rows the truth, columns what was found, first the
        background; numbers of `strips` and `marks`.
    """
    confusion = np.zeros((1 + len(classes),) * 2, np.int64)
    errors: list[float] = []
    count = 0
    for strip in strips:
        count += 1
        found = detect(strip.image)
        kept = ~strip.ignore
        pairs = pair(strip.centers[kept], found.centers, TOLERANCE_PX)
        truths, labels = strip.labels[kept], found.labels
        missed = np.setdiff1d(np.arange(len(truths)), pairs[:, 0])
        extra = np.setdiff1d(np.arange(len(found)), pairs[:, 1])
        near = np.linalg.norm(found.centers[extra][:, None] - strip.centers[~kept], axis=2) <= TOLERANCE_PX
        np.add.at(confusion, (1 + truths[pairs[:, 0]], 1 + labels[pairs[:, 1]]), 1)
        np.add.at(confusion, (1 + truths[missed], 0), 1)
        np.add.at(confusion, (0, 1 + labels[extra[~near.any(axis=1)]]), 1)
        right = pairs[truths[pairs[:, 0]] == labels[pairs[:, 1]]]
        errors += np.linalg.norm(strip.centers[kept][right[:, 0]] - found.centers[right[:, 1]], axis=1).tolist()
    marks, total = int(confusion[1:].sum()), int(confusion.sum())
    if not marks:
        raise ValueError(f"expected strips with marks to measure on, got {count} without one")
    cost_px = float(sum(errors) + (total - len(errors)) * TOLERANCE_PX) / total
    return {"cost_px": cost_px, **_summarize(confusion, errors, classes), "strips": count, "marks": marks}


def pair(truths: np.ndarray, found: np.ndarray, tolerance_px: float) -> np.ndarray:
    """Pair points [M, 2] and [K, 2] one to one, the nearest first, up to a distance -> int64 [P, 2]."""
    distances = np.linalg.norm(truths[:, None].astype(np.float64) - found, axis=2)  # [M, K]
    return pair_greedily(-distances, -tolerance_px)


def measure_speed(
    detect: Callable[[np.ndarray], Marks], images: Sequence[np.ndarray], at_once: int, rounds: int = 5
) -> float:
    """Return images a second where threads take `at_once` of them at a time: the median of some rounds.

    Two images on a core each take less time than one after the other on two cores: a small layer is soon done, and then
    the cores wait for each other.
    """
    speeds = []
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(1 + rounds):  # the first warms up
            start = time.perf_counter()
            list(pool.map(detect, images))
            speeds.append(len(images) / (time.perf_counter() - start))
    return float(np.median(speeds[1:]))


def _summarize(confusion: np.ndarray, errors: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if errors:
        figures |= {"error_px": float(np.mean(errors)), "error_px_p95": float(np.percentile(errors, 95))}
    right = np.diag(confusion)[1:]
    precision = right / np.maximum(confusion[:, 1:].sum(axis=0), 1)
    recall = right / np.maximum(confusion[1:].sum(axis=1), 1)
    there = confusion[1:].sum(axis=1) > 0
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        figures[name] = float(values[there].mean())
        figures |= {f"{name}_{one}": float(value) for one, value in zip(classes, values)}
    return figures | {"confusion": confusion.tolist()}
