"""Strips as samples for training: drawn anew, or files with boxes, moved, turned, mirrored and under another light."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.files import temporary_folder
from fer_paddle.images import write_image
from fer_paddle.training.config import side_at
from yolo3tiny.keypoint.decode import STRIDE, match
from yolo3tiny.keypoint.strips import LEAST_VISIBLE, LOOKS, Strip, change_light, draw_strip
from yolo3tiny.photos import ALL, Photo
from yolo3tiny.splits import find_photos

MARGIN_PX = STRIDE // 2  # a piece may reach so far out of the image: marks come to lie anywhere in their cells
AT_MARK = 0.8
TURN_DEG, SCALE = 6.0, 0.06  # most by which a piece is turned, and scaled
Key = tuple[int, int, int]  # seed, epoch and index of a sample
# As LabelImg saves it: pixels count from 1, the last one included.
_XML = "<annotation><filename>{}</filename>{}{}</annotation>"
_SIZE = "<size><width>{}</width><height>{}</height><depth>3</depth></size>"
_OBJECT = (
    "<object><name>{}</name><difficult>{:d}</difficult><bndbox><xmin>{:.3f}</xmin><ymin>{:.3f}</ymin>"
    "<xmax>{:.3f}</xmax><ymax>{:.3f}</ymax></bndbox></object>"
)


class StripData:
    """Strips as a dataset; a sample depends on (seed, epoch, index) alone.

    Args:
        draw: (key, height and width in pixels) -> Strip: a new one by `draw_strip`, or `draw_from_files`.
        length: Samples of an epoch.
        sizes: See KeypointRecipe.
        seed: Seed of all randomness.
    """

    def __init__(
        self, draw: Callable[[Key, tuple[int, int]], Strip], length: int, sizes: Sequence[tuple[int, int]], seed: int
    ):
        self.draw, self.length, self.sizes, self.seed, self.epoch = draw, length, sizes, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose strips are drawn."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return the image uint8 [3, H, W] and what decode.match says of its marks."""
        side = side_at(self.sizes, self.epoch)
        strip = self.draw((self.seed, self.epoch, index), (side, side))
        height, width = strip.image.shape[:2]
        targets = match(strip.centers, strip.labels, strip.ignore, (height // STRIDE, width // STRIDE))
        return np.ascontiguousarray(strip.image.transpose(2, 0, 1)), targets


def draw_from_files(photos: Sequence[Photo], classes: Sequence[str], key: Key, size_hw: tuple[int, int]) -> Strip:
    """Cut an augmented piece from the file whose turn it is."""
    return augment(read_strip(photos[key[-1]], classes), size_hw, np.random.default_rng(key))


def find_marks(data: str, classes: Sequence[str] | None = None) -> tuple[list[Photo], tuple[str, ...]]:
    """Read annotated strips in any format of annotations.FORMATS, such as a LabelImg folder.

    Args:
        data: A name or path as splits.find_photos takes it.
        classes: Names of the classes; None takes all that the data name, sorted.

    Returns:
        The strips, also those without marks, and the classes.

    Raises:
        ValueError: A mark is of another class or of none, or two are less than one cell apart: one anchor cannot tell
            them.
    """
    photos = find_photos(data, [ALL])
    known = tuple(classes or sorted({name for photo in photos for name in photo.categories}))
    if not known:
        raise ValueError(f"{data}: expected strips with marks, got {len(photos)} without one")
    if not all(known):
        raise ValueError(f"{data}: expected marks that name their class, got some without a name")
    for photo in photos:
        if unknown := sorted(set(photo.categories) - set(known)):
            raise ValueError(f"{photo.name}: expected marks of the class {', '.join(known)}, got {unknown[0]!r}")
        centers = (photo.boxes_xyxy[~photo.ignore, :2] + photo.boxes_xyxy[~photo.ignore, 2:]) / 2
        apart = np.abs(centers[:, None] - centers).max(axis=2) + np.eye(len(centers)) * STRIDE  # [N, N]
        if (apart < STRIDE).any():
            first, second = centers[np.argwhere(apart < STRIDE)[0]].round(1).tolist()
            raise ValueError(f"{photo.name}: expected marks {STRIDE} px apart in x or y, got {first} and {second}")
    return photos, known


def read_strip(photo: Photo, classes: Sequence[str]) -> Strip:
    """Read one image with its marks."""
    labels = [classes.index(name) for name in photo.categories]
    return Strip(photo.read(), photo.boxes_xyxy, np.array(labels, np.int64), photo.ignore)


def augment(strip: Strip, size_hw: tuple[int, int], rng: np.random.Generator) -> Strip:
    """Cut a piece of a size, mostly where a mark is, turn and scale it a little, flip it and change its light."""
    free = np.subtract(strip.image.shape[:2], size_hw)[::-1]
    corner = rng.uniform(np.minimum(free, 0) - MARGIN_PX, np.maximum(free, 0) + MARGIN_PX)
    if len(strip.labels) and rng.random() < AT_MARK:
        at_mark = strip.centers[rng.integers(len(strip.labels))] - rng.uniform(0, size_hw[::-1])
        corner = np.clip(at_mark, np.minimum(free, 0) - MARGIN_PX, np.maximum(free, 0) + MARGIN_PX)
    piece = cut(strip, corner, size_hw, rng.uniform(-TURN_DEG, TURN_DEG), 1 + rng.uniform(-SCALE, SCALE))
    image, boxes = piece.image, piece.boxes_xyxy
    if rng.random() < 0.5:
        image, boxes = image[:, ::-1], (size_hw[1], 0, size_hw[1], 0) + boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1)
    if rng.random() < 0.5:
        image, boxes = image[::-1], (0, size_hw[0], 0, size_hw[0]) + boxes[:, [0, 3, 2, 1]] * (1, -1, 1, -1)
    image = change_light(np.ascontiguousarray(image), rng)
    changed = Strip(image, boxes.astype(np.float32), piece.labels, piece.ignore)
    _, cell, count = np.unique(changed.centers // STRIDE, axis=0, return_inverse=True, return_counts=True)
    # Scaled or cut, two may come to share a cell.
    return dataclasses.replace(changed, ignore=piece.ignore | (count[cell.reshape(-1)] > 1))


def cut(strip: Strip, corner: np.ndarray, size_hw: tuple[int, int], degrees: float, scale: float) -> Strip:
    """Cut a piece at a corner (x, y) in pixels, turned and scaled around its middle, borders repeated outside.

    Boxes keep upright sides; a mark cut by more than half is ignored.
    """
    middle = corner + np.array(size_hw[::-1]) / 2
    move = cv2.getRotationMatrix2D((middle - 0.5).tolist(), degrees, scale)  # the center of pixel 0 lies at 0.5
    move[:, 2] -= corner
    image = cv2.warpAffine(strip.image, move, size_hw[::-1], borderMode=cv2.BORDER_REPLICATE)
    half = scale * (strip.boxes_xyxy[:, 2:] - strip.boxes_xyxy[:, :2]) / 2
    centers = (strip.centers - 0.5) @ move[:, :2].T + move[:, 2] + 0.5
    moved = np.concatenate([centers - half, centers + half], axis=1)
    inside = np.clip(moved, 0, np.tile(size_hw[::-1], 2))
    visible = np.prod((inside[:, 2:] - inside[:, :2]) / (moved[:, 2:] - moved[:, :2]), axis=1)
    kept = visible > 0
    ignore = strip.ignore | (visible < LEAST_VISIBLE)
    return Strip(image, inside[kept].astype(np.float32), strip.labels[kept], ignore[kept])


def write_strips(folder: Path, look: str, count: int, seed: int = 0) -> None:
    """Draw strips to a new folder as LabelImg saves them: an XML in Pascal VOC's format beside each image.

    ValueError: The folder is there.
    """
    if folder.exists():
        raise ValueError(f"expected a new folder, got {folder}, which is there")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder) as temporary:
        for index in range(count):
            strip, name = draw_strip(look, (seed, index)), f"{look}_{index:04d}"
            write_image(temporary / f"{name}.png", strip.image)
            (temporary / f"{name}.xml").write_text(_to_xml(strip, f"{name}.png", LOOKS[look].classes), encoding="utf-8")
        temporary.rename(folder)


def _to_xml(strip: Strip, filename: str, classes: Sequence[str]) -> str:
    objects = [
        _OBJECT.format(classes[label], ignore, x1 + 1, y1 + 1, x2, y2)
        for (x1, y1, x2, y2), label, ignore in zip(strip.boxes_xyxy.tolist(), strip.labels, strip.ignore.tolist())
    ]
    height, width = strip.image.shape[:2]
    return _XML.format(filename, _SIZE.format(width, height), "".join(objects))
