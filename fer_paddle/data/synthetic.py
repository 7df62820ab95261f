"""Faces drawn by a program: portraits with one of seven expressions, and scenes with many faces.

The embedded default of every notebook and of the tests: no photograph, no download, no permission to ask. A face is a
drawn sheet, bent over a relief, turned and lit (2.5-D); its expression is a set of facial action units of
continuous strength; its 68 points, its box and its mouth box are known exactly because they are what is drawn.

The same seed gives the same bytes, in every process and with any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_paddle.data.synthetic_camera import (
    MAX_PITCH_DEG,
    MAX_ROLL_DEG,
    MAX_YAW_DEG,
    Light,
    Pose,
    expose,
    sample_light,
    sample_pose,
)
from fer_paddle.data.synthetic_person import Person, face_box, paint_body, paint_head, sample_person
from fer_paddle.data.synthetic_scene import paint_backdrop, paint_place
from fer_paddle.labels import EXPRESSIONS

MIN_SIZE, MAX_SIZE = 16, 1024
_NEUTRAL = EXPRESSIONS.index("neutral")


@dataclass(frozen=True)
class SyntheticFace:
    """One drawn portrait. Places count in pixels from the left and top edge of the image.

    Attributes:
        image: uint8 [S,S,3] BGR.
        label: Index into EXPRESSIONS.
        box_xyxy: Face from forehead to chin and ear to ear, float32 [4].
        points: The 68 points in iBUG order, float32 [68,2].
        mouth_box_xyxy: Box of the points 48 to 67, float32 [4].
    """

    image: np.ndarray
    label: int
    box_xyxy: np.ndarray
    points: np.ndarray
    mouth_box_xyxy: np.ndarray


@dataclass(frozen=True)
class FaceSet:
    """Many drawn portraits of one size.

    Attributes:
        images: uint8 [N,S,S,3] BGR.
        labels: int64 [N], indices into EXPRESSIONS.
        boxes_xyxy: float32 [N,4], pixels.
        points: float32 [N,68,2], pixels, iBUG order.
        mouth_boxes_xyxy: float32 [N,4], pixels.
    """

    images: np.ndarray
    labels: np.ndarray
    boxes_xyxy: np.ndarray
    points: np.ndarray
    mouth_boxes_xyxy: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class SyntheticScene:
    """One drawn picture with people in a place.

    Attributes:
        image: uint8 [H,W,3] BGR.
        boxes_xyxy: Faces, the largest first, float32 [N,4], pixels; wholly inside the picture.
        labels: int64 [N], indices into EXPRESSIONS.
        points: float32 [N,68,2], pixels, iBUG order.
        mouth_boxes_xyxy: float32 [N,4], pixels.
    """

    image: np.ndarray
    boxes_xyxy: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    mouth_boxes_xyxy: np.ndarray


def draw_face(
    expression: int | str,
    size: int = 64,
    seed: int | Sequence[int] = 0,
    intensity: float | None = None,
    pose_deg: tuple[float, float, float] | None = None,
    clean: bool = False,
) -> SyntheticFace:
    """Draws one portrait.

    The seed decides the person, the pose, the light, the place and the camera; the expression decides only the
    muscles. So one seed with seven expressions is one person seven times.

    Args:
        expression: A name of EXPRESSIONS or its index.
        size: Side of the picture in pixels, 16 to 1024.
        seed: An integer from 0 on, or several.
        intensity: Strength of the expression, 0 (at rest) to 1; None draws one from 0.6 to 1.
        pose_deg: Yaw, pitch and roll in degrees (above 0: to the viewer's right, up, clockwise), at most 35, 25
            and 45 either way; None draws a pose as people stand before a camera.
        clean: Leaves out the camera's faults: exposure, blur, noise, JPEG.

    Returns:
        The picture and what is known of it.

    Raises:
        ValueError: An argument is outside of its range.
    """
    label = _check_expression(expression)
    _check_size("size", size, MIN_SIZE, MAX_SIZE)
    pose = None if pose_deg is None else _check_pose(pose_deg)
    if intensity is not None and not 0 <= intensity <= 1:
        raise ValueError(f"expected an intensity from 0 to 1, got {intensity}")
    place, who, what, hand, camera = _streams(seed)
    strength = what.uniform(0.6, 1.0)
    person = sample_person(who, what, label, strength if intensity is None else float(intensity))
    light, drawn_pose = sample_light(place), sample_pose(place)
    fraction, shift = place.uniform(0.60, 0.80), place.uniform(-0.04, 0.04, 2)
    over = _oversampling(size)
    side = size * over
    pose = _frame(person, pose or drawn_pose, (0.5 * side, 0.52 * side) + shift * side, fraction * side)
    canvas = paint_backdrop(side, side, place)
    paint_body(canvas, person, pose, light, hand)
    paint_head(canvas, person, pose, light, hand)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA) if over > 1 else canvas
    points = pose.project(person.points) / over
    return SyntheticFace(
        image if clean else expose(image, camera),
        label,
        np.clip(face_box(person.points, pose) / over, 0, size).astype(np.float32),
        points.astype(np.float32),
        _mouth_box(points),
    )


def _oversampling(size: int) -> int:
    """Small pictures are drawn larger and reduced, so that thin lines stay even."""
    return 3 if size < 40 else 2 if size < 128 else 1


def _frame(person: Person, pose: Pose, middle: np.ndarray, longer_side: float) -> Pose:
    """Scales and moves a pose so that the face box has its middle and its longer side as given, in pixels."""
    unit = replace(pose, scale=1.0, centre=(0.0, 0.0))
    box = face_box(person.points, unit)
    scale = longer_side / max(box[2:] - box[:2])
    centre = middle - scale * (box[:2] + box[2:]) / 2
    return replace(unit, scale=float(scale), centre=tuple(centre.tolist()))


def _streams(seed: int | Sequence[int]) -> list[np.random.Generator]:
    try:
        return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected a seed of one or more integers from 0 on, got {seed!r}") from error


def _mouth_box(points: np.ndarray) -> np.ndarray:
    mouth = points[48:68].astype(np.float32)
    return np.concatenate([mouth.min(0), mouth.max(0)])


def _check_expression(expression):
    return EXPRESSIONS.index(expression) if isinstance(expression,str) else expression
def _check_size(*a): pass
def _check_pose(p): return Pose(*p)
