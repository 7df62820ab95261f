"""Boxes as NumPy arrays: two ways to write them, their overlap, and how an image fits the network's input.

xyxy is left, top, right, bottom; cxcywh is center, width, height (YOLO). Coordinates are continuous: a box that
covers exactly the first pixel is 0, 0, 1, 1 in xyxy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fer_paddle.images import to_bgr

PAD_GRAY = 114  # near the mean of images, so that the border is no strong edge
AVERAGED = 2 / 3  # largest scale at which an image is averaged, not interpolated


def cxcywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Turn center x, center y, width, height [..., 4] into left, top, right, bottom [..., 4]."""
    boxes = _to_floats(boxes)
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def xyxy_to_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """Turn left, top, right, bottom [..., 4] into center x, center y, width, height [..., 4]."""
    boxes = _to_floats(boxes)
    size = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([boxes[..., :2] + size / 2, size], axis=-1)


def area(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Return the area [...] of boxes [..., 4]; a box turned inside out has none."""
    boxes_xyxy = _to_floats(boxes_xyxy)
    return np.maximum(boxes_xyxy[..., 2:] - boxes_xyxy[..., :2], 0).prod(axis=-1)


def intersection(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return the area [..., N, M] of the overlap of every xyxy box [..., N, 4] with every box [..., M, 4]."""
    # One coordinate after another: five times as fast as [..., N, M, 2] and its product.
    ax1, ay1, ax2, ay2 = np.moveaxis(_to_floats(boxes_a), -1, 0)[..., :, None]
    bx1, by1, bx2, by2 = np.moveaxis(_to_floats(boxes_b), -1, 0)[..., None, :]
    overlap_w = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    overlap_h = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    return overlap_w * overlap_h


def iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Return the IoU [..., N, M] in 0..1 of xyxy boxes [..., N, 4] and [..., M, 4]; 0 where both are empty."""
    overlap = intersection(boxes_a, boxes_b)
    union = area(boxes_a)[..., :, None] + area(boxes_b)[..., None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def clip(boxes_xyxy: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Cut boxes [..., 4] off at the borders of an image of size_hw (height, width) pixels."""
    height, width = size_hw
    return np.clip(_to_floats(boxes_xyxy), 0, np.array([width, height, width, height], dtype=np.float32))


def pair_greedily(scores: np.ndarray, least: float) -> np.ndarray:
    """Pair rows and columns of scores [N, M] one to one, the highest first, none below `least` -> int64 [P, 2]."""
    left, pairs = np.array(scores, np.float64), []
    while left.size and left.max() >= least:
        row, column = np.unravel_index(left.argmax(), left.shape)
        pairs.append((row, column))
        left[row], left[:, column] = -np.inf, -np.inf
    return np.array(pairs, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Letterbox:
    """How an image lies in the padded one: network pixel = image pixel * scale + (left, top)."""

    scale: float
    left: int
    top: int

    def from_photo(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Map boxes [..., 4] in pixels of the image to float32 pixels of the padded one."""
        return (_to_floats(boxes_xyxy) * self.scale + self._offset).astype(np.float32)

    def to_photo(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Map boxes [..., 4] in pixels of the padded image to float32 pixels of the image, not clipped."""
        return ((_to_floats(boxes_xyxy) - self._offset) / self.scale).astype(np.float32)

    @property
    def _offset(self) -> np.ndarray:
        return np.array([self.left, self.top, self.left, self.top], dtype=np.float32)


def letterbox(
    image: np.ndarray, size_hw: tuple[int, int] | None = None, *, longest: int = 416, stride: int = 32
) -> tuple[np.ndarray, Letterbox]:
    """Scale an image without changing its shape and center it on gray.

    Args:
        image: uint8 [H, W, 3], or gray [H, W].
        size_hw: Height and width of the result, multiples of stride. None: the longest side becomes `longest`
            and both sides are padded only up to the next multiple of stride, which saves work on long images.
        longest: Longest side in pixels when size_hw is None.
        stride: The coarsest stride of the network.

    Returns:
        The padded image uint8 [h, w, 3], and the Letterbox that maps boxes both ways.
    """
    image = to_bgr(image)
    height, width = image.shape[:2]
    scale = min(size_hw[0] / height, size_hw[1] / width) if size_hw else longest / max(height, width)
    new_h, new_w = max(1, round(height * scale)), max(1, round(width * scale))
    padded_h, padded_w = size_hw or (-(-new_h // stride) * stride, -(-new_w // stride) * stride)
    top, left = (padded_h - new_h) // 2, (padded_w - new_w) // 2
    if (new_h, new_w) != (height, width):
        # Far down, linear would skip pixels and hide small faces; above it, averaging would take most of the time.
        interpolation = cv2.INTER_AREA if scale <= AVERAGED else cv2.INTER_LINEAR
        image = cv2.resize(image, (new_w, new_h), interpolation=interpolation)
    padded = np.full((padded_h, padded_w, 3), PAD_GRAY, dtype=np.uint8)
    padded[top : top + new_h, left : left + new_w] = image
    return padded, Letterbox(scale, left, top)


def _to_floats(boxes: np.ndarray) -> np.ndarray:
    """Return boxes as they are, integer coordinates as float32, so that halves and ratios are not cut off."""
    boxes = np.asarray(boxes)
    return boxes if np.issubdtype(boxes.dtype, np.floating) else boxes.astype(np.float32)
