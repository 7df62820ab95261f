"""Draw faces: portraits with one of seven expressions, and scenes with many faces, for notebooks and tests.

A head is a drawn sheet, bent over a relief, turned and lit (2.5-D); its expression is a set of facial action units;
its box and 68 points are known exactly. The same seed gives the same bytes, in every process and with any number
of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import sample_identity
from fer_paddle.drawn.camera import MAX_PITCH_DEG, MAX_ROLL_DEG, MAX_YAW_DEG, Pose, expose, sample_light, sample_pose
from fer_paddle.drawn.person import face_box, paint_body, paint_head, sample_person
from fer_paddle.drawn.scene import LARGEST_SHARE, paint_place, paint_placed, place_people, sample_sizes
from fer_paddle.labels import EXPRESSIONS, parse_expression

MIN_SIZE, MAX_SIZE = 16, 1024  # sides of a portrait in pixels
MIN_SIDE, MAX_SIDE = 64, 4096  # sides of a scene in pixels
MIN_FACE, MAX_FACES = 8, 200


@dataclass(frozen=True)
class SyntheticFace:
    """One drawn portrait; places count in pixels from the left and top edge of the image."""

    image: np.ndarray  # uint8 [S,S,3] BGR
    label: int  # index into EXPRESSIONS
    box_xyxy: np.ndarray  # face from forehead to chin and ear to ear, float32 [4]
    points: np.ndarray  # the 68 points in iBUG order, float32 [68,2]


@dataclass(frozen=True)
class SyntheticFaces:
    """What is known of N drawn faces: labels int64 [N]; in pixels boxes float32 [N,4] and points float32 [N,68,2]."""

    labels: np.ndarray
    boxes_xyxy: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class FaceSet(SyntheticFaces):
    """Drawn portraits of one size: `images` is uint8 [N,S,S,3] BGR."""

    images: np.ndarray


@dataclass(frozen=True)
class SyntheticScene(SyntheticFaces):
    """One drawn image of people in a place: `image` is uint8 [H,W,3] BGR; the largest face first, all inside."""

    image: np.ndarray


def draw_face(
    expression: int | str,
    size: int = 64,
    seed: int | Sequence[int] = 0,
    intensity: float | None = None,
    pose_deg: tuple[float, float, float] | None = None,
    clean: bool = False,
) -> SyntheticFace:
    """Draw one portrait.

    The seed decides the person, the pose, the light, the place and the camera, the expression only the muscles: one
    seed with seven expressions is one person seven times.

    Args:
        expression: A name of EXPRESSIONS or its index.
        size: Side of the image in pixels, 16 to 1024.
        seed: An integer from 0 on, or several.
        intensity: Strength of the expression, 0 (at rest) to 1; None draws one from 0.7 to 1.
        pose_deg: Yaw, pitch and roll in degrees (above 0: to the viewer's right, up, clockwise), at most 35, 25 and 45
            either way; None draws a pose as people stand before a camera.
        clean: Leave out the camera's faults: exposure, blur, noise, JPEG.
    """
    label = _check_expression(expression)
    _check_whole("size", size, MIN_SIZE, MAX_SIZE)
    if pose_deg is not None:
        _check_pose(pose_deg)
    if intensity is not None and not (isinstance(intensity, Real) and 0 <= intensity <= 1):
        raise ValueError(f"expected an intensity from 0 to 1, got {intensity!r}")
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(0.7, 1.0)  # in any case, so that the person is the same
    strength = drawn if intensity is None else float(intensity)
    person = sample_person(sample_identity(rng), rng, label, strength)
    light, turn = sample_light(rng), sample_pose(rng)
    turn = turn if pose_deg is None else Pose(float(pose_deg[0]), float(pose_deg[1]), float(pose_deg[2]))
    fraction, shift = rng.uniform(0.60, 0.80), rng.uniform(-0.04, 0.04, 2)
    over = 3.0 if size < 40 else 1.5 if size < 128 else 1.0  # small images are reduced, so that thin lines stay even
    side = round(size * over)
    # Framed by the face at rest, so that a dropped jaw does not make the person smaller.
    at_rest, box = face_box(np.stack([person.at_rest, person.points]), turn)
    scale = fraction * side / max(at_rest[2] - at_rest[0], at_rest[3] - at_rest[1])
    center = (np.array([0.5, 0.52]) + shift) * side - scale * (at_rest[:2] + at_rest[2:]) / 2
    center = np.clip(center, 1 - scale * box[:2], side - 1 - scale * box[2:])
    pose = replace(turn, scale=float(scale), center=tuple(center.tolist()))
    canvas = paint_place(side, side, rng)
    paint_body(canvas, person, pose, light)
    paint_head(canvas, person, pose, light)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA if over > 2 else cv2.INTER_LINEAR)
    return SyntheticFace(
        image if clean else expose(image, rng, max(size / 120, 0.5)),
        label,
        ((scale * box + np.tile(center, 2)) * (size / side)).astype(np.float32),
        (pose.project(person.points) * (size / side)).astype(np.float32),
    )


def make_faces(count: int, size: int = 64, seed: int = 0, expressions: Sequence[int | str] = EXPRESSIONS) -> FaceSet:
    """Draw a set of portraits, each of another person, with the expressions in equal numbers.

    Face i is `draw_face(label, size, (seed, i))`; the first k faces of a set are the set of k faces.

    Args:
        count: Number of faces, 0 or more.
        size: Side of the images in pixels, 16 to 1024.
        expressions: Names or indices to draw; one named twice is drawn twice as often.
    """
    _check_whole("count", count, 0, None)
    _check_whole("seed", seed, 0, None)
    _check_whole("size", size, MIN_SIZE, MAX_SIZE)
    if isinstance(expressions, str) or len(expressions) == 0:
        raise ValueError(f"expected a list of one or more expressions, got {expressions!r}")
    choices = [_check_expression(expression) for expression in expressions]
    # In rounds of all choices, each round in another order.
    rounds = range(-(-count // len(choices)))
    orders = (np.random.default_rng((seed, turn, 1)).permutation(len(choices)) for turn in rounds)
    labels = [choices[place] for order in orders for place in order.tolist()][:count]
    faces = [draw_face(label, size, (seed, index)) for index, label in enumerate(labels)]
    return FaceSet(
        np.array(labels, np.int64),
        np.array([face.box_xyxy for face in faces], np.float32).reshape(count, 4),
        np.array([face.points for face in faces], np.float32).reshape(count, 68, 2),
        np.array([face.image for face in faces], np.uint8).reshape(count, size, size, 3),
    )


def draw_scene(
    seed: int | Sequence[int] = 0,
    width: int = 640,
    height: int = 480,
    num_faces: int | None = None,
    min_px: float = 12,
    max_px: float = 200,
) -> SyntheticScene:
    """Draw people in a street or among colored things.

    Args:
        seed: An integer from 0 on, or several.
        width, height: Of the image in pixels, 64 to 4096.
        num_faces: Number of faces, 0 to 200; None draws 1 to 24, fewer where there is no room for all. Where so many
            do not fit, ValueError is raised.
        min_px, max_px: Least and largest longer side of a face's box, 8 or more; never above 0.6 of the image's
            shorter side.
    """
    _check_whole("width", width, MIN_SIDE, MAX_SIDE)
    _check_whole("height", height, MIN_SIDE, MAX_SIDE)
    if num_faces is not None:
        _check_whole("num_faces", num_faces, 0, MAX_FACES)
    limit = LARGEST_SHARE * min(width, height)
    if not all(isinstance(px, Real) for px in (min_px, max_px)) or not MIN_FACE <= min_px <= min(max_px, limit):
        raise ValueError(f"expected {MIN_FACE} <= min_px <= max_px, min_px <= {limit:.0f}, got {min_px}, {max_px}")
    rng = np.random.default_rng(seed)
    light = sample_light(rng)
    image = paint_place(height, width, rng)
    count = int(np.exp(rng.uniform(0.5, np.log(25)))) if num_faces is None else num_faces
    sizes = sample_sizes(rng, width, height, count, min_px, max_px)
    placed = place_people(rng, width, height, sizes, min_px)
    if num_faces is not None and len(placed) < num_faces:
        raise ValueError(f"expected room for {num_faces} faces in {width} x {height} px, found it for {len(placed)}")
    for person, _, pose in reversed(placed):
        paint_placed(image, person, pose, light)
    points = np.array([pose.project(person.points) for person, _, pose in placed], np.float32).reshape(-1, 68, 2)
    boxes = np.array([face_box(person.points, pose) for person, _, pose in placed], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label, _ in placed], np.int64)
    return SyntheticScene(labels, boxes, points, expose(image, rng, 1.0))


def _check_whole(name: str, value: int, least: int, most: int | None) -> None:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ValueError(f"expected {name} to be an integer {limits}, got {value!r}")


def _check_expression(expression: int | str) -> int:
    if isinstance(expression, str):
        return parse_expression(expression)
    _check_whole("an expression's index", expression, 0, len(EXPRESSIONS) - 1)
    return int(expression)


def _check_pose(pose_deg: tuple[float, float, float]) -> None:
    limits = (MAX_YAW_DEG, MAX_PITCH_DEG, MAX_ROLL_DEG)
    fits = (isinstance(angle, Real) and abs(angle) <= limit for angle, limit in zip(pose_deg, limits))
    if len(pose_deg) != 3 or not all(fits):
        raise ValueError(f"expected yaw, pitch and roll within {limits} degrees either way, got {pose_deg}")
