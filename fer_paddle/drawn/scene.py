"""Many drawn people in one place, painted from the farthest to the nearest, and what stands behind them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import sample_identity
from fer_paddle.drawn.camera import Light, Pose, sample_pose
from fer_paddle.drawn.person import HEAD_REACH, Person, face_box, paint_body, paint_head, sample_person
from fer_paddle.drawn.sheet import plain
from fer_paddle.labels import EXPRESSIONS

LARGEST_SHARE = 0.6  # of the image's shorter side
Placed = tuple[Person, int, Pose]  # a person, an index into EXPRESSIONS, a place in the image
_TRIES = 150  # places tried for one person before it is drawn smaller
_COVERED = 0.03  # share of a face that a nearer person may cover
_FINE_SCALE = 26.0  # pixels of a face unit from which on a head is painted without oversampling


def sample_sizes(
    rng: np.random.Generator, width: int, height: int, count: int, least: float, most: float
) -> np.ndarray:
    """Draw the sizes of the faces of one image, the largest first: float64 [count], pixels."""
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
    labels = rng.permuted(np.arange(len(sizes)) % len(EXPRESSIONS)).tolist()
    for size, label in zip(sizes.tolist(), labels):
        person = sample_person(sample_identity(rng), rng, label, rng.uniform(0.7, 1.0))
        turn = sample_pose(rng)
        # Never larger than the one before: who is placed later stands behind.
        size = min(size, largest)
        while (pose := _find_place(rng, person, turn, size, (width, height), taken)) is None and size > least:
            size = max(size * 0.8, least)
        if pose is not None:
            largest = size
            placed.append((person, label, pose))
            taken = np.concatenate([taken, _reach(face_box(person.points, pose), pose.scale)])
    return placed


def _find_place(
    rng: np.random.Generator, person: Person, turn: Pose, size: float, room: tuple[int, int], taken: np.ndarray
) -> Pose | None:
    """Try places for a face; None when nearer people cover it everywhere."""
    box = face_box(person.points, turn)
    scale = float(size / max(box[2] - box[0], box[3] - box[1]))
    middle, half = scale * (box[:2] + box[2:]) / 2, scale * (box[2:] - box[:2]) / 2 + 0.5
    low, high = half, np.array(room) - half
    if (low > high).any():
        return None
    spots = low + (high - low) * rng.random((_TRIES, 2))
    # A camera at about eye level: heads stand near one height, those of near people lower, hiding nobody.
    level = rng.normal(0.37 * room[1] + 0.75 * size, 0.09 * room[1], 2 * _TRIES // 3)
    spots[: len(level), 1] = np.minimum(np.maximum(level, low[1]), high[1])
    boxes = np.concatenate([spots - half, spots + half], axis=1)
    edges = np.maximum(boxes[:, None, :2], taken[:, :2]), np.minimum(boxes[:, None, 2:], taken[:, 2:])
    shared = np.clip(edges[1] - edges[0], 0, None).prod(axis=2).sum(axis=1)
    free = np.flatnonzero(shared <= _COVERED * (4 * half[0] * half[1]))
    return None if len(free) == 0 else replace(turn, scale=scale, center=tuple((spots[free[0]] - middle).tolist()))


def _reach(box: np.ndarray, scale: float) -> np.ndarray:
    """Return what a person hides: boxes of head with hair and of the body below it, float64 [2,4]."""
    x, top, low = (box[0] + box[2]) / 2, box[1], box[3]
    head = (x - 1.25 * scale, top - 0.85 * scale, x + 1.25 * scale, low + 0.2 * scale)
    body = (x - 2.2 * scale, low + 0.1 * scale, x + 2.2 * scale, low + 15 * scale)
    return np.array([head, body])


def paint_placed(canvas: np.ndarray, person: Person, pose: Pose, light: Light) -> None:
    """Paint a person into an image uint8 [H,W,3], in place; a small head is painted larger and reduced."""
    paint_body(canvas, person, pose, light)
    over, reach = int(np.ceil(_FINE_SCALE / pose.scale)), int(HEAD_REACH * pose.scale) + 2
    left, top = (max(int(middle) - reach, 0) for middle in pose.center)
    window = canvas[top : int(pose.center[1]) + reach, left : int(pose.center[0]) + reach]
    large = cv2.resize(window, None, fx=over, fy=over, interpolation=cv2.INTER_NEAREST)
    center = ((pose.center[0] - left) * over, (pose.center[1] - top) * over)
    paint_head(large, person, replace(pose, scale=pose.scale * over, center=center), light)
    window[:] = cv2.resize(large, window.shape[1::-1], interpolation=cv2.INTER_AREA)


def paint_place(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paint what stands behind people, a street or colored things: uint8 [height,width,3] BGR."""
    start, end = np.array([_color(rng), _color(rng)])
    corners = start + (end - start) * rng.uniform(0, 1, (2, 2, 1))
    image = cv2.resize(corners.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    kind = rng.integers(4)  # 3: a plain wall
    if kind == 0:
        _paint_street(image, rng)
    if kind < 3:
        _paint_things(image, rng, int(rng.integers(2, 40 if kind == 1 else 9)))
    for cells, amount in ((8, 7), (60, 5), (200, 4)):
        _speckle(image, rng, amount, cells)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 3.5) * max(height, width) / 640)
    return image


def _color(rng: np.random.Generator, low: float = 30, high: float = 225) -> tuple[float, ...]:
    """Draw a color as things have them: gray with a little of some hue."""
    gray, *hue = rng.random(4).tolist()
    gray = low + (high - low) * gray
    return tuple(min(max(gray + 70 * (part - 0.5), 0.0), 255.0) for part in hue)


def _speckle(image: np.ndarray, rng: np.random.Generator, amount: float, cells: int) -> None:
    """Roughen an image, in place, by random light of `cells` cells along its longer side."""
    height, width = image.shape[:2]
    step = max(height, width) / cells
    rough = rng.integers(0, 256, (max(int(height / step), 2), max(int(width / step), 2)), dtype=np.uint8)
    rough = cv2.cvtColor(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)
    ratio = amount / 74  # 74 is the deviation of a byte
    cv2.addWeighted(image, 1.0, rough, ratio, -127.5 * ratio, dst=image)


def _paint_things(image: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Put boxes, discs and poles into an image."""
    height, width = image.shape[:2]
    for kind in rng.integers(0, 3, count).tolist():
        wide, tall = (rng.uniform(0.08, 0.45, 2) * min(height, width)).astype(int).tolist()
        left, top = (rng.random(2) * (width, height) - (wide / 2, tall / 2)).astype(int).tolist()
        color = _color(rng)
        if kind == 0:
            cv2.rectangle(image, (left, top), (left + wide, top + tall), color, -1)
        elif kind == 1:
            cv2.circle(image, (left, top), max(wide // 2, 1), color, -1, cv2.LINE_AA)
        else:
            cv2.line(image, (left, top), (left + wide // 4, height), color, max(wide // 6, 1), cv2.LINE_AA)


def _paint_street(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint houses with windows before the sky, and a road."""
    height, width = image.shape[:2]
    horizon, x = int(height * rng.uniform(0.45, 0.7)), -int(rng.integers(0, width // 6 + 1))
    image[:horizon] = plain(horizon, width, rng.uniform(170, 220) + np.array([30, 8, -8]))
    image[horizon:] = plain(height - horizon, width, _color(rng, 70, 150))
    while x < width:
        wide, tall = int(width * rng.uniform(0.08, 0.22)), int(horizon * rng.uniform(0.35, 0.95))
        cv2.rectangle(image, (x, horizon - tall), (x + wide, horizon), _color(rng, 70, 200), -1)
        columns, rows, glass = int(rng.integers(2, 6)), int(rng.integers(2, 8)), _color(rng, 30, 160)
        for place in range(rows * columns):
            left = int(x + (place % columns + 0.2) * wide / columns)
            top = int(horizon - tall + (place // columns + 0.2) * tall / rows)
            corner = left + int(0.6 * wide / columns), top + int(0.6 * tall / rows)
            cv2.rectangle(image, (left, top), corner, glass, -1)
        x += wide + int(rng.uniform(0, 0.04) * width)
