"""Average precision of a detector, with boxes that count neither way.

Source: Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, 2015. AP is the area
under all points of the curve once precision is made monotone, as from VOC 2010 on (not the eleven points of
VOC 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yolo3tiny.boxes import area, intersection, iou

IGNORED_RATIO = 0.5  # a detection with this ratio of its area in an ignored box is not judged


@dataclass(frozen=True)
class AveragePrecision:
    """AP and the curve under which it is the area."""

    ap: float  # 0..1; nan without truths
    precision: np.ndarray  # float64 [K]
    recall: np.ndarray  # float64 [K]
    scores: np.ndarray  # float64 [K], falling
    num_truths: int


def average_precision(
    detections: Sequence[tuple[np.ndarray, np.ndarray]],
    truths: Sequence[tuple[np.ndarray, np.ndarray]],
    iou_threshold: float = 0.5,
) -> AveragePrecision:
    """Judge the detections of many images against their true boxes.

    In each image, by falling score, a detection takes the free truth with which its IoU is largest, if
    that is at least the threshold, and is right. Else, if its IoU with an ignored box reaches the
    threshold, or half of its own area lies in one, it is left out. Else it is wrong, as is the second
    detection of a face.

    Args:
        detections: For each image, boxes xyxy [K, 4] and scores [K].
        truths: For each image, boxes xyxy [M, 4] and ignore [M], 1 for a box that is neither face nor
            background, else 0.
        iou_threshold: Smallest IoU of a right detection, in 0..1, above 0.

    Returns:
        The area under the monotone envelope of precision over recall, all points, and the curve itself.
    """
    scores, right = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    num_truths = 0
    for (boxes, box_scores), (true_boxes, ignore) in zip(detections, truths, strict=True):
        boxes, true_boxes = (np.asarray(one, np.float64).reshape(-1, 4) for one in (boxes, true_boxes))
        box_scores, ignore = np.asarray(box_scores, np.float64), np.asarray(ignore)
        order = np.argsort(-box_scores, kind="stable")
        matched, judged = _judge(boxes[order], true_boxes, ignore != 0, iou_threshold)
        scores.append(box_scores[order][judged])
        right.append(matched[judged])
        num_truths += int((ignore == 0).sum())
    return _curve(np.concatenate(scores), np.concatenate(right), num_truths)


def _judge(
    boxes: np.ndarray, truths: np.ndarray, ignore: np.ndarray, iou_threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which boxes [K, 4] of one image, best first, took a truth and which count, bool [K] each."""
    overlaps = iou(boxes, truths)  # [K, M]
    ratio = intersection(boxes, truths[ignore]) / np.maximum(area(boxes), np.finfo(float).tiny)[:, None]
    excused = ((overlaps[:, ignore] >= iou_threshold) | (ratio >= IGNORED_RATIO)).any(axis=1)
    free = np.where(ignore, 0.0, overlaps)  # the IoU that can still be won
    matched = np.zeros(len(boxes), dtype=bool)
    for rank in np.flatnonzero((free >= iou_threshold).any(axis=1)):
        taken = free[rank].argmax()
        matched[rank] = free[rank, taken] >= iou_threshold
        if matched[rank]:
            free[:, taken] = 0
    return matched, matched | ~excused


def _curve(scores: np.ndarray, right: np.ndarray, num_truths: int) -> AveragePrecision:
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], right[order]
    num_right = np.cumsum(right)
    # Detections with the same score are accepted together, so only the last of them is a point of the curve.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    precision = num_right[ends] / (ends + 1)
    recall = num_right[ends] / max(num_truths, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float((np.diff(recall, prepend=0) * envelope).sum()) if num_truths else float("nan")
    return AveragePrecision(ap, precision, recall, scores[ends], num_truths)
