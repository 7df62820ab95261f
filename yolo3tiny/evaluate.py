"""Measures a face detector on annotated photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from yolo3tiny.annotations import Photo
from yolo3tiny.detector import Detections
from yolo3tiny.metrics import average_precision

MIN_SCORE = 0.01  # low enough that the curve's tail is there


def evaluate(
    detect: Callable[..., Detections], photos: Sequence[Photo], progress: Callable[[Iterable], Iterable] = iter
) -> dict[str, float]:
    """Gives the average precision at IoU 0.5, over all photos and for each source.

    Args:
        detect: (image uint8 [H, W, 3], min_score) -> Detections, such as a Detector.
        photos: Photos with their boxes; ignored boxes count neither way.
        progress: Wraps the photos for a progress bar.

    Returns:
        `ap`, then `ap_SOURCE` for every source where there are several, and `recall` at score 0.5 and `photos`, `faces`.

    Raises:
        ValueError: There is no photo, or a photo cannot be read.
    """
    if not photos:
        raise ValueError("expected at least one photo to measure on, got none")
    found = [detect(photo.read(), min_score=MIN_SCORE) for photo in progress(photos)]
    rows = [(faces.boxes_xyxy, faces.scores) for faces in found]
    truths = [(photo.boxes_xyxy, photo.ignore) for photo in photos]
    whole = average_precision(rows, truths)
    confident = whole.recall[whole.scores >= 0.5]
    figures = {"ap": whole.ap, "recall_at_0.5": float(confident.max(initial=0.0))}
    sources = sorted({photo.source for photo in photos})
    for source in sources if len(sources) > 1 else ():
        chosen = np.flatnonzero([photo.source == source for photo in photos])
        figures[f"ap_{source}"] = average_precision([rows[i] for i in chosen], [truths[i] for i in chosen]).ap
    return figures | {"photos": len(photos), "faces": whole.num_truths}
