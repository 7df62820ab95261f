"""Measure a face detector on a set of photos for its model card, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fer_paddle.analysis.bootstrap import bootstrap
from yolo3tiny.boxes import iou
from yolo3tiny.evaluate import detect_all, sources_with_faces
from yolo3tiny.metrics import average_precision
from yolo3tiny.photos import Photo
from yolo3tiny.predict import Detections

RESAMPLES = 200  # each judges all photos anew
SCORE = 0.5  # the detector's default
SIDES_PX = (0, 16, 32, 64, 128, np.inf)


def measure_detector(
    detect: Callable[..., Detections],
    photos: Sequence[Photo],
    progress: Callable[[Iterable], Iterable] = iter,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure one detector on annotated photos."""
    with_faces = sources_with_faces(photos)
    rows, truths = detect_all(detect, photos, progress)

    def interval_of_ap(of: np.ndarray) -> dict[str, float | None]:
        def ap(chosen: np.ndarray) -> float:
            return average_precision([rows[i] for i in of[chosen]], [truths[i] for i in of[chosen]]).ap

        return bootstrap(ap, len(of), resamples, seed=seed)[0].to_json()

    sources = np.array([photo.source for photo in photos])
    alarms = np.array([_false_alarms(*row, *truth) for row, truth in zip(rows, truths)], float)
    return {
        "photos": len(photos),
        "faces": int(sum((ignore == 0).sum() for _, ignore in truths)),
        "ap": interval_of_ap(np.arange(len(photos))),
        "ap_by_source": {source: interval_of_ap(np.flatnonzero(sources == source)) for source in with_faces},
        "found_by_side": _found_by_side(rows, truths, resamples, seed),
        "false_alarms": _mean_interval(alarms, resamples, seed),
    }


def _false_alarms(boxes: np.ndarray, scores: np.ndarray, truths: np.ndarray, ignore: np.ndarray) -> int:
    """Count boxes of score SCORE or more that lie on no face, ignored ones included."""
    sure = boxes[scores >= SCORE]
    return int((~(iou(sure, truths) >= 0.5).any(axis=1)).sum()) if len(truths) else len(sure)


def _found_by_side(rows: Sequence, truths: Sequence, resamples: int, seed: int) -> dict[str, Any]:
    """Return the ratio of faces with a box of score SCORE on them, by their side in pixels of the photo."""
    sides, hits = [], []
    for (boxes, scores), (true_boxes, ignore) in zip(rows, truths):
        faces = true_boxes[ignore == 0]
        sides.append(np.sqrt(np.prod(faces[:, 2:] - faces[:, :2], axis=1)))
        hits.append((iou(faces, boxes[scores >= SCORE]) >= 0.5).any(axis=1))
    side, hit = np.concatenate(sides), np.concatenate(hits)
    found = {}
    for low, high in zip(SIDES_PX, SIDES_PX[1:]):
        inside = hit[(side >= low) & (side < high)]
        if len(inside):
            name = f"{low:.0f} px and more" if np.isinf(high) else f"{low:.0f} to {high:.0f} px"
            found[name] = {"faces": len(inside), "found": _mean_interval(inside, resamples, seed)}
    return found


def _mean_interval(values: np.ndarray, resamples: int, seed: int) -> dict[str, float | None]:
    return bootstrap(lambda chosen: values[chosen].mean(), len(values), resamples, seed=seed)[0].to_json()
