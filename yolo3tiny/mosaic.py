"""Photos with their boxes in the square the network sees: one at a random scale, or a mosaic of many.

Why mosaics decide: where small faces are rare in the photos, they are made from large ones. A mosaic shrinks
each photo until its faces have a side drawn from `AugmentConfig.face_px`, and fills the square with many.

Source: mosaic after Bochkovskiy et al., YOLOv4, 2020, arXiv:2004.10934, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from yolo3tiny.augment import AugmentConfig, change_color, cut_boxes, damage, log_uniform
from yolo3tiny.boxes import PAD_GRAY, area

Cell = tuple[int, int, int, int]  # left, top, right, bottom in pixels
_MIN_CELL_PX = 16
_MAX_ACROSS_CELL = 3  # photos side by side in one cell of a mosaic
_MIN_FILL_ALONE = 1 / (_MAX_ACROSS_CELL + 0.5)  # a photo so small in its cell shares it with others
_MIN_FILL_SHARED = 0.7


class Pyramid:
    """A photo with its boxes, at full, half, quarter ... size, so that small copies cost little."""

    def __init__(
        self, image: np.ndarray, boxes_xyxy: np.ndarray, ignore: np.ndarray, longest: int | None = None
    ) -> None:
        """Make the copies of uint8 [H, W, 3] with its boxes; one longer than `longest` pixels is shrunk to it first."""
        height, width = image.shape[:2]
        if longest is not None and longest < max(height, width):
            scale = longest / max(height, width)
            new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
            image = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_AREA)
            boxes_xyxy = boxes_xyxy * np.array((new_w / width, new_h / height) * 2, np.float32)
        self.boxes_xyxy, self.ignore = boxes_xyxy, ignore
        self.levels = [image]
        while min(self.levels[-1].shape[:2]) >= 16:
            height, width = self.levels[-1].shape[:2]
            size_wh = (width + 1) // 2, (height + 1) // 2
            self.levels.append(cv2.resize(self.levels[-1], size_wh, interpolation=cv2.INTER_AREA))
        sides = np.sqrt(area(boxes_xyxy))
        faces = sides[~ignore] if (~ignore).any() else sides
        self.face_side = float(np.median(faces)) if len(faces) else None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Return width and height of the full size."""
        return self.levels[0].shape[1], self.levels[0].shape[0]

    @property
    def nbytes(self) -> int:
        """Return the bytes of all sizes."""
        return sum(level.nbytes for level in self.levels)

    def focus(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return the center of a random box, or of the photo if it has none, in 0..1 along x and y."""
        if not len(self.boxes_xyxy):
            return 0.5, 0.5
        x1, y1, x2, y2 = self.boxes_xyxy[int(rng.random() * len(self.boxes_xyxy))].tolist()
        return (x1 + x2) / 2 / self.size_wh[0], (y1 + y2) / 2 / self.size_wh[1]

    def at(self, scale: float) -> np.ndarray:
        """Return the smallest copy that is still at least `scale` times the full size."""
        level = min(max(0, math.floor(-math.log2(scale))), len(self.levels) - 1)
        return self.levels[level]


class _Canvas:
    """An image being filled with photos, and the boxes and windows of all of them."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.image = np.empty((size, size, 3), np.uint8)
        self.image[0] = PAD_GRAY if rng.random() < 0.5 else rng.integers(0, 256, 3)
        self.image[1:] = self.image[0]  # by rows: NumPy repeats a pixel ten times slower than a row
        self._photos: list[Pyramid] = []
        self._maps: list[tuple[float, float, float, float]] = []
        self._windows: list[Cell] = []

    def paste(
        self, photo: Pyramid, cell_xyxy: Cell, scale: float, rng: np.random.Generator, config: AugmentConfig
    ) -> None:
        """Put a photo, scaled, stretched and perhaps flipped, into a cell; what is larger is cut."""
        left, top, right, bottom = cell_xyxy
        stretch = config.aspect ** (rng.random() - 0.5)
        focus_x, focus_y = photo.focus(rng)
        level = photo.at(scale * max(stretch, 1 / stretch))
        width, height = photo.size_wh
        from_x, to_x = _fit(level.shape[1], width * scale * stretch, right - left, focus_x, rng)
        from_y, to_y = _fit(level.shape[0], height * scale / stretch, bottom - top, focus_y, rng)
        to_w, to_h = to_x[1] - to_x[0], to_y[1] - to_y[0]
        x1, y1 = left + to_x[0], top + to_y[0]
        part = level[from_y[0] : from_y[1], from_x[0] : from_x[1]]
        # Linear skips no pixel: the copy is at most about twice too large.
        part = cv2.resize(part, (to_w, to_h), interpolation=cv2.INTER_LINEAR)
        # Canvas pixel = photo pixel * scale + shift, through the pixels of the copy.
        scale_x, scale_y = to_w / (from_x[1] - from_x[0]), to_h / (from_y[1] - from_y[0])
        shift_x, shift_y = x1 - from_x[0] * scale_x, y1 - from_y[0] * scale_y
        scale_x, scale_y = scale_x * level.shape[1] / width, scale_y * level.shape[0] / height
        if rng.random() < config.flip:
            part, scale_x, shift_x = part[:, ::-1], -scale_x, 2 * x1 + to_w - shift_x
        self.image[y1 : y1 + to_h, x1 : x1 + to_w] = part
        self._photos.append(photo)
        self._maps.append((scale_x, scale_y, shift_x, shift_y))
        self._windows.append((x1, y1, x1 + to_w, y1 + to_h))

    def finish(self, config: AugmentConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the image, its boxes cut off at their photos' borders, and ignore."""
        counts = [len(photo.boxes_xyxy) for photo in self._photos]
        maps, windows = (np.repeat(np.array(rows, np.float32), counts, axis=0) for rows in (self._maps, self._windows))
        corners = np.concatenate([photo.boxes_xyxy for photo in self._photos]).reshape(-1, 2, 2)
        corners = corners * maps[:, None, :2] + maps[:, None, 2:]
        # A flip has swapped left and right.
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        ignore = np.concatenate([photo.ignore for photo in self._photos])
        return self.image, *cut_boxes(boxes, ignore, windows, config)


def scale_and_crop(
    photo: Pyramid, size: int, rng: np.random.Generator, config: AugmentConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put one photo at a random scale, stretch and place in a square: image, boxes float32 [K, 4], ignore bool [K]."""
    fit = size / max(photo.size_wh)
    low, high = config.scale
    if photo.face_side is not None:
        # Small faces are not shrunk until they are none.
        low = min(max(low, config.face_px[0] / (fit * photo.face_side)), max(1.0, low), high)
    canvas = _Canvas(size, rng)
    canvas.paste(photo, (0, 0, size, size), fit * log_uniform(low, high, rng), rng, config)
    return canvas.finish(config)


def mosaic(
    pick: Callable[[], Pyramid], grid: int, size: int, rng: np.random.Generator, config: AugmentConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fill a square with many photos whose faces come out at a side drawn from `face_px`; results as scale_and_crop."""
    canvas = _Canvas(size, rng)
    ys = _uneven_cuts(grid, size, rng)
    for top, bottom in zip(ys, ys[1:]):
        xs = _uneven_cuts(grid, size, rng)
        for left, right in zip(xs, xs[1:]):
            face_px = log_uniform(*config.face_px, rng)
            photo = pick()
            scale = _tile_scale(photo, face_px, (left, top, right, bottom), _MIN_FILL_ALONE, config)
            for index, part in enumerate(_divide((left, top, right, bottom), photo.size_wh, scale)):
                if index:
                    photo = pick()
                    scale = _tile_scale(photo, face_px, part, _MIN_FILL_SHARED, config)
                canvas.paste(photo, part, scale, rng, config)
    return canvas.finish(config)


def augment(
    photo: Pyramid, pick: Callable[[], Pyramid], size: int, rng: np.random.Generator, config: AugmentConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Apply the whole policy: the photo alone, or a mosaic that begins with it; then color and damage."""
    if rng.random() < config.mosaic:
        queue = [photo]
        grid = int(rng.choice(config.grids))
        image, boxes, ignore = mosaic(lambda: queue.pop() if queue else pick(), grid, size, rng, config)
    else:
        image, boxes, ignore = scale_and_crop(photo, size, rng, config)
    return damage(change_color(image, rng, config), rng, config), boxes, ignore


def _fit(
    level: int, scaled: float, cell: int, focus: float, rng: np.random.Generator
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return, along one axis, which pixels (from, to) of a copy `level` long come to which pixels of the cell."""
    scaled = max(1, round(scaled))
    if scaled <= cell:
        start = int(rng.random() * (cell - scaled + 1))
        return (0, level), (start, start + scaled)
    cut = min(max(0.0, focus * scaled - cell * (0.3 + 0.4 * rng.random())), scaled - cell)
    ratio = level / scaled
    first = min(math.floor(cut * ratio), level - 1)
    return (first, min(level, max(first + 1, round((cut + cell) * ratio)))), (0, cell)


def _tile_scale(photo: Pyramid, face_px: float, cell_xyxy: Cell, min_fill: float, config: AugmentConfig) -> float:
    """Return the scale that gives a typical face of the photo the side face_px, if it then fits the cell."""
    cell_wh = cell_xyxy[2] - cell_xyxy[0], cell_xyxy[3] - cell_xyxy[1]
    cover = max(cell / side for cell, side in zip(cell_wh, photo.size_wh))
    if photo.face_side is None:
        return min(cover, config.max_enlarge)
    wanted = min(face_px, 0.9 * min(cell_wh)) / photo.face_side
    return min(max(wanted, min_fill * cover), config.max_enlarge)


def _divide(cell_xyxy: Cell, photo_wh: tuple[int, int], scale: float) -> list[Cell]:
    """Cut a cell into parts about as large as the scaled photo, at most _MAX_ACROSS_CELL along each side."""
    left, top, right, bottom = cell_xyxy
    columns = min(max(1, round((right - left) / (photo_wh[0] * scale))), _MAX_ACROSS_CELL)
    rows = min(max(1, round((bottom - top) / (photo_wh[1] * scale))), _MAX_ACROSS_CELL)
    xs = [left + (right - left) * column // columns for column in range(columns + 1)]
    ys = [top + (bottom - top) * row // rows for row in range(rows + 1)]
    return [(x1, y1, x2, y2) for y1, y2 in zip(ys, ys[1:]) for x1, x2 in zip(xs, xs[1:])]


def _uneven_cuts(grid: int, size: int, rng: np.random.Generator) -> list[int]:
    """Cut 0..size into about `grid` uneven cells: all their borders, 0 and size among them."""
    cuts = (np.arange(1, grid + 1) - rng.uniform(0, 1) + rng.uniform(-0.2, 0.2, grid)) * size / grid
    borders = [0]
    for cut in cuts.round().astype(int).tolist():
        if min(cut - borders[-1], size - cut) >= _MIN_CELL_PX:
            borders.append(cut)
    return [*borders, size]
