"""Faces for the training of landmarks, with the boxes of the shipped detector: a network must meet its jitter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np

from fer_paddle.landmarks.data.faces import LandmarkFaces, cut_faces, join_faces, make_landmark_faces
from fer_paddle.landmarks.data.readers import MarkedPhoto
from yolo3tiny.boxes import iou
from yolo3tiny.predict import Detections

MIN_SCORE, MIN_IOU = 0.3, 0.4
BORDER = 0.5  # about a crop, as a ratio of its side: a detector is not made for a face that fills the image

Progress = Callable[[Iterable[Any]], Iterable[Any]]


def detect_boxes(
    faces: LandmarkFaces, detector: Callable[..., Detections], border: float = 0.0, progress: Progress = iter
) -> LandmarkFaces:
    """Put the detector's boxes in the place of those guessed from the points, where it finds the face.

    Args:
        faces: Faces, one an image or several with the same image one after the other.
        detector: (image, min_score) -> Detections.
        border: Repeated edge pixels about each image while it is searched, as a ratio of its longer side.
        progress: Wraps the faces for a progress bar.
    """
    boxes, detected = faces.boxes_xyxy.copy(), faces.detected.copy()
    image: np.ndarray | None = None
    found = np.zeros((0, 4), np.float32)
    for row in progress(range(len(faces))):
        if faces.images[row] is not image:
            image = faces.images[row]
            pad = round(border * max(image.shape[:2]))
            searched = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
            found = detector(searched, min_score=MIN_SCORE).boxes_xyxy - np.float32(pad)
        overlaps = iou(faces.boxes_xyxy[row : row + 1], found)[0]
        if overlaps.size and overlaps.max() >= MIN_IOU:
            boxes[row], detected[row] = found[overlaps.argmax()], True
    return dataclasses.replace(faces, boxes_xyxy=boxes, detected=detected)


def cut_photos(photos: Iterable[MarkedPhoto], detector: Callable[..., Detections]) -> LandmarkFaces:
    """Find and cut the faces of photos, one photo after the other, so that only crops stay in memory."""
    parts = []
    for photo in photos:
        faces = make_landmark_faces([photo.image] * len(photo.points), photo.points, photo.source, photo.split)
        parts.append(cut_faces(detect_boxes(faces, detector)))
    return join_faces(parts)
