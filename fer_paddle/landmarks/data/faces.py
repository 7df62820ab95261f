"""Faces with 68 points and the box that a detector gives them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.drawn import make_faces
from fer_paddle.environment import find_data
from fer_paddle.files import replacing
from fer_paddle.images import cut_square, resize, to_gray
from fer_paddle.landmarks.points import NUM_POINTS, box_of_points, check_points
from fer_paddle.packs import read_arrays
from fer_paddle.study import digest

PACK, GROUPS = "landmarks68_160.npz", "landmarks_groups.npz"
HELD_OUT_EVERY = 10
CROP_PX = 160  # side of the crops that `cut_faces` keeps
CROP_SIDE = 2.0  # side of those crops in sides of the face's box: room for shift, scale and rotation
# Box of the shipped detector about the box of the points, in sides of the latter: center x, y, width, height. Medians
# over the faces of the pack's training part that it finds.
FACE_BOX = (0.5, 0.34, 1.04, 1.31)


@dataclasses.dataclass(frozen=True, eq=False)
class LandmarkFaces:
    """Faces with their points; anything that does not fit is a ValueError."""

    # N arrays uint8, [H, W, 3] BGR or [H, W] gray: a photo or a crop with room about the face
    images: Sequence[np.ndarray]
    points: np.ndarray  # float32 [N, 68, 2] in pixels of the image
    boxes_xyxy: np.ndarray  # float32 [N, 4] in pixels of the image: what a detector gives, or a guess from the points
    detected: np.ndarray  # bool [N], whether the box is a detector's
    source: np.ndarray  # str [N], the collection that a face comes from
    split: np.ndarray  # str [N], one of labels.SPLITS

    def __post_init__(self) -> None:
        count = len(self.images)
        shapes = [np.shape(a) for a in (self.points, self.boxes_xyxy, self.detected, self.source, self.split)]
        if shapes != [(count, NUM_POINTS, 2), (count, 4), (count,), (count,), (count,)]:
            expected = f"points [N, {NUM_POINTS}, 2], boxes [N, 4] and three [N] for N = {count}"
            raise ValueError(f"expected {expected}, got {shapes}")
        check_points(self.points)
        if not np.isfinite(self.boxes_xyxy).all() or not (self.boxes_xyxy[:, 2:] > self.boxes_xyxy[:, :2]).all():
            raise ValueError("expected finite boxes with left < right and top < bottom, got others")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, chosen: np.ndarray) -> LandmarkFaces:
        """Return some of the faces, by indices or by a bool array [N]."""
        rows = np.arange(len(self))[chosen]
        rest = {field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)[1:]}
        return LandmarkFaces([self.images[row] for row in rows], **rest)

    def digest(self) -> str:
        """Return 16 hexadecimal digits that change with any pixel, point or box."""
        return digest(list(self.images), self.points, self.boxes_xyxy)


def make_landmark_faces(
    images: Sequence[np.ndarray],
    points: np.ndarray,
    source: str | Sequence[str] = "",
    split: str | Sequence[str] = "train",
) -> LandmarkFaces:
    """Give images with points [N, 68, 2] the boxes that a detector would be likely to give them."""
    points = check_points(points).astype(np.float32)
    count = len(images)
    words = [np.array([word] * count if isinstance(word, str) else list(word), str) for word in (source, split)]
    return LandmarkFaces(images, points, face_boxes(points), np.zeros(count, bool), *words)


def face_boxes(points: np.ndarray) -> np.ndarray:
    """Guess the detector's boxes from points [N, 68, 2]: float32 [N, 4]."""
    tight = box_of_points(points)
    size = tight[:, 2:] - tight[:, :2]
    center, half = tight[:, :2] + size * FACE_BOX[:2], size * FACE_BOX[2:] / 2
    return np.concatenate([center - half, center + half], axis=1).astype(np.float32)


def join_faces(parts: Iterable[LandmarkFaces]) -> LandmarkFaces:
    """Join sets of faces in order."""
    parts = list(parts)
    names = [field.name for field in dataclasses.fields(LandmarkFaces)[1:]]
    images = [image for part in parts for image in part.images]
    return LandmarkFaces(images, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def read_pack(folder: str | os.PathLike[str] | None = None) -> LandmarkFaces:
    """Read landmarks68_160.npz: crops of 160 px of AFW, HELEN and YouTube Faces with their points."""
    pack = read_arrays(find_data(PACK, folder), ("jpg", "offsets", "pts", "source", "split"))
    jpg, offsets, points = pack["jpg"], pack["offsets"], pack["pts"]
    source, split = pack["source"].tolist(), pack["split"].tolist()
    ends = zip(offsets, offsets[1:])
    images = [cv2.imdecode(jpg[start:end], cv2.IMREAD_COLOR) for start, end in ends]
    return make_landmark_faces(images, points, source, split)


def draw_landmark_faces(count: int, size: int = 128, seed: int = 0) -> LandmarkFaces:
    """Draw portraits by fer_paddle.drawn, whose points are exact."""
    drawn = make_faces(count, size, seed)
    return make_landmark_faces(list(drawn.images), drawn.points, "drawn")


def cut_faces(faces: LandmarkFaces) -> LandmarkFaces:
    """Cut out the gray surroundings of each face, CROP_SIDE longer sides of its box, to CROP_PX: fast to read."""
    crops, points, boxes = [], np.empty_like(faces.points), np.empty_like(faces.boxes_xyxy)
    for row, (image, box) in enumerate(zip(faces.images, faces.boxes_xyxy)):
        crop, (left, top) = cut_square(image, box, (CROP_SIDE - 1) / 2)
        scale = CROP_PX / crop.shape[0]
        crops.append(resize(to_gray(crop), CROP_PX))
        points[row] = (faces.points[row] - (left, top)) * scale
        boxes[row] = (box - (left, top, left, top)) * scale
    return dataclasses.replace(faces, images=crops, points=points, boxes_xyxy=boxes)


def hold_out(faces: LandmarkFaces) -> LandmarkFaces:
    """Return faces that have a split val: where none is there, every HELD_OUT_EVERY-th face of train belongs to it."""
    if "val" in faces.split:
        return faces
    split = faces.split.astype(object)
    split[np.flatnonzero(split == "train")[::HELD_OUT_EVERY]] = "val"
    return dataclasses.replace(faces, split=split.astype(str))


def save_faces(path: str | os.PathLike[str], faces: LandmarkFaces) -> None:
    """Write faces whose images have one shape as `.npz`."""
    arrays = {field.name: np.asarray(getattr(faces, field.name)) for field in dataclasses.fields(faces)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_faces(path: str | os.PathLike[str]) -> LandmarkFaces:
    """Read what `save_faces` wrote."""
    arrays = read_arrays(path, [field.name for field in dataclasses.fields(LandmarkFaces)])
    return LandmarkFaces(list(arrays.pop("images")), **arrays)
