"""What several test modules use: settings, white boxes, random heads, photos written as COCO JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.files import write_json
from yolo3tiny.anchors import STRIDES
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.photos import Photo
from yolo3tiny.recipes import DetectorRecipe

STILL = AugmentConfig(color=0, gray=0, blur=0, noise=0, shrink=0, jpeg=0)  # nothing but geometry
WHOLE = dataclasses.replace(STILL, mosaic=0, scale=(1, 1), aspect=1, flip=0)  # photos as they are
SMALL = DetectorRecipe(
    name="small", epochs=3, batch_size=2, sizes=((0, 96),), width=0.25, learning_rate=3e-3, longest=96
)
ANCHORS = [[10, 14], [20, 26], [30, 40], [36, 46], [60, 60], [90, 90]]  # for photos of 96 px


def white_on_black(height: int, width: int, *boxes: Sequence[int]) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 255
    return image


def random_heads(n: int, h: int, w: int, num_classes: int = 1, seed: int = 0, spread: float = 1.5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(n, 3 * (5 + num_classes), h // stride, w // stride) for stride in STRIDES]
    return [rng.normal(0, spread, shape).astype(np.float32) for shape in shapes]


def write_coco(path: Path, photos: Sequence[Photo]) -> None:
    """Write boxes, split and source; photo.name leads to an image from the folder of the table."""
    images, annotations = [], []
    for number, photo in enumerate(photos):
        size = {"width": photo.size_hw[1], "height": photo.size_hw[0]}
        images.append({"id": number, "file_name": photo.name, **size, "split": photo.split, "source": photo.source})
        for (x1, y1, x2, y2), ignore in zip(photo.boxes_xyxy.tolist(), photo.ignore.tolist()):
            bbox = [x1, y1, x2 - x1, y2 - y1]
            annotations.append({"image_id": number, "category_id": 1, "bbox": bbox, "ignore": int(ignore)})
    categories = [{"id": 1, "name": "face"}]
    write_json(path, {"categories": categories, "images": images, "annotations": annotations})
