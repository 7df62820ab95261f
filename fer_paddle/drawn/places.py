"""What stands behind drawn people: walls, rooms and streets."""

from __future__ import annotations

import cv2
import numpy as np


def _color(rng: np.random.Generator, low: float = 30, high: float = 225) -> tuple[float, ...]:
    """Draw a colour as things have them: gray with a little of some hue."""
    gray, *hue = rng.random(4).tolist()
    gray = low + (high - low) * gray
    return tuple(min(max(gray + 70 * (part - 0.5), 0.0), 255.0) for part in hue)


def _gradient(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paint a soft change between colours: uint8 [height,width,3]."""
    start, end = np.array([_color(rng), _color(rng)])
    corners = start + (end - start) * rng.uniform(0, 1, (2, 2, 1))
    return cv2.resize(corners.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)


def _speckle(image: np.ndarray, rng: np.random.Generator, amount: float, cells: int) -> None:
    """Roughen a picture, in place, by random light of `cells` cells along its longer side."""
    height, width = image.shape[:2]
    step = max(height, width) / cells
    rough = rng.integers(0, 256, (max(int(height / step), 2), max(int(width / step), 2)), dtype=np.uint8)
    rough = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    rough = cv2.cvtColor(rough, cv2.COLOR_GRAY2BGR)
    share = amount / 74  # 74 is the deviation of a byte
    cv2.addWeighted(image, 1.0, rough, share, -127.5 * share, dst=image)


def _box(rng: np.random.Generator, height: int, width: int, least: float, most: float) -> tuple[int, int, int, int]:
    """Draw a box: left, top, right, bottom in pixels; its sides are shares of the picture's shorter side."""
    a, b, c, d = rng.random(4).tolist()
    w, h = ((least + (most - least) * share) * min(height, width) for share in (a, b))
    x, y = c * width - 0.5 * w, d * height - 0.5 * h
    return int(x), int(y), int(x + w), int(y + h)


def _paint_clutter(image: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Put boxes, discs and poles into a picture."""
    height, width = image.shape[:2]
    for kind in rng.integers(0, 3, count).tolist():
        left, top, right, bottom = _box(rng, height, width, 0.08, 0.45)
        color = _color(rng)
        if kind == 0:
            cv2.rectangle(image, (left, top), (right, bottom), color, -1)
        elif kind == 1:
            cv2.circle(image, (left, top), max((right - left) // 2, 1), color, -1, cv2.LINE_AA)
        else:
            foot = left + (right - left) // 4, height
            cv2.line(image, (left, top), foot, color, max((right - left) // 6, 1), cv2.LINE_AA)


def paint_backdrop(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paint what stands behind one portrait: uint8 [height,width,3] BGR."""
    kind = rng.integers(4)
    image = _gradient(height, width, rng)
    if kind == 1:
        small = cv2.resize(image, (24, 24))
        _paint_clutter(small, rng, 10)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    elif kind == 2:
        image = cv2.multiply(image, (0.55, 0.85, 0.6, 0.0))
        for cells, amount in ((6, 22), (20, 16)):
            _speckle(image, rng, amount, cells)
    elif kind == 3:
        _paint_clutter(image, rng, 6)
        _speckle(image, rng, 5, 40)
    return image


def _paint_street(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint sky, houses with windows and a road."""
    height, width = image.shape[:2]
    horizon = int(height * rng.uniform(0.45, 0.7))
    zenith = rng.uniform(150, 205) + np.array([30, 8, -8])
    sky = zenith + np.linspace(0, 1, horizon)[:, None, None] * (20, 30, 40)
    image[:horizon] = np.clip(sky, 0, 255)
    image[horizon:] = _color(rng, 70, 150)
    x = -rng.integers(0, width // 6 + 1)
    while x < width:
        wide, tall = int(width * rng.uniform(0.08, 0.22)), int(horizon * rng.uniform(0.35, 0.95))
        _paint_grid(
            image, rng, (x, horizon - tall, x + wide, horizon), int(rng.integers(2, 6)), int(rng.integers(2, 8))
        )
        x += wide + int(rng.uniform(0, 0.04) * width)


def _paint_room(image: np.ndarray, rng: np.random.Generator) -> None:
    """Paint wall, floor, framed pictures, shelves and lamps."""
    height, width = image.shape[:2]
    floor = int(height * rng.uniform(0.45, 0.7))
    image[:floor] = _color(rng, 110, 225)
    image[floor:] = _color(rng, 50, 140)
    for _ in range(rng.integers(1, 5)):
        _paint_grid(image, rng, _box(rng, floor, width, 0.12, 0.4), 1, 1)
    for _ in range(rng.integers(0, 3)):
        _paint_grid(image, rng, _box(rng, floor, width, 0.25, 0.6), int(rng.integers(4, 16)), int(rng.integers(2, 5)))
    for _ in range(rng.integers(0, 5)):
        place = int(rng.uniform(0, width)), int(rng.uniform(0, 0.4) * height)
        cv2.circle(image, place, int(rng.uniform(0.02, 0.08) * height), _color(rng, 150, 250), -1, cv2.LINE_AA)


def _paint_grid(
    image: np.ndarray, rng: np.random.Generator, box: tuple[int, int, int, int], columns: int, rows: int
) -> None:
    """Paint a box with rows of smaller ones: windows of a house, books on a shelf, one picture in its frame."""
    left, top, right, bottom = box
    wall, glass = _color(rng, 70, 200), _color(rng, 30, 160)
    cv2.rectangle(image, (left, top), (right, bottom), wall, -1)
    wide, tall = (right - left) / columns, (bottom - top) / rows
    for place in range(rows * columns):
        x, y = left + (place % columns + 0.2) * wide, top + (place // columns + 0.2) * tall
        cv2.rectangle(image, (int(x), int(y)), (int(x + 0.6 * wide), int(y + 0.6 * tall)), glass, -1)


def paint_place(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paint the place of a scene: uint8 [height,width,3] BGR."""
    image = _gradient(height, width, rng)
    kind = rng.integers(3)
    if kind < 2:
        (_paint_street, _paint_room)[kind](image, rng)
    else:
        _paint_clutter(image, rng, 40)
    if rng.random() < 0.6:
        _paint_clutter(image, rng, int(rng.integers(2, 8)))
    for cells, amount in ((8, 7), (60, 5), (200, 4)):
        _speckle(image, rng, amount, cells)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 3.5) * max(height, width) / 640)
    return image
