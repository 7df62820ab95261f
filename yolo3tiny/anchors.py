"""The prior box sizes of tiny YOLOv3, and k-means to find better ones for a data set.

Source: Redmon & Farhadi, YOLO9000, 2017, arXiv:1612.08242, section 2 (dimension clusters); the values of
ANCHORS are those of darknet's yolov3-tiny.cfg.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Width and height in pixels of a 416 px input.
ANCHORS = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
ANCHOR_MASKS = ((3, 4, 5), (0, 1, 2))  # which anchors each head uses: large boxes on the coarse head
MAX_STEPS = 300  # of k-means, if clusters still change
STRIDES = (32, 16)  # input pixels per cell of each head, the coarsest first
OUTPUTS = 6  # of an anchor in a cell: center x and y, logarithms of width and height, objectness, class


def anchor_masks(num_anchors: int, strides: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Share anchors, sorted by area, equally among heads: the largest for the first, the coarsest head."""
    per_head, rest = divmod(num_anchors, len(strides)) if len(strides) else (0, 0)
    if not per_head or rest:
        raise ValueError(f"expected a multiple of {len(strides)} anchors, got {num_anchors}")
    return tuple(tuple(range(end - per_head, end)) for end in range(num_anchors, 0, -per_head))


def size_iou(sizes_a: np.ndarray, sizes_b: np.ndarray) -> np.ndarray:
    """Return the IoU [..., N, K] of widths and heights [..., N, 2] and [K, 2] as of boxes that share one corner."""
    sizes_a, sizes_b = np.asarray(sizes_a), np.asarray(sizes_b)
    overlap = np.minimum(sizes_a[..., None, :], sizes_b).prod(axis=-1)
    return overlap / (sizes_a.prod(axis=-1)[..., None] + sizes_b.prod(axis=-1) - overlap)


def mean_best_iou(sizes_wh: np.ndarray, anchors: np.ndarray | Sequence[Sequence[float]]) -> float:
    """Return the mean IoU, in 0..1, of box sizes [N, 2] with their best anchor [K, 2]: how well the anchors fit."""
    return float(size_iou(sizes_wh, np.asarray(anchors)).max(axis=1).mean())


def kmeans_anchors(sizes_wh: np.ndarray, k: int = 6, seed: int = 0) -> np.ndarray:
    """Cluster box sizes with the distance 1 - IoU; the center of a cluster is its mean size.

    Args:
        sizes_wh: Widths and heights of boxes [N, 2], in pixels of the network input.
        k: Number of anchors.
        seed: Chooses the first centers; one seed gives one answer.

    Returns:
        Anchors float64 [k, 2] by rising area.
    """
    sizes = np.asarray(sizes_wh, dtype=np.float64)
    distinct = np.unique(sizes, axis=0)
    if not 1 <= k <= len(distinct):
        raise ValueError(f"expected at least k={k} different box sizes (k >= 1), got {len(distinct)}")
    centers = distinct[np.random.default_rng(seed).choice(len(distinct), k, replace=False)]
    assigned = None
    for _ in range(MAX_STEPS):
        nearest = size_iou(sizes, centers).argmax(axis=1)  # [N]
        if assigned is not None and (nearest == assigned).all():
            break
        assigned = nearest
        counts = np.bincount(assigned, minlength=k)
        sums = np.stack([np.bincount(assigned, sizes[:, axis], minlength=k) for axis in (0, 1)], axis=1)
        # An empty cluster keeps its center: it may win boxes back as the others move.
        centers = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centers)
    return centers[np.argsort(centers.prod(axis=1), kind="stable")]
