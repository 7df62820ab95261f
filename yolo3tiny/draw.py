"""Draws boxes into a picture, with OpenCV alone."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

GREEN = (60, 200, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MIN_TEXT_PX = 8
_WIDEST_PLATE = 2.0  # times the width of its box: more would bury the neighbours in a crowd


def draw_boxes(
    image: np.ndarray,
    boxes_xyxy: np.ndarray,
    scores: Sequence[float] | np.ndarray | None = None,
    color_bgr: Sequence[int] = GREEN,
) -> np.ndarray:
    """Draws boxes, and scores where they are given.

    Lines grow with the picture, and stay thin on small boxes. A score stands above its box, or inside where
    the picture has no room above; it is left out where it fits nowhere, or is far wider than its box.

    Args:
        image: uint8 [H, W, 3] in BGR; it is not changed.
        boxes_xyxy: Float or integer [N, 4] in pixels; they may reach out of the picture.
        scores: [N] in 0..1; None writes none.
        color_bgr: Colour of the lines, 0..255.

    Returns:
        A new uint8 [H, W, 3].

    Raises:
        ValueError: The image is not uint8 [H, W, 3], or there are not as many finite boxes as scores.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"expected an image uint8 [H, W, 3], got {got}")
    boxes = np.asarray(boxes_xyxy, np.float64)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"expected finite boxes [N, 4], got shape {boxes.shape}")
    if scores is not None and np.shape(scores) != boxes.shape[:1]:
        raise ValueError(f"expected a score for each of {len(boxes)} boxes, got shape {np.shape(scores)}")
    color = tuple(int(value) for value in color_bgr)
    height, width = image.shape[:2]
    # What lies far outside is not seen, and might not fit OpenCV's integers.
    corners = np.clip(boxes, -max(height, width), 2 * max(height, width)).round().astype(int).tolist()
    drawn = np.ascontiguousarray(image).copy()
    for left, top, right, bottom in corners:
        thickness = _thickness(max(height, width), max(right - left, bottom - top))
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), color, thickness)
    # Texts last, so that no line crosses one.
    for (left, top, right, _), score in zip(corners, scores if scores is not None else ()):
        _draw_score(drawn, f"{score:.2f}", left, top, right - left, color)
    return drawn


def _thickness(picture_side: int, box_side: int) -> int:
    return max(1, min(round(picture_side / 400), round(box_side / 16)))


def _draw_score(drawn: np.ndarray, text: str, left: int, top: int, box_width: int, color: tuple[int, ...]) -> None:
    """Writes one text on a plate of the box's colour, in place, where there is room."""
    picture_h, picture_w = drawn.shape[:2]
    text_px = round(min(max(_MIN_TEXT_PX, box_width / 6), max(picture_h, picture_w) / 40 + _MIN_TEXT_PX))
    line = max(1, round(text_px / 14))
    scale = cv2.getFontScaleFromHeight(_FONT, text_px, line)
    (text_w, text_h), _ = cv2.getTextSize(text, _FONT, scale, line)
    edge = line + 2
    plate_w, plate_h = text_w + 2 * edge, text_h + 2 * edge
    if plate_w > min(picture_w, _WIDEST_PLATE * box_width) or plate_h > picture_h:
        return
    x = min(max(0, left), picture_w - plate_w)
    y = top - plate_h if top >= plate_h else max(0, top)
    y = min(y, picture_h - plate_h)
    cv2.rectangle(drawn, (x, y), (x + plate_w - 1, y + plate_h - 1), color, cv2.FILLED)
    luma = np.dot(color, (0.114, 0.587, 0.299))
    ink = (0, 0, 0) if luma > 128 else (255, 255, 255)
    cv2.putText(drawn, text, (x + edge, y + edge + text_h), _FONT, scale, ink, line, cv2.LINE_AA)
