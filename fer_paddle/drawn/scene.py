"""Many drawn people in one place: who stands where, and painting them from the farthest to the nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import sample_identity
from fer_paddle.drawn.camera import Light, Pose, sample_pose
from fer_paddle.drawn.person import (
    HEAD_REACH,
    Person,
    face_box,
    paint_body,
    paint_head,
    sample_person,
)
from fer_paddle.labels import EXPRESSIONS

LARGEST_SHARE = 0.6  # of the picture's shorter side
_TRIES = 150  # places tried for one person before it is drawn smaller
_COVERED = 0.03  # share of a face that a nearer person may cover
_FINE_SCALE = 26.0  # pixels of a face unit from which on a head is painted without oversampling


@dataclass(frozen=True)
class Placed:
    """A person with a place in a picture; `box_xyxy` is the face's, float64 [4], pixels."""

    person: Person
    label: int
    pose: Pose
    box_xyxy: np.ndarray


def frame(points: np.ndarray, pose: Pose, middle: np.ndarray | tuple[float, float], longer_side: float) -> Pose:
    """Scale and moves a pose so that the box of a face gets a given middle and longer side."""
    box = face_box(points, replace(pose, scale=1.0, centre=(0.0, 0.0)))
    scale = float(longer_side / max(box[2] - box[0], box[3] - box[1]))
    x, y = (middle - scale * (box[:2] + box[2:]) / 2).tolist()
    return replace(pose, scale=scale, centre=(x, y))


def sample_sizes(
    rng: np.random.Generator, width: int, height: int, count: int, least: float, most: float
) -> np.ndarray:
    """Draw the sizes of the faces of one picture, the largest first: float64 [count], pixels."""
    room = 0.75 * np.sqrt(width * height / max(count, 1))
    top = float(np.clip(min(room, LARGEST_SHARE * min(width, height)), least, most))
    if rng.random() < 0.5:
        top = float(np.exp(rng.uniform(np.log(least), np.log(top))))
        least = max(least, top / 2.5)
    return np.sort(np.exp(rng.uniform(np.log(least), np.log(top), count)))[::-1]


def place_people(rng: np.random.Generator, width: int, height: int, sizes: np.ndarray, least: float) -> list[Placed]:
    """Find places where no face is covered, the largest faces first."""
    placed: list[Placed] = []
    taken, largest = np.zeros((0, 4)), np.inf
    labels = [
        label for _ in range(len(sizes) // len(EXPRESSIONS) + 1) for label in rng.permutation(len(EXPRESSIONS)).tolist()
    ]
    for size, label in zip(sizes.tolist(), labels):
        person = sample_person(sample_identity(rng), rng, label, rng.uniform(0.7, 1.0))
        turn = sample_pose(rng)
        # Never larger than the one before: who is placed later stands behind.
        size = min(size, largest)
        pose = _find_place(rng, person, turn, size, width, height, taken)
        while pose is None and size > least:
            size = max(size * 0.8, least)
            pose = _find_place(rng, person, turn, size, width, height, taken)
        if pose is not None:
            largest = size
            box = face_box(person.points, pose)
            placed.append(Placed(person, label, pose, box))
            taken = np.concatenate([taken, _reach(box, pose.scale)])
    return placed


def _find_place(
    rng: np.random.Generator,
    person: Person,
    turn: Pose,
    size: float,
    width: int,
    height: int,
    taken: np.ndarray,
) -> Pose | None:
    """Try places for a face; None when nearer people cover it everywhere."""
    pose = frame(person.points, turn, (0.0, 0.0), size)
    half = face_box(person.points, pose)[2:] + 0.5
    low, high = half, np.array([width, height]) - half
    if (low > high).any():
        return None
    spots = low + (high - low) * rng.random((_TRIES, 2))
    # A camera at about eye level: heads stand near one height, those of near people lower, hiding nobody.
    level = rng.normal(0.37 * height + 0.75 * size, 0.09 * height, 2 * _TRIES // 3)
    spots[: len(level), 1] = np.minimum(np.maximum(level, low[1]), high[1])
    boxes = np.concatenate([spots - half, spots + half], axis=1)
    edges = np.maximum(boxes[:, None, :2], taken[:, :2]), np.minimum(boxes[:, None, 2:], taken[:, 2:])
    shared = np.clip(edges[1] - edges[0], 0, None).prod(axis=2).sum(axis=1)
    free = np.flatnonzero(shared <= _COVERED * (4 * half[0] * half[1]))
    return None if len(free) == 0 else replace(pose, centre=tuple((spots[free[0]] + pose.centre).tolist()))


def _reach(box: np.ndarray, scale: float) -> np.ndarray:
    """Return what a person hides: boxes of head with hair and of the body below it, float64 [2,4]."""
    x, top, low = (box[0] + box[2]) / 2, box[1], box[3]
    head = (x - 1.25 * scale, top - 0.85 * scale, x + 1.25 * scale, low + 0.2 * scale)
    body = (x - 2.2 * scale, low + 0.1 * scale, x + 2.2 * scale, low + 15 * scale)
    return np.array([head, body])


def paint_placed(canvas: np.ndarray, one: Placed, light: Light, rng: np.random.Generator) -> None:
    """Paint a placed person into a picture uint8 [H,W,3], in place."""
    paint_body(canvas, one.person, one.pose, light, rng)
    over = int(np.ceil(_FINE_SCALE / one.pose.scale))
    reach = int(HEAD_REACH * one.pose.scale) + 2
    left, top = (max(int(middle) - reach, 0) for middle in one.pose.centre)
    window = canvas[top : int(one.pose.centre[1]) + reach, left : int(one.pose.centre[0]) + reach]
    large = cv2.resize(window, None, fx=over, fy=over, interpolation=cv2.INTER_NEAREST)
    centre = ((one.pose.centre[0] - left) * over, (one.pose.centre[1] - top) * over)
    paint_head(large, one.person, replace(one.pose, scale=one.pose.scale * over, centre=centre), light, rng)
    window[:] = cv2.resize(large, window.shape[1::-1], interpolation=cv2.INTER_AREA)
