"""Strips drawn by a program: a belt or a road with small marks, look-alikes and everything that disturbs.

The same arguments give the same bytes. A strip has scratches, stains, shadows, glare, blur, noise and a drift of gain,
offset and color; some marks are cut by the border, some are worn.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

SIZE_HW = (320, 1920)
MARK_PX = 30
MAX_MARKS = 6
MAX_ALIKE = 6
APART_PX = 40  # between centers in x or in y: no cell of 32 px holds two
_TEMPLATE_PX, _MARGIN = 120, 20  # side of a mark in its template, and free pixels around it
_MIDDLE = _MARGIN + _TEMPLATE_PX // 2
LEAST_VISIBLE = 0.5  # with less of it in the image, a mark is neither to be found nor background


@dataclass(frozen=True, eq=False)
class Strip:
    """An image and its marks."""

    image: np.ndarray  # uint8 [H, W, 3] in BGR
    boxes_xyxy: np.ndarray  # float32 [N, 4] in pixels: what is visible of each mark. Its center is the keypoint
    labels: np.ndarray  # int64 [N], positions in the list of classes
    ignore: np.ndarray  # bool [N]; True marks what is neither a mark nor background

    @property
    def centers(self) -> np.ndarray:
        """Centers of the boxes, float32 [N, 2], x and y in pixels."""
        return (self.boxes_xyxy[:, :2] + self.boxes_xyxy[:, 2:]) / 2


# Lines of 20 px in a square of 120 px, by their corners; circles by radius and width, -1 for a full one.
_BAR, _POST, _TOP = [(10, 60), (110, 60)], [(60, 10), (60, 110)], [(10, 12), (110, 12)]
_LINES: dict[str, list[list[tuple[int, int]]]] = {
    "cross": [_BAR, _POST],
    "diamond": [[(60, 5), (115, 60), (60, 115), (5, 60), (60, 5)]],
    "tee": [_TOP, _POST],
    "bar": [_BAR],
    "saltire": [[(15, 15), (105, 105), (60, 60), (105, 15), (15, 105), (60, 60), (15, 15)]],
    "square": [[(12, 12), (108, 12), (108, 108), (12, 108), (12, 12)]],
    "wedge": [[(60, 15), (108, 104), (12, 104), (60, 15)]],
    "corner": [[(12, 12), (12, 108), (108, 108)]],
}
_CIRCLES = {"ring": (50, 20), "disc": (56, -1)}


@dataclass(frozen=True)
class Look:
    """A kind of strip: its marks, what looks like them, and its ground."""

    classes: tuple[str, ...]  # of _LINES and _CIRCLES
    distractors: tuple[str, ...]
    ground_bgr: tuple[float, float, float]
    grain: float  # standard deviation of the grain in gray levels
    streaks: float  # and of the streaks along the strip
    ink: tuple[float, float]  # gray levels of the marks above (or, negative, below) the ground


LOOKS: Mapping[str, Look] = {
    "belt": Look(("cross", "ring"), ("disc", "bar", "saltire", "square", "corner"), (126, 118, 108), 3, 9, (-85, -45)),
    "road": Look(("diamond", "tee"), ("square", "bar", "wedge", "disc", "corner"), (70, 74, 78), 11, 3, (50, 95)),
}


def draw_strip(
    look: str = "belt",
    seed: int | tuple[int, ...] = 0,
    size_hw: tuple[int, int] = SIZE_HW,
    drift: tuple[float, float] = (0.0, 1.0),
) -> Strip:
    """Draw a strip with none to MAX_MARKS marks.

    Args:
        look: One of LOOKS, which names the classes.
        seed: Seed of everything.
        size_hw: Height and width in pixels, at least 96 each.
        drift: Least and most strength of the light's drift: 1 is the end of the range of training, (1, 1.2) lies
            wholly outside it.
    """
    if look not in LOOKS or min(size_hw) < 96:
        raise ValueError(f"expected a look of {', '.join(LOOKS)} and sides of 96 px or more, got {look} and {size_hw}")
    if not 0 <= drift[0] <= drift[1] < np.inf:
        raise ValueError(f"expected a drift from 0 or more to its most, such as (1, 1.2), got {drift}")
    kind, rng = LOOKS[look], np.random.default_rng(seed)
    image = _ground(kind, size_hw, rng)
    _disturb(image, rng)
    places = _places(size_hw, rng)
    num_marks = min(int(rng.integers(MAX_MARKS + 1)), len(places))
    boxes, labels, visible = [], [], []
    for at, center in enumerate(places):
        names = kind.classes if at < num_marks else kind.distractors
        label = int(rng.integers(len(names)))
        box = _paint(image, names[label], center, rng.uniform(*kind.ink), rng)
        if at < num_marks:
            inside = np.clip(box, 0, [size_hw[1], size_hw[0]] * 2)
            boxes.append(inside)
            labels.append(label)
            visible.append(np.prod(inside[2:] - inside[:2]) / np.prod(box[2:] - box[:2]))
    _light(image, rng)
    return Strip(
        change_light(image, rng, drift),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(visible, np.float64) < LEAST_VISIBLE,
    )


def change_light(image: np.ndarray, rng: np.random.Generator, drift: tuple[float, float] = (0.0, 1.0)) -> np.ndarray:
    """Change gain, offset, color, sharpness and noise of an image [H, W, 3] by strengths of `drift` -> uint8."""

    def signed(most: float, size: int | None = None) -> np.ndarray:
        return most * rng.uniform(*drift, size) * rng.choice((-1.0, 1.0), size)

    gain = (1 + signed(0.25)) * (1 + signed(0.08, 3))  # of all, and of each color
    slope = 1 + signed(0.15) * np.linspace(-1, 1, image.shape[1])[:, None]  # along the strip
    changed = image * (gain * slope).astype(np.float32)
    changed = cv2.GaussianBlur(changed, (0, 0), 0.3 + 0.8 * rng.uniform(*drift))
    noise = _noise(rng, image.size).reshape(image.shape)
    # Rounds, and saturates at 0 and 255.
    return cv2.addWeighted(changed, 1, noise, 4 * rng.uniform(*drift), float(signed(18)), dtype=cv2.CV_8U)


def _ground(kind: Look, size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    height, width = size_hw

    def texture(rows: int, columns: int) -> np.ndarray:
        small = _noise(rng, rows * columns).reshape(rows, columns)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    gray = kind.grain * texture(height, width)
    gray += kind.streaks * texture(height // 2, max(width // 160, 2)) + 8 * texture(max(height // 80, 2), width // 40)
    return cv2.merge([gray + np.float32(level + shade) for level in kind.ground_bgr for shade in [rng.uniform(-5, 5)]])


@functools.cache
def _all_noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(2**22, np.float32)


def _noise(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a piece of normal noise that was drawn once: drawing it anew would take most of the time of a strip."""
    start = int(rng.integers(len(_all_noise()) - count))
    return _all_noise()[start : start + count]


def _disturb(image: np.ndarray, rng: np.random.Generator) -> None:
    """Add scratches and stains below the marks."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(max(width // 160, 1))):
        start = rng.uniform((0, 0), (width, height))
        points = start + np.cumsum(rng.normal(0, 1, (4, 2)) * (60, 25), axis=0)
        color = [rng.uniform(-1, 1) * 70 + 110] * 3
        cv2.polylines(image, [points.astype(np.int32)], False, color, int(rng.integers(1, 3)), cv2.LINE_AA)
    for _ in range(rng.integers(width // 320 + 1)):
        center, axes = rng.uniform((0, 0), (width, height)), rng.uniform(4, 26, 2)
        color = [rng.uniform(60, 160)] * 3
        cv2.ellipse(image, center.astype(int).tolist(), axes.astype(int).tolist(), 30, 0, 360, color, -1, cv2.LINE_AA)


def _light(image: np.ndarray, rng: np.random.Generator) -> None:
    """Lay shadows and glare over everything, as slow factors made at an eighth of the size."""
    height, width = image.shape[:2]
    small = np.ones((height // 8, width // 8), np.float32)
    for _ in range(rng.integers(3)):
        left, across = rng.uniform(0, small.shape[1]), rng.uniform(6, 40, 2)
        corners = np.array([[left, -4], [left + across[0], -4], [left + across[1], height], [left - across[1], height]])
        cv2.fillPoly(small, [corners.astype(np.int32)], rng.uniform(0.7, 0.95))
    for _ in range(rng.integers(3)):
        spot = np.zeros_like(small)
        center = rng.uniform((0, 0), small.shape[::-1]).astype(int).tolist()
        cv2.ellipse(spot, center, rng.uniform(3, 12, 2).astype(int).tolist(), 0, 0, 360, rng.uniform(0.2, 0.5), -1)
        small += cv2.GaussianBlur(spot, (0, 0), 4)
    factors = cv2.resize(cv2.GaussianBlur(small, (0, 0), 0.8), (width, height))
    cv2.multiply(image, cv2.merge([factors] * 3), dst=image)


def _places(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return centers [K, 2] for marks and look-alikes, APART_PX apart; one in twelve is cut by the border."""
    height, width = size_hw
    kept = np.zeros((0, 2))
    for _ in range(MAX_MARKS + MAX_ALIKE):
        margin = -MARK_PX / 4 if rng.random() < 0.12 else MARK_PX * 0.6
        place = rng.uniform(margin, (width - margin, height - margin))
        if (np.abs(kept - place) >= APART_PX).any(axis=1).all():
            kept = np.vstack([kept, place])
    return kept


@functools.cache
def _template(name: str) -> np.ndarray:
    """Draw a shape four times as large, and soften it so that nothing aliases when it is made small."""
    canvas = np.zeros((_TEMPLATE_PX + 2 * _MARGIN,) * 2, np.float32)
    for line in _LINES.get(name, ()):
        cv2.polylines(canvas, [np.array(line, np.int32) + _MARGIN], False, 1.0, 20)
    if name in _CIRCLES:
        cv2.circle(canvas, (_MIDDLE, _MIDDLE), _CIRCLES[name][0], 1.0, _CIRCLES[name][1])
    return cv2.GaussianBlur(canvas, (0, 0), 1.5)


def _paint(image: np.ndarray, name: str, center: np.ndarray, ink: float, rng: np.random.Generator) -> np.ndarray:
    """Blend one shape into the image, worn and a little turned and scaled; return its whole box, xyxy [4]."""
    scale = rng.uniform(0.93, 1.07)
    turn = cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), rng.uniform(-8, 8), scale * MARK_PX / _TEMPLATE_PX)
    corner = np.floor(center).astype(int) - MARK_PX
    turn[:, 2] += center - corner - 0.5 - _MIDDLE  # the center of pixel 0 lies at 0.5
    alpha = cv2.warpAffine(_template(name), turn, (2 * MARK_PX, 2 * MARK_PX), flags=cv2.INTER_LINEAR)
    wear = cv2.resize(rng.random((12, 12), np.float32), alpha.shape, interpolation=cv2.INTER_CUBIC)
    alpha *= np.clip(1 - rng.uniform(0, 0.5) * wear, 0, 1)
    (left, top), (height, width) = corner, image.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + 2 * MARK_PX, width), min(top + 2 * MARK_PX, height)
    image[y1:y2, x1:x2] += ink * alpha[y1 - top : y2 - top, x1 - left : x2 - left, None]
    half = scale * MARK_PX / 2
    return np.concatenate([center - half, center + half])
