"""What a model card says of a face detector on one set of photos, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.analysis.bootstrap import bootstrap
from yolo3tiny.boxes import iou
from yolo3tiny.evaluate import MIN_SCORE
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
    if not any((photo.ignore == 0).any() for photo in photos):
        raise ValueError(f"expected faces to measure on, got {len(photos)} photos without one")
    found = [detect(photo.read(), min_score=MIN_SCORE) for photo in progress(photos)]
    rows = [(faces.boxes_xyxy, faces.scores) for faces in found]
    truths = [(photo.boxes_xyxy, photo.ignore) for photo in photos]

    def interval_of_ap(of: np.ndarray) -> dict[str, float | None]:
        def ap(chosen: np.ndarray) -> float:
            return average_precision([rows[i] for i in of[chosen]], [truths[i] for i in of[chosen]]).ap

        return bootstrap(ap, len(of), resamples, seed=seed)[0].to_json()

    sources = np.array([photo.source for photo in photos])
    with_faces = sorted({photo.source for photo in photos if (photo.ignore == 0).any()})
    alarms = np.array([_false_alarms(*row, *truth) for row, truth in zip(rows, truths)], float)
    (false_alarms,) = bootstrap(lambda chosen: alarms[chosen].mean(), len(photos), resamples, seed=seed)
    return {
        "photos": len(photos),
        "faces": int(sum((ignore == 0).sum() for _, ignore in truths)),
        "ap": interval_of_ap(np.arange(len(photos))),
        "ap_by_source": {source: interval_of_ap(np.flatnonzero(sources == source)) for source in with_faces},
        "found_by_side": _found_by_side(rows, truths, resamples, seed),
        "false_alarms": false_alarms.to_json(),
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
            (interval,) = bootstrap(partial(_mean, inside), len(inside), resamples, seed=seed)
            found[name] = {"faces": len(inside), "found": interval.to_json()}
    return found


def _mean(values: np.ndarray, chosen: np.ndarray) -> float:
    return float(values[chosen].mean())
