"""Average precision of a face detector on annotated photos."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from yolo3tiny.metrics import average_precision
from yolo3tiny.photos import Photo
from yolo3tiny.predict import Detections

MIN_SCORE = 0.01  # low enough that the curve's tail is there


def sources_with_faces(photos: Sequence[Photo]) -> list[str]:
    """Return the sources of the photos that have a face that counts, sorted; ValueError without one."""
    sources = sorted({photo.source for photo in photos if not photo.ignore.all()})
    if not sources:
        raise ValueError(f"expected faces to measure on, got {len(photos)} photos without one")
    return sources


def evaluate(
    detect: Callable[..., Detections], photos: Sequence[Photo], progress: Callable[[Iterable], Iterable] = iter
) -> dict[str, float]:
    """Return the average precision at IoU 0.5, over all photos and for each source.

    Args:
        detect: (image uint8 [H, W, 3], min_score) -> Detections, such as a Detector.
        photos: Photos with their boxes; ignored boxes count neither way.
        progress: Wraps the photos for a progress bar.

    Returns:
        `ap`; `recall_at_0.5`, of the detections that score 0.5 or more; `ap_SOURCE` for every source with
        faces where there are several; the numbers of `photos` and of `faces`; where there are photos without a box,
        their number `empty_photos` and the `false_faces` on them that score 0.5 or more.
    """
    sources = sources_with_faces(photos)
    rows, truths = detect_all(detect, photos, progress)
    whole = average_precision(rows, truths)
    confident = whole.recall[whole.scores >= 0.5]
    figures = {"ap": whole.ap, "recall_at_0.5": float(confident.max(initial=0.0))}
    for source in sources if len(sources) > 1 else ():
        chosen = np.flatnonzero([photo.source == source for photo in photos])
        figures[f"ap_{source}"] = average_precision([rows[i] for i in chosen], [truths[i] for i in chosen]).ap
    figures |= {"photos": len(photos), "faces": whole.num_truths}
    empty = [scores for (_, scores), (boxes, _) in zip(rows, truths) if not len(boxes)]
    if empty:
        figures |= {"empty_photos": len(empty), "false_faces": int(sum((scores >= 0.5).sum() for scores in empty))}
    return figures


def detect_all(
    detect: Callable[..., Detections], photos: Sequence[Photo], progress: Callable[[Iterable], Iterable] = iter
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[tuple[np.ndarray, np.ndarray]]]:
    """Return what was found in each photo and what is there, as average_precision takes them."""
    found = [detect(photo.read(), min_score=MIN_SCORE) for photo in progress(photos)]
    return [(faces.boxes_xyxy, faces.scores) for faces in found], [(photo.boxes_xyxy, photo.ignore) for photo in photos]


class Stopwatch:
    """A detector that notes how long each image took, in `times_ms`."""

    def __init__(self, detect: Callable[..., Any]):
        self.detect = detect
        self.times_ms: list[float] = []

    def __call__(self, image: np.ndarray, **settings: Any) -> Any:
        """Call the detector as it is."""
        start = time.perf_counter()
        found = self.detect(image, **settings)
        self.times_ms.append((time.perf_counter() - start) * 1e3)
        return found
