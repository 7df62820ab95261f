"""Landmarks with the shipped detector: faces for a training, which must meet its jitter, and points drawn in images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.drawing import draw_points
from fer_paddle.landmarks.data.faces import (
    PACK,
    LandmarkFaces,
    cut_faces,
    draw_landmark_faces,
    hold_out,
    join_faces,
    load_faces,
    make_landmark_faces,
    read_pack,
)
from fer_paddle.landmarks.data.readers import MarkedPhoto, read_300w, read_groups, read_wflw
from fer_paddle.landmarks.measures import measure_face
from fer_paddle.landmarks.pose import draw_axes, estimate_pose
from fer_paddle.messages import track
from yolo3tiny.boxes import iou
from yolo3tiny.predict import Detections, Detector

MIN_SCORE, MIN_IOU = 0.3, 0.4
BORDER = 0.5  # about a crop, as a ratio of its side: a detector is not made for a face that fills the image


def detect_boxes(faces: LandmarkFaces, detector: Callable[..., Detections], border: float = 0.0) -> LandmarkFaces:
    """Put the detector's boxes in the place of guesses where it finds the face; `border` repeats the edge of images."""
    boxes, detected = faces.boxes_xyxy.copy(), faces.detected.copy()
    image: np.ndarray | None = None
    found = np.zeros((0, 4), np.float32)
    for row in track(range(len(faces)), "faces"):
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
    for photo in track(photos, "photos"):
        faces = make_landmark_faces([photo.image] * len(photo.points), photo.points, photo.source, photo.split)
        parts.append(cut_faces(detect_boxes(faces, detector)))
    return join_faces(parts)


def read_crops(
    layout: str, photos: Path | None, marks: Path | None, count: int, detector: Callable[..., Detections]
) -> LandmarkFaces:
    """Read faces of one of the layouts of `landmarks crops`, and cut them by the detector's boxes."""
    unused = photos if layout in ("pack", "drawn") else marks if layout == "300w" else None
    if unused or (marks and layout == "drawn"):
        raise ValueError(f"expected no {unused or marks} for the layout {layout}, got it")
    if layout == "pack":
        return cut_faces(detect_boxes(read_pack(marks), detector, BORDER))
    if layout == "drawn":
        drawn = draw_landmark_faces(count)
        split = np.where(np.arange(count) % 5 == 4, "val", "train")
        return cut_faces(detect_boxes(dataclasses.replace(drawn, split=split), detector))
    if photos is None or (layout == "wflw" and marks is None):
        needed = "--photos and --marks" if layout == "wflw" else "--photos"
        raise ValueError(f"expected {needed} for the layout {layout}, got none")
    if layout == "wflw":
        assert marks is not None
        return cut_photos(read_wflw(marks, photos), detector)
    return cut_photos(read_300w(photos) if layout == "300w" else read_groups(photos, marks), detector)


def load_detected(name: str, split: str, detector: Callable[..., Detections] | None = None) -> LandmarkFaces:
    """Read the faces of a split: of a file of `landmarks crops`, or of the pack, with boxes of the shipped detector."""
    if Path(name).name != PACK:
        return _take_split(load_faces(name), split, name)
    faces = read_pack(None if name == PACK else Path(name).parent)
    return detect_boxes(_take_split(faces, split, name), detector or Detector(), BORDER)


def _take_split(faces: LandmarkFaces, split: str, name: str) -> LandmarkFaces:
    faces = hold_out(faces)
    if split not in faces.split:
        raise ValueError(f"expected faces of the split {split} in {name}, got {', '.join(sorted(set(faces.split)))}")
    return faces.take(faces.split == split)


def make_annotator(
    detector: Callable[..., Detections], landmarker: Callable[[np.ndarray, np.ndarray], np.ndarray], min_score: float
) -> Callable[[np.ndarray, float], tuple[dict[str, Any], np.ndarray]]:
    """Make a function for image_files.annotate_files: an image -> its faces, and a copy with their points."""

    def annotate(image: np.ndarray, scale: float) -> tuple[dict[str, Any], np.ndarray]:
        found, faces, drawn = detector(image, min_score=min_score), [], image
        for box, score, points in zip(found.boxes_xyxy, found.scores, landmarker(image, found.boxes_xyxy)):
            pose, places = estimate_pose(points, (image.shape[0], image.shape[1])), np.round(points.astype(float), 2)
            record = {"box_xyxy": np.round(box.astype(float), 2).tolist(), "score": round(float(score), 4)}
            words = {"pose": pose.to_json(), "measures": measure_face(points).to_json(), "points_xy": places.tolist()}
            faces.append(record | words)
            drawn = draw_axes(draw_points(drawn, points), pose)
        return {"faces": faces}, drawn

    return annotate
