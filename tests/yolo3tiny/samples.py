"""Networks that need no training, as they find white rectangles, photos that need no camera, small settings."""

import dataclasses
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.files import write_json
from yolo3tiny.anchors import ANCHOR_MASKS, STRIDES, size_iou
from yolo3tiny.anchors import ANCHORS as DEFAULT_ANCHORS
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.photos import Photo
from yolo3tiny.recipes import DetectorRecipe

STILL = AugmentConfig(color=0, gray=0, blur=0, noise=0, shrink=0, jpeg=0)  # nothing but geometry
WHOLE = dataclasses.replace(STILL, mosaic=0, scale=(1, 1), aspect=1, flip=0)  # photos as they are
SMALL = DetectorRecipe(
    name="small", epochs=3, batch_size=2, sizes=((0, 96),), width=0.25, learning_rate=3e-3, longest=96
)
NO_FACE, SURE = -20.0, 12.0  # logits
WIDTH, HEIGHT = 40, 30  # of `save_image`
Files = dict[str, str | bytes | None]  # what a file holds by its name; None is an image
ANCHORS = [[10, 14], [20, 26], [30, 40], [36, 46], [60, 60], [90, 90]]  # for photos of 96 px


def make_heads(boxes_xyxy, input_hw, anchors=DEFAULT_ANCHORS, logits=None):
    """The heads of a network that finds these boxes, in pixels of its input: what decode.py undoes."""
    heads = [np.full((1, 18, input_hw[0] // stride, input_hw[1] // stride), NO_FACE, np.float32) for stride in STRIDES]
    for index, (x1, y1, x2, y2) in enumerate(boxes_xyxy):
        size = np.array([x2 - x1, y2 - y1])
        best = int(size_iou(size, np.array(anchors)).argmax())
        level = next(level for level, mask in enumerate(ANCHOR_MASKS) if best in mask)
        stride, slot = STRIDES[level], 6 * ANCHOR_MASKS[level].index(best)
        center = np.array([x1 + x2, y1 + y2]) / 2 / stride
        cell = np.floor(center).astype(int)
        offset = np.clip(center - cell, 1e-6, 1 - 1e-6)
        column = heads[level][0, slot : slot + 6, cell[1], cell[0]]
        column[:2] = np.log(offset / (1 - offset))
        column[2:4] = np.log(size / anchors[best])
        column[4] = SURE if logits is None else logits[index]
        column[5] = SURE
    return heads


def white_finder(images):
    """A network that finds every white rectangle in its input."""
    (image,) = images
    # White is 1, the gray of the border 0.45; a pixel half covered by white is 0.5.
    mask = (image.min(axis=0) > 0.5).astype(np.uint8)
    stats = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
    boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in stats.tolist()]
    return make_heads(boxes, mask.shape)


def make_photo(name, boxes_xyxy, side=96, source="drawn", split=""):
    """A photo of bright ellipses on a dark ground, as large as their boxes."""
    image = np.full((side, side, 3), 60, np.uint8)
    for x1, y1, x2, y2 in boxes_xyxy:
        center, half = ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2)
        cv2.ellipse(image, center, half, 0, 0, 360, (80, 160, 220), cv2.FILLED)
    boxes = np.array(boxes_xyxy, np.float32).reshape(-1, 4)
    return Photo(name, lambda: image, boxes, np.zeros(len(boxes), bool), (side, side), source, split)


def white_on_black(height: int, width: int, *boxes: Sequence[int]) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 255
    return image


def random_heads(n: int, h: int, w: int, seed: int = 0, spread: float = 1.5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(n, 18, h // stride, w // stride) for stride in STRIDES]
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


def save_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, np.full((height, width, 3), 90, np.uint8))[1].tobytes())


def save_text(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lay_out(folder: Path, files: Files) -> Path:
    for name, text in files.items():
        save_image(folder / name) if text is None else save_text(folder / name, text)
    return folder


def voc(*objects: str, size: str = "", name: str = "a.png", head: str = "", encoding: str = "utf-8") -> Files:
    text = f"{head}<annotation><filename>{name}</filename>{size}\n{''.join(objects)}</annotation>"
    return {"a.png": None, "a.xml": text.encode(encoding)}


def voc_object(*sides: object, name: str = "face", more: str = "") -> str:
    box = "".join(f"<{tag}>{side}</{tag}>" for tag, side in zip(("xmin", "ymin", "xmax", "ymax"), sides))
    return f"<object><name>{name}</name>{more}<bndbox>{box}</bndbox></object>"


def pack(folder: Path, tar_path: Path, prefix: str = "pack") -> Path:
    with tarfile.open(tar_path, "w") as tar:
        tar.add(folder, prefix)
    return tar_path
