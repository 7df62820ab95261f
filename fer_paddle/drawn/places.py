"""What stands behind drawn people: walls, rooms, streets and gardens."""

from __future__ import annotations

import cv2
import numpy as np

from fer_paddle.drawn.sheet import fill_pixels, stroke_pixels


def _color(rng: np.random.Generator, low: float = 30, high: float = 225) -> tuple[float, ...]:
    """Draws a colour as things have them: gray with a little of some hue."""
    gray, *hue = rng.random(4).tolist()
    gray = low + (high - low) * gray
    return tuple(min(max(gray + 70 * (part - 0.5), 0.0), 255.0) for part in hue)


def _gradient(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paints a soft change between colours: uint8 [height,width,3]."""
    start, end = np.array([_color(rng), _color(rng)])
    corners = start + (end - start) * rng.uniform(0, 1, (2, 2, 1))
    return cv2.resize(corners.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)


def _speckle(image: np.ndarray, rng: np.random.Generator, amount: float, cells: int) -> None:
    """Roughens a picture, in place, by random light of `cells` cells along its longer side."""
    height, width = image.shape[:2]
    step = max(height, width) / cells
    rough = rng.integers(0, 256, (max(int(height / step), 2), max(int(width / step), 2)), dtype=np.uint8)
    rough = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)
    rough = cv2.cvtColor(rough, cv2.COLOR_GRAY2BGR)
    share = amount / 74  # 74 is the deviation of a byte
    cv2.addWeighted(image, 1.0, rough, share, -127.5 * share, dst=image)


def _box(rng: np.random.Generator, height: int, width: int, least: float, most: float) -> tuple[int, int, int, int]:
    """Draws a box: left, top, right, bottom in pixels; its sides are shares of the picture's shorter side."""
    a, b, c, d = rng.random(4).tolist()
    w, h = ((least + (most - least) * share) * min(height, width) for share in (a, b))
    x, y = c * width - 0.5 * w, d * height - 0.5 * h
    return int(x), int(y), int(x + w), int(y + h)


def _paint_clutter(image: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Puts boxes, discs and poles into a picture."""
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
    """Paints what stands behind one portrait: uint8 [height,width,3] BGR."""
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
    """Sky, houses with windows, trees and a road."""
    height, width = image.shape[:2]
    horizon = int(height * rng.uniform(0.45, 0.7))
    zenith = rng.uniform(150, 205) + np.array([30, 8, -8])
    sky = zenith + np.linspace(0, 1, horizon)[:, None, None] * (20, 30, 40)
    image[:horizon] = np.clip(sky, 0, 255)
    image[horizon:] = _color(rng, 70, 150)
    x = -rng.integers(0, width // 6 + 1)
    while x < width:
        wide, tall = int(width * rng.uniform(0.08, 0.22)), int(horizon * rng.uniform(0.35, 0.95))
        _paint_house(image, rng, x, horizon - tall, wide, tall)
        x += wide + int(rng.uniform(0, 0.04) * width)
    for _ in range(rng.integers(1, 6)):
        x, y = rng.uniform(0, width), horizon + rng.uniform(0, 0.1) * height
        _paint_tree(image, rng, x, y, rng.uniform(0.08, 0.2) * height)


def _paint_house(image: np.ndarray, rng: np.random.Generator, x: int, y: int, wide: int, tall: int) -> None:
    wall, glass = _color(rng, 70, 200), _color(rng, 30, 160)
    cv2.rectangle(image, (x, y), (x + wide, y + tall), wall, -1)
    columns, rows = int(rng.integers(2, 6)), int(rng.integers(2, 8))
    step_x, step_y = wide / columns, tall / rows
    for row in range(rows):
        for column in range(columns):
            left, top = int(x + (column + 0.25) * step_x), int(y + (row + 0.25) * step_y)
            cv2.rectangle(image, (left, top), (int(left + step_x / 2), int(top + step_y / 2)), glass, -1)


def _paint_tree(image: np.ndarray, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    leaf = np.array([rng.uniform(20, 60), rng.uniform(80, 140), rng.uniform(40, 100)])
    foot, crown = (int(x), int(y)), (int(x), int(y - 1.2 * size))
    cv2.line(image, foot, crown, (40, 60, 80), max(int(size / 7), 1), cv2.LINE_AA)
    for dx, dy, level in zip(rng.normal(0, 0.45, 40), rng.normal(-1.7, 0.4, 40), rng.uniform(0.6, 1.3, 40)):
        place, radius = (int(x + dx * size), int(y + dy * size)), int(size * rng.uniform(0.08, 0.22))
        cv2.circle(image, place, max(radius, 1), tuple(leaf * level), -1, cv2.LINE_AA)


def _paint_room(image: np.ndarray, rng: np.random.Generator) -> None:
    """Wall, floor, pictures, a window, shelves with books, lamps."""
    height, width = image.shape[:2]
    floor = int(height * rng.uniform(0.45, 0.7))
    image[:floor] = _color(rng, 110, 225)
    image[floor:] = _color(rng, 50, 140)
    for _ in range(rng.integers(1, 5)):
        left, top, right, bottom = _box(rng, floor, width, 0.12, 0.4)
        cv2.rectangle(image, (left, top), (right, bottom), _color(rng, 20, 120), max(width // 150, 1))
        cv2.rectangle(image, (left + 3, top + 3), (right - 3, bottom - 3), _color(rng), -1)
    for _ in range(rng.integers(0, 3)):
        _paint_shelf(image, rng)
    for _ in range(rng.integers(0, 5)):
        radius = int(rng.uniform(0.02, 0.08) * height)
        place = int(rng.uniform(0, width)), int(rng.uniform(0, 0.4) * height)
        cv2.circle(image, place, radius, _color(rng, 150, 250), -1, cv2.LINE_AA)
        cv2.circle(image, place, radius, _color(rng, 40, 120), max(radius // 8, 1), cv2.LINE_AA)
    skirting = np.array([(0.0, floor), (float(width), floor)])
    stroke_pixels(image, skirting, _color(rng, 40, 110), max(height // 120, 1))


def _paint_shelf(image: np.ndarray, rng: np.random.Generator) -> None:
    left, top, right, bottom = _box(rng, *image.shape[:2], 0.25, 0.6)
    cv2.rectangle(image, (left, top), (right, bottom), (45, 70, 100), -1)
    rows = int(rng.integers(2, 5))
    for row in range(rows):
        base, x = top + (row + 1) * (bottom - top) // rows - 2, left + 3
        while x < right - 6:
            thick = int(rng.integers(3, 10))
            tall = int((bottom - top) / rows * rng.uniform(0.5, 0.85))
            cv2.rectangle(image, (x, base - tall), (min(x + thick, right - 3), base), _color(rng), -1)
            x += thick + 1


def _paint_garden(image: np.ndarray, rng: np.random.Generator) -> None:
    """Meadow, hedges, a fence."""
    height, width = image.shape[:2]
    image[:] = _color(rng, 150, 220)
    ground = int(height * rng.uniform(0.3, 0.55))
    image[ground:] = (rng.uniform(40, 80), rng.uniform(110, 160), rng.uniform(70, 120))
    for _ in range(rng.integers(6, 14)):
        x, y = rng.uniform(0, width), ground + rng.uniform(-0.05, 0.1) * height
        _paint_tree(image, rng, x, y, rng.uniform(0.08, 0.25) * height)
    if rng.random() < 0.5:
        y, tall = ground + 0.08 * height, 0.1 * height
        for x in np.arange(0, width, max(width / 40, 4)):
            post = np.array([(x, y), (x, y - tall), (x + width / 90, y - tall), (x + width / 90, y)])
            fill_pixels(image, post, (150, 170, 185))


def paint_place(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Paints the place of a scene: uint8 [height,width,3] BGR."""
    image = _gradient(height, width, rng)
    kind = rng.integers(4)
    if kind < 3:
        (_paint_street, _paint_room, _paint_garden)[kind](image, rng)
    else:
        _paint_clutter(image, rng, 40)
    if rng.random() < 0.6:
        _paint_clutter(image, rng, int(rng.integers(2, 8)))
    for cells, amount in ((8, 7), (60, 5), (200, 4)):
        _speckle(image, rng, amount, cells)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 3.5) * max(height, width) / 640)
    return image
