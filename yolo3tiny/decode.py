"""From the raw outputs of the heads to boxes and scores, and non-maximum suppression. NumPy only, no Paddle.

Source: Redmon & Farhadi, YOLOv3, 2018, arXiv:1804.02767, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from fer_paddle.files import check_number
from yolo3tiny.anchors import ANCHORS, OUTPUTS, STRIDES, anchor_masks
from yolo3tiny.boxes import cxcywh_to_xyxy, iou

MAX_LOG_SIZE = 10.0  # exp(10) anchors is wider than any photo; more would overflow float32


def decode(
    heads: Sequence[np.ndarray], anchors: Sequence = ANCHORS, strides: Sequence[int] = STRIDES
) -> tuple[np.ndarray, np.ndarray]:
    """Decode every prediction of a batch.

    Args:
        heads: One float32 array [N, A * 6, H, W] for each head.
        anchors: Width and height in input pixels of all anchors, by area; each head has A of them.
        strides: For each head, input pixels per cell.

    Returns:
        Boxes xyxy float32 [N, P, 4] in pixels of the network input, not clipped, and scores float32 [N, P]
        in 0..1, objectness times the probability of the class. P runs over heads, then anchors,
        rows and columns.
    """
    raw, priors = _read_heads(heads, anchors, strides)
    return _boxes(raw, priors), _scores(raw)


def decode_above(
    heads: Sequence[np.ndarray], min_score: float, anchors: Sequence = ANCHORS, strides: Sequence[int] = STRIDES
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Decode only predictions that score at least min_score: the numbers of `decode`, much sooner -> float32 [K, 4]."""
    raw, priors = _read_heads(heads, anchors, strides)
    check_number("min_score", min_score, 0, 1)
    # A score never exceeds its objectness, so most cells end here.
    image_at, prior_at = np.nonzero(_sigmoid(raw[..., 4]) >= min_score)
    likely = raw[image_at, prior_at]
    scores = _scores(likely)
    kept = scores >= min_score
    boxes, scores, image_at = _boxes(likely[kept], priors[prior_at[kept]]), scores[kept], image_at[kept]
    bounds = np.searchsorted(image_at, np.arange(len(raw) + 1))
    return [(boxes[a:b], scores[a:b]) for a, b in zip(bounds, bounds[1:])]


def nms(boxes_xyxy: np.ndarray, scores: np.ndarray, iou_threshold: float = 0.45, top_k: int = 1000) -> np.ndarray:
    """Suppress boxes that a better kept box overlaps by more than the threshold: greedy, without a loop over boxes.

    The rule is applied to all boxes at once, from "all stay", until nothing changes. After step s the s best boxes
    are settled, so it ends, and ends at the greedy answer; photos need about four steps.

    Args:
        boxes_xyxy: Float [K, 4].
        scores: Float [K]. Of equal scores the first box wins.
        iou_threshold: Largest IoU that two kept boxes may have, in 0..1.
        top_k: Only this many of the highest scores are looked at, which bounds the IoU matrix.

    Returns:
        Positions int64 of the kept boxes, by falling score.
    """
    check_number("iou_threshold", iou_threshold, 0, 1)
    boxes_xyxy, scores = np.asarray(boxes_xyxy), np.asarray(scores)
    order = np.argsort(-scores, kind="stable")[:top_k]
    ranked = boxes_xyxy[order]
    beaten_by = np.tril(iou(ranked, ranked) > iou_threshold, k=-1)  # [i, j]: j ranks higher and overlaps i
    keep = np.ones(len(order), dtype=bool)
    while True:
        settled = ~(beaten_by & keep).any(axis=1)
        if (settled == keep).all():
            return order[keep]
        keep = settled


def _read_heads(
    heads: Sequence[np.ndarray], anchors: Sequence, strides: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the raw outputs [N, P, 6] of all heads, checked, and the priors [P, 5] they apply to."""
    check_heads(heads, len(anchors), strides)
    raw = np.concatenate([by_cell(head) for head in heads], axis=1)
    return raw, prior_boxes([head.shape[2:] for head in heads], anchors, strides)


def prior_boxes(heads_hw: Sequence, anchors: Sequence, strides: Sequence[int]) -> np.ndarray:
    """Return column, row, anchor width and height and stride of each prediction, read-only float32 [P, 5]."""
    sizes = tuple(tuple(float(side) for side in anchor) for anchor in anchors)
    grids = tuple((int(h), int(w)) for h, w in heads_hw)
    return _prior_boxes(grids, sizes, tuple(strides))


@lru_cache(maxsize=32)  # a detector sees few sizes, and building this costs as much as decoding
def _prior_boxes(heads_hw: tuple, anchors: tuple, strides: tuple) -> np.ndarray:
    parts = []
    for (height, width), mask, stride in zip(heads_hw, anchor_masks(len(anchors), strides), strides):
        part = np.empty((len(mask), height, width, 5), dtype=np.float32)
        part[..., 0] = np.arange(width)
        part[..., 1] = np.arange(height)[:, None]
        part[..., 2:4] = np.array([anchors[i] for i in mask])[:, None, None, :]
        part[..., 4] = stride
        parts.append(part.reshape(-1, 5))
    priors = np.concatenate(parts)
    priors.flags.writeable = False
    return priors


def boxes_cxcywh(raw: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Apply raw outputs [..., P, 4 or more] to priors [P, 5]: cxcywh [..., P, 4] in input pixels."""
    centers = (_sigmoid(raw[..., :2]) + priors[:, :2]) * priors[:, 4:]
    sizes = np.exp(np.minimum(raw[..., 2:4], MAX_LOG_SIZE)) * priors[:, 2:4]
    return np.concatenate([centers, sizes], axis=-1)


def check_heads(heads: Sequence, num_anchors: int, strides: Sequence[int]) -> None:
    """Raise ValueError unless each stride has a head [N, A * 6, H, W], all of one input size."""
    if len(heads) != len(strides):
        raise ValueError(f"expected heads at strides {tuple(strides)}, got {len(heads)} heads")
    shapes, channels = [tuple(head.shape) for head in heads], num_anchors // len(strides) * OUTPUTS
    if any(len(shape) != 4 or shape[:2] != (shapes[0][0], channels) for shape in shapes):
        raise ValueError(f"expected heads [N, {channels}, H, W], got shapes {shapes}")
    if len({(shape[2] * stride, shape[3] * stride) for shape, stride in zip(shapes, strides)}) > 1:
        raise ValueError(f"expected heads of one input size at strides {tuple(strides)}, got shapes {shapes}")


def by_cell(head: Any) -> Any:
    """Reorder a head [N, A * 6, H, W], of NumPy or Paddle, as [N, A * H * W, 6]."""
    n, channels, height, width = head.shape
    split = head.reshape([n, channels // OUTPUTS, OUTPUTS, height * width])
    return split.transpose([0, 1, 3, 2]).reshape([n, channels // OUTPUTS * height * width, OUTPUTS])


def _boxes(raw: np.ndarray, priors: np.ndarray) -> np.ndarray:
    return cxcywh_to_xyxy(boxes_cxcywh(raw, priors)).astype(np.float32)


def _scores(raw: np.ndarray) -> np.ndarray:
    return _sigmoid(raw[..., 4]) * _sigmoid(raw[..., 5])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # never overflows, unlike 1 / (1 + exp(-x))
