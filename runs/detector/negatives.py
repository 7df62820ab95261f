"""Pictures without people: drawn places, textures, text, and crops of the sample pictures of scikit-image and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.data.synthetic.places import paint_backdrop, paint_place

# Sample pictures without a person: those to learn from, and those kept out for the count of false faces.
SAMPLES = {
    "train": ("brick.png", "gravel.png", "coins.png", "page.png", "motorcycle_left.png", "hubble_deep_field.jpg", "ihc.png", "clock_motion.png", "china.jpg"),
    "val": ("chelsea.png", "coffee.png", "rocket.jpg", "grass.png", "moon.png", "text.png", "cell.png", "retina.jpg", "flower.jpg"),
}
KINDS = {  # they take turns; text is what looks most like small faces, so it is learnt more often
    "train": ("text", "place", "text", "texture", "text", "sample", "backdrop"),
    "val": ("place", "backdrop", "texture", "text", "sample"),
}


def draw_negatives(count: int, split: str) -> list[tuple[str, np.ndarray]]:
    """Draw pictures without people.

    Args:
        count: How many; the kinds take turns.
        split: "train" or "val", which share neither seed nor sample picture.

    Returns:
        Kind and picture uint8 [H, W, 3] in BGR of each.
    """
    samples = _read_samples(split)
    painters: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
        "place": paint_place,
        "backdrop": paint_backdrop,
        "texture": _paint_texture,
        "text": _paint_text,
        "sample": lambda height, width, rng: _crop(samples[int(rng.integers(len(samples)))], height, width, rng),
    }
    pictures = []
    for index in range(count):
        rng = np.random.default_rng((list(SAMPLES).index(split), index))
        height, width = ((480, 640), (640, 480), (416, 416))[int(rng.integers(3))]
        kind = KINDS[split][index % len(KINDS[split])]
        pictures.append((kind, painters[kind](height, width, rng)))
    return pictures


def _read_samples(split: str) -> list[np.ndarray]:
    folders = [("skimage", "data"), ("sklearn", "datasets/images")]
    folders = [Path(spec.origin).parent / part for name, part in folders if (spec := find_spec(name))]
    paths = [folder / name for folder in folders for name in SAMPLES[split]]
    return [cv2.imread(str(path)) for path in paths if path.is_file()]


def _crop(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of a picture, turned by quarters and scaled."""
    image = np.rot90(image, int(rng.integers(4)))
    share = rng.uniform(0.4, 1.0)
    part_h, part_w = (max(16, int(side * share)) for side in image.shape[:2])
    top, left = (int(rng.random() * (side - part + 1)) for side, part in zip(image.shape[:2], (part_h, part_w)))
    part = np.ascontiguousarray(image[top : top + part_h, left : left + part_w])
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)


def _paint_texture(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of coloured noise of several grain sizes, or a field of ellipses."""
    image = np.full((height, width, 3), rng.uniform(40, 215, 3), np.float32)
    for cells in rng.choice((4, 8, 16, 32, 64, 128), 3, replace=False).tolist():
        noise = rng.normal(0, 1, (cells * height // width + 1, cells, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, -1)
        image += noise * rng.uniform(5, 30)
    image = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        side = int(rng.integers(6, 60))
        for _ in range(int(rng.integers(20, 300))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = (int(side * rng.uniform(0.5, 1)), int(side * rng.uniform(0.5, 1.3)))
            colour = rng.uniform(0, 255, 3).tolist()
            cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, colour, -1 if rng.random() < 0.7 else 2, cv2.LINE_AA)
    return image


def _paint_text(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Lines of random letters in OpenCV's fonts."""
    image = np.full((height, width, 3), rng.uniform(180, 255, 3), np.uint8)
    ink = rng.uniform(0, 90, 3)
    if rng.random() < 0.3:
        image, ink = 255 - image, 255 - ink
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()@&%O08   .,"
    y = 0
    while y < height:
        size = rng.uniform(0.4, 2.5)
        y += int(32 * size)
        line = "".join(rng.choice(list(letters), 80).tolist())
        font = int(rng.integers(8)) | (cv2.FONT_ITALIC if rng.random() < 0.2 else 0)
        cv2.putText(image, line, (int(rng.integers(-40, 20)), y), font, size, ink.tolist(), int(1 + size * rng.integers(1, 3)), cv2.LINE_AA)
    return image
