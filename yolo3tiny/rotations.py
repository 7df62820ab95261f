"""Faces that lie on their side or head down: the image is turned by quarters, and what is found is turned back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from fer_paddle.files import check_number
from yolo3tiny.decode import nms
from yolo3tiny.predict import NMS_IOU, Detections

# Degrees clockwise by which an image is turned so that the faces stand upright.
ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def find_faces(
    detect: Callable[..., Detections],
    image: np.ndarray,
    min_score: float = 0.5,
    min_face: float = 0,
    rotations_deg: Sequence[int] = (),
) -> tuple[Detections, np.ndarray]:
    """Find faces of a least side in pixels, in the image as it is and turned by each of `rotations_deg`.

    Returns them in pixels of the image, and int64 [N]: the degrees clockwise that turn each upright.
    """
    check_number("min_face", min_face)
    parts = [(0, detect(image, min_score=min_score))]
    for degrees in rotations_deg:
        found = detect(turn(image, degrees), min_score=min_score)
        parts.append((degrees, turn_back(found, degrees, (image.shape[0], image.shape[1]))))
    boxes = np.concatenate([found.boxes_xyxy for _, found in parts])
    scores = np.concatenate([found.scores for _, found in parts])
    turns = np.concatenate([np.full(len(found), degrees, np.int64) for degrees, found in parts])
    if len(parts) > 1:
        kept = nms(boxes, scores, NMS_IOU)
        boxes, scores, turns = boxes[kept], scores[kept], turns[kept]
    large = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= min_face
    return Detections(boxes[large], scores[large]), turns[large]


def turn(image: np.ndarray, degrees: int) -> np.ndarray:
    """Turn an image clockwise by one of ROTATIONS; by 0 it stays as it is."""
    return image if degrees == 0 else cv2.rotate(image, ROTATIONS[degrees])


def turn_back(found: Detections, degrees: int, shape_hw: tuple[int, int]) -> Detections:
    """Bring faces found in an image that was turned clockwise to the pixels of the image as it was, of shape_hw."""
    corners = turn_points_back(found.boxes_xyxy.reshape(-1, 2, 2), degrees, shape_hw)
    return Detections(np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1), found.scores)


def turn_points_back(points: np.ndarray, degrees: int, shape_hw: tuple[int, int]) -> np.ndarray:
    """Bring points [..., 2] as `turn_back` does boxes; by 0 they stay as they are."""
    x, y, (height, width) = points[..., 0], points[..., 1], shape_hw
    places = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}
    return np.stack(places[degrees], axis=-1)
