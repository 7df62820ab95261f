"""Writes photos as COCO JSON, for tests that read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_paddle.files import write_json
from yolo3tiny.photos import Photo


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
