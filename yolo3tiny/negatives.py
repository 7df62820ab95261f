"""Images without people, to learn from or to count false faces on: drawn places, textures, text, samples of skimage."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.drawn.scene import paint_place
from fer_paddle.images import read_image
from fer_paddle.labels import SPLITS
from yolo3tiny.photos import Photo

SOURCE = "drawn"
TRAIN, VALIDATION, _ = SPLITS
# The kinds take turns. Text looks most like small faces, so it is learned more often.
_KINDS = {
    TRAIN: ("text", "place", "text", "texture", "text", "sample", "place"),
    VALIDATION: ("place", "texture", "text", "sample"),
}
_SAMPLES = {  # public images of scikit-image in which nobody is
    TRAIN: ("brick", "gravel", "coins", "page", "motorcycle_left", "hubble_deep_field", "ihc", "clock_motion"),
    VALIDATION: ("chelsea", "coffee", "rocket", "grass", "moon", "text", "cell", "retina"),
}
_LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()@&%O08   .,")


def make_negatives(count: int, split: str = TRAIN) -> list[Photo]:
    """Make `count` photos without a box; train and validation share neither seed nor sample image."""
    photos = []
    for index in range(count):
        seed = (list(_KINDS).index(split), index)
        size_hw = ((480, 640), (640, 480), (416, 416))[index % 3]
        image = partial(_draw, _KINDS[split][index % len(_KINDS[split])], *size_hw, seed, split)
        empty = np.zeros((0, 4), np.float32)
        photos.append(Photo(f"{SOURCE}/{split}/{index}", image, empty, np.zeros(0, bool), size_hw, SOURCE, split))
    return photos


def _draw(kind: str, height: int, width: int, seed: tuple[int, int], split: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "sample":
        from skimage import data

        name = str(rng.choice(_SAMPLES[split]))
        path = next(Path(data.__file__).parent.glob(f"{name}.*"))
        return _crop(read_image(path), height, width, rng)
    paint = {"place": paint_place, "texture": _paint_texture, "text": _paint_text}[kind]
    return paint(height, width, rng)


def _crop(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Cut out a random part, turned by quarters, and scale it."""
    image = np.rot90(image, int(rng.integers(4)))
    ratio = rng.uniform(0.4, 1.0)
    part_h, part_w = (max(16, int(side * ratio)) for side in image.shape[:2])
    top, left = (int(rng.random() * (side - part + 1)) for side, part in zip(image.shape[:2], (part_h, part_w)))
    part = np.ascontiguousarray(image[top : top + part_h, left : left + part_w])
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)


def _paint_texture(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Sum colored noise of several grain sizes; half of the time with a field of ellipses on it."""
    image = np.full((height, width, 3), rng.uniform(40, 215, 3), np.float32)
    for cells in rng.choice((4, 8, 16, 32, 64, 128), 3, replace=False).tolist():
        noise = rng.normal(0, 1, (cells * height // width + 1, cells, int(rng.choice((1, 3))))).astype(np.float32)
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, -1)
        image += noise * rng.uniform(5, 30)
    image = np.clip(image, 0, 255).astype(np.uint8)
    side, count = int(rng.integers(6, 60)), int(rng.integers(20, 300)) if rng.random() < 0.5 else 0
    for _ in range(count):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(side * rng.uniform(0.5, 1)), int(side * rng.uniform(0.5, 1.3)))
        color, thickness = rng.uniform(0, 255, 3).tolist(), cv2.FILLED if rng.random() < 0.7 else 2
        cv2.ellipse(image, center, axes, rng.uniform(0, 180), 0, 360, color, thickness, cv2.LINE_AA)
    return image


def _paint_text(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Write lines of random letters, dark on light or light on dark."""
    paper, ink = rng.uniform(180, 255, 3), rng.uniform(0, 90, 3)
    if rng.random() < 0.3:
        paper, ink = 255 - paper, 255 - ink
    image = np.full((height, width, 3), paper, np.uint8)
    y = 0
    while y < height:
        size = rng.uniform(0.4, 2.5)
        y += int(32 * size)
        start, font = (int(rng.integers(-40, 20)), y), int(rng.integers(8))
        line, thickness = "".join(rng.choice(_LETTERS, 80).tolist()), int(1 + size * rng.integers(1, 3))
        cv2.putText(image, line, start, font, size, ink.tolist(), thickness, cv2.LINE_AA)
    return image
