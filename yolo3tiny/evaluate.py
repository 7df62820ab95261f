"""Average precision of a face detector on annotated photos, and what its model card says, with intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_paddle.analysis.bootstrap import bootstrap, mean_interval
from fer_paddle.messages import track
from yolo3tiny.boxes import iou
from yolo3tiny.metrics import average_precision
from yolo3tiny.photos import Photo
from yolo3tiny.predict import Detections

MIN_SCORE = 0.01  # low enough that the curve's tail is there
RESAMPLES = 200  # each judges all photos anew
SCORE = 0.5  # the detector's default
SIDES_PX = (0, 16, 32, 64, 128, np.inf)


def sources_with_faces(photos: Sequence[Photo]) -> list[str]:
    """Return the sources of the photos that have a face that counts, sorted; ValueError without one."""
    sources = sorted({photo.source for photo in photos if not photo.ignore.all()})
    if not sources:
        raise ValueError(f"expected faces to measure on, got {len(photos)} photos without one")
    return sources


def evaluate(detect: Callable[..., Detections], photos: Sequence[Photo]) -> dict[str, float]:
    """Return the average precision at IoU 0.5, over all photos and for each source.

    Args:
        detect: (image uint8 [H, W, 3], min_score) -> Detections, such as a Detector.
        photos: Photos with their boxes; ignored boxes count neither way.

    Returns:
        `ap`; `recall_at_0.5`, of the detections that score 0.5 or more; `ap_SOURCE` for every source with
        faces where there are several; the numbers of `photos` and of `faces`; where there are photos without a box,
        their number `empty_photos` and the `false_faces` on them that score 0.5 or more.
    """
    sources = sources_with_faces(photos)
    rows, truths = detect_all(detect, photos)
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
    detect: Callable[..., Detections], photos: Sequence[Photo]
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[tuple[np.ndarray, np.ndarray]]]:
    """Return what was found in each photo and what is there, as average_precision takes them."""
    found = [detect(photo.read(), min_score=MIN_SCORE) for photo in track(photos, "photos")]
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


def measure_detector(
    detect: Callable[..., Detections], photos: Sequence[Photo], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Measure one detector on annotated photos."""
    with_faces = sources_with_faces(photos)
    rows, truths = detect_all(detect, photos)

    def interval_of_ap(of: np.ndarray) -> dict[str, float | None]:
        def ap(chosen: np.ndarray) -> float:
            return average_precision([rows[i] for i in of[chosen]], [truths[i] for i in of[chosen]]).ap

        return bootstrap(ap, len(of), resamples)[0].to_json()

    sources = np.array([photo.source for photo in photos])
    alarms = np.array([_false_alarms(*row, *truth) for row, truth in zip(rows, truths)], float)
    return {
        "photos": len(photos),
        "faces": int(sum((ignore == 0).sum() for _, ignore in truths)),
        "ap": interval_of_ap(np.arange(len(photos))),
        "ap_by_source": {source: interval_of_ap(np.flatnonzero(sources == source)) for source in with_faces},
        "found_by_side": _found_by_side(rows, truths, resamples),
        "false_alarms": mean_interval(alarms, resamples),
    }


def _false_alarms(boxes: np.ndarray, scores: np.ndarray, truths: np.ndarray, ignore: np.ndarray) -> int:
    """Count boxes of score SCORE or more that lie on no face, ignored ones included."""
    sure = boxes[scores >= SCORE]
    return int((~(iou(sure, truths) >= 0.5).any(axis=1)).sum()) if len(truths) else len(sure)


def _found_by_side(rows: Sequence, truths: Sequence, resamples: int) -> dict[str, Any]:
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
            found[name] = {"faces": len(inside), "found": mean_interval(inside, resamples)}
    return found
