"""The training loss of both networks, in four named terms.

The targets are built in NumPy, because no gradient flows through them; the terms are a few Paddle operations
over all predictions of all heads at once.

Source: Redmon & Farhadi, YOLOv3, 2018, arXiv:1804.02767, section 2, with the arithmetic of
paddle.vision.ops.yolo_loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_paddle.environment import paddle
from yolo3tiny.anchors import ANCHORS, STRIDES, anchor_masks, size_iou
from yolo3tiny.boxes import cxcywh_to_xyxy, intersection
from yolo3tiny.decode import boxes_cxcywh, by_cell, check_heads, prior_boxes

nn = paddle.nn
TERMS = ("xy", "wh", "objectness", "class")
MIN_SIDE = 1e-6  # a row of the targets with a smaller side, in 0..1 of the image, is padding
IGNORED_RATIO = 0.5  # a prediction with more than this ratio of its area in an ignored box is not judged


@dataclass(frozen=True)
class Targets:
    """What the N * P predictions of a batch should be; K pairs of a truth and a prediction that learns it."""

    objectness: np.ndarray  # float32 [N, P], 0 or 1
    objectness_weight: np.ndarray  # float32 [N, P], 0 where it is not judged
    slots: np.ndarray  # int64 [K], positions in the flattened N * P
    offsets: np.ndarray  # float32 [K, 2], center inside its cell, 0..1
    log_sizes: np.ndarray  # float32 [K, 2], log(truth / anchor)
    box_weights: np.ndarray  # float32 [K, 1]


class Yolo3Loss(paddle.nn.Layer):
    """Mean over the images of a batch of the terms summed over their predictions.

    A truth is learned by the cell that holds its center, with the anchor, of all heads, whose size fits
    best. xy and class are cross-entropies of sigmoids, wh is the L1 distance of logarithms; xy and wh weigh
    2 - w * h, so that small boxes count more. Objectness is a cross-entropy over all predictions, except
    those that overlap a truth well but need not learn it, and those that lie in an ignored box.

    Args:
        anchors: Width and height in input pixels of all anchors.
        strides: For each head, input pixels per cell.
        ignore_iou: A prediction whose IoU with some truth is larger counts as no negative.
        extra_anchor_iou: Every anchor whose size has a larger IoU than this with a truth learns it too,
            unless another truth has that place with its best anchor; this gives more positives. None: only
            the best anchor. Source: Bochkovskiy et al., YOLOv4, 2020, arXiv:2004.10934, section 3.4.
    """

    def __init__(
        self,
        anchors: Sequence = ANCHORS,
        strides: Sequence[int] = STRIDES,
        ignore_iou: float = 0.7,
        extra_anchor_iou: float | None = None,
    ) -> None:
        super().__init__()
        self.anchors, self.strides = anchors, strides
        self.ignore_iou, self.extra_anchor_iou = ignore_iou, extra_anchor_iou

    def forward(self, heads: Sequence[paddle.Tensor], targets: Sequence) -> dict[str, paddle.Tensor]:
        """Compute the terms; targets are boxes cxcywh in 0..1, float32 [N, M, 4], padded by 0, and ignore [N, M]."""
        check_heads(heads, len(self.anchors), self.strides)
        raw = paddle.concat([by_cell(head) for head in heads], axis=1)  # [N, P, 6]
        built = self.build_targets(raw.numpy(), [head.shape[2:] for head in heads], targets)
        terms = dict.fromkeys(TERMS, paddle.zeros([]))
        terms["objectness"] = _cross_entropy(raw[:, :, 4], built.objectness, built.objectness_weight)
        if len(built.slots):  # Paddle cannot sum an empty tensor
            hits = paddle.gather(raw.reshape([-1, raw.shape[2]]), paddle.to_tensor(built.slots))  # [K, 6]
            log_sizes, box_weights = paddle.to_tensor(built.log_sizes), paddle.to_tensor(built.box_weights)
            terms["xy"] = _cross_entropy(hits[:, :2], built.offsets, built.box_weights)
            terms["wh"] = ((hits[:, 2:4] - log_sizes).abs() * box_weights).sum()
            ones = np.ones((len(built.slots), 1), np.float32)
            terms["class"] = _cross_entropy(hits[:, 5:], ones, ones)
        return {name: term * (1 / raw.shape[0]) for name, term in terms.items()}

    def build_targets(self, raw: np.ndarray, heads_hw: Sequence, targets: Sequence) -> Targets:
        """Match truths with the raw predictions float32 [N, P, 6] that learn them, in the order of decode."""
        boxes, ignore = _unpack(targets)
        input_wh = np.array(heads_hw[0][::-1], dtype=np.float32) * self.strides[0]
        priors = prior_boxes(heads_hw, self.anchors, self.strides)
        unjudged = self._unjudged(boxes_cxcywh(raw, priors), boxes * np.tile(input_wh, 2), ignore)
        image_at, box_at, slots = self._match(boxes, ~ignore, heads_hw, input_wh)
        truths = boxes[image_at, box_at]
        objectness = np.zeros(raw.shape[:2], dtype=np.float32)
        objectness.flat[slots] = 1
        objectness_weight = np.where(unjudged, np.float32(0), np.float32(1))
        objectness_weight.flat[slots] = 1
        prior = priors[slots % len(priors)]  # [K, 5]
        return Targets(
            objectness=objectness,
            objectness_weight=objectness_weight,
            slots=slots,
            offsets=truths[:, :2] * input_wh / prior[:, 4:] - prior[:, :2],
            log_sizes=np.log(truths[:, 2:] * input_wh / prior[:, 2:4]),
            box_weights=(2 - truths[:, 2] * truths[:, 3])[:, None],
        )

    def _unjudged(self, predicted: np.ndarray, boxes: np.ndarray, ignore: np.ndarray) -> np.ndarray:
        """Return which predictions [N, P] lie well on one of the boxes [N, M], all cxcywh in pixels."""
        found = np.zeros(predicted.shape[:2], bool)
        for index, (mine, truths, skipped) in enumerate(zip(predicted, boxes, ignore)):
            used = truths[:, 2] > 0  # one image at a time, without its padding: a crowd has many boxes, others few
            truths, skipped = truths[used], skipped[used]
            overlap = intersection(cxcywh_to_xyxy(truths), cxcywh_to_xyxy(mine))  # [M, P]
            area = mine[:, 2:].prod(axis=-1)[None]
            union = area + truths[:, 2:].prod(axis=-1)[:, None] - overlap
            limit = np.where(skipped[:, None], IGNORED_RATIO * area, self.ignore_iou * union)
            found[index] = (overlap > limit).any(axis=0)
        return found

    def _match(
        self, boxes: np.ndarray, learnable: np.ndarray, heads_hw: Sequence, input_wh: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pair truths with predictions: three int64 [K], image and box of the truth, place in the flattened N * P."""
        starts = np.zeros(len(self.anchors), np.int64)  # first prediction of each anchor
        grids = np.ones((len(self.anchors), 2), dtype=np.float32)  # columns and rows of its head
        num_priors = 0
        for (rows, columns), mask in zip(heads_hw, anchor_masks(len(self.anchors), self.strides)):
            starts[list(mask)] = num_priors + rows * columns * np.arange(len(mask))
            grids[list(mask)] = columns, rows
            num_priors += rows * columns * len(mask)

        anchors = np.array(self.anchors, dtype=np.float32)
        fits = size_iou(boxes[..., 2:] * input_wh, anchors)  # [N, M, anchors]
        possible = (learnable & (boxes[..., 2:] > MIN_SIDE).all(axis=-1))[..., None]
        chosen = possible & (fits.argmax(axis=-1)[..., None] == np.arange(len(self.anchors)))
        # A center on the far border belongs to the last cell.
        cells = np.clip(boxes[..., None, :2] * grids, 0, grids - 1).astype(np.int64)  # [N, M, anchors, 2]
        slots = starts + cells[..., 1] * grids[:, 0].astype(np.int64) + cells[..., 0]
        slots += num_priors * np.arange(len(boxes))[:, None, None]
        if self.extra_anchor_iou is not None:
            chosen |= possible & (fits > self.extra_anchor_iou) & ~np.isin(slots, slots[chosen])
        image_at, box_at, _ = np.nonzero(chosen)
        return image_at, box_at, slots[chosen]


def _cross_entropy(logits: paddle.Tensor, wanted: np.ndarray, weights: np.ndarray) -> paddle.Tensor:
    losses = nn.functional.binary_cross_entropy_with_logits(logits, paddle.to_tensor(wanted), reduction="none")
    return (losses * paddle.to_tensor(weights)).sum()


def _unpack(targets: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Leave out columns that are padding in every image."""
    boxes, ignore = np.asarray(targets[0], dtype=np.float32), np.asarray(targets[1])
    used = boxes[..., 2].any(axis=0)
    return boxes[:, used], ignore[:, used] > 0
