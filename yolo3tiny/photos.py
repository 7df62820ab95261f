"""Images with the faces marked in them, and one policy for boxes, whatever the format of their table.

| a box | what happens |
|---|---|
| made for the stored image, which EXIF turns | it is turned, too |
| made for the image in another size | it is scaled |
| made for an image of another shape | the image is left out and named |
| with left and right, or top and bottom, exchanged | they are exchanged back |
| that reaches out of the image | it is cut off at the border, and the log says so where that is a fifth of it |
| of two corners, as all of its table, that should be a place and a size | the table is refused |
| that stands twice | it counts once |
| of a face, with no area inside the image | the image is left out and named: as background it would teach a fault |
| to be ignored, with no area inside the image | it is dropped |
| of a category that is not chosen | it is dropped, and the log says so |
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fer_paddle.files import file_digest
from fer_paddle.images import read_header, read_image
from fer_paddle.messages import name_reason, name_some
from fer_paddle.study import digest
from yolo3tiny.augment import AugmentConfig, cut_boxes
from yolo3tiny.boxes import area, clip
from yolo3tiny.rows import Marked, Row

ALL = "all"
_LOG = logging.getLogger(__name__)
_FACE = re.compile(r"face|head|脸|面部|人头", re.IGNORECASE)
_MIN_INSIDE, _MAX_OUTSIDE = 0.8, 0.1  # ratio of a box in its image; of boxes with less, before a table is doubted
_PLACE = {"x y w h": 0.0, "cx cy w h": 0.5}  # by a table's numbers of a box: where the first two are, in sides of it


@dataclass(frozen=True, eq=False)
class Photo:
    """An image and the faces marked in it."""

    name: str  # the image as its table names it, "/" between folders
    # a path, the bytes of a file, or a callable that returns uint8 [H, W, 3] in BGR
    image: str | os.PathLike[str] | bytes | Callable[[], np.ndarray]
    boxes_xyxy: np.ndarray  # float32 [N, 4] in pixels, within the image
    ignore: np.ndarray  # bool [N]; True marks a box that is neither face nor background
    size_hw: tuple[int, int]  # height and width in pixels
    source: str = ""  # the collection the image comes from, "" if unknown
    split: str = ""  # one of labels.SPLITS, or the table's own word, "" if unknown
    categories: tuple[str, ...] = ()  # the table's name of what each box shows, N of them, or none if unknown

    def read(self) -> np.ndarray:
        """Read the image, uint8 [H, W, 3] in BGR; ValueError where it cannot be read or has another size."""
        image = self.image() if callable(self.image) else read_image(self.image)
        if image.shape[:2] != self.size_hw:
            expected, got = (f"{width} x {height}" for height, width in (self.size_hw, image.shape[:2]))
            raise ValueError(f"{self.name}: expected {expected} pixels as annotated, got an image of {got}")
        return image


def collect(
    table: str, rows: Iterable[Row | str], classes: Sequence[str] | None = None, numbers: str = ""
) -> list[Photo]:
    """Turn the rows of a table, with such `numbers` of a box, into photos by the policy at the head of this module."""
    parsed = list(rows)
    kept = [row for row in parsed if isinstance(row, Row)]
    times = Counter((row.name, None if isinstance(row.image, bytes) else row.image) for row in kept)
    bad = [row for row in parsed if isinstance(row, str)]
    bad += [f"{name}: expected once in the table, got {count} times" for (name, _), count in times.items() if count > 1]
    chosen = _choose_categories(table, Counter(box.category for row in kept for box in row.marked), classes)
    made, left_out = [], []
    for row in kept:
        try:
            made.append(_make_photo(row, [box for box in dict.fromkeys(row.marked) if box.category in chosen]))
        except _MisfitError as error:
            left_out.append(f"{row.name} ({error})")
        except (ValueError, OSError) as error:
            bad.append(name_reason(row.name, error))
    if bad:
        raise ValueError(f"{table}: expected annotated photos, got {name_some(bad, 'that cannot be read')}")
    if left_out:
        _LOG.warning("%s: left out %s", table, name_some(left_out, "whose boxes cannot be right"))
    if not made:
        raise ValueError(f"{table}: expected annotated photos, found none")
    _check_inside(table, made, numbers)
    return [photo for photo, _ in made]


def _check_inside(table: str, made: Sequence[tuple[Photo, np.ndarray]], numbers: str) -> None:
    """Warn of boxes that reach far out of their images; ValueError: they are corners where `numbers` are expected."""
    owners = [photo for photo, whole in made for _ in whole]
    boxes = np.concatenate([whole for _, whole in made])
    sizes_wh = np.array([photo.size_hw[::-1] for photo in owners]).reshape(-1, 2)
    cut = np.concatenate([np.maximum(boxes[:, :2], 0), np.minimum(boxes[:, 2:], sizes_wh)], axis=1)
    far = area(cut) < _MIN_INSIDE * area(boxes)
    if not far.any():
        return
    sides = boxes[:, 2:] - boxes[:, :2]
    first = boxes[:, :2] + sides * _PLACE.get(numbers, 0)
    are_corners = (first > -1) & (sides > first) & (sides < sizes_wh + 1)
    count, example = far.sum(), owners[far.argmax()].name
    if numbers in _PLACE and are_corners.all() and far.mean() >= _MAX_OUTSIDE:
        raise ValueError(
            f"{table}: expected {numbers} of each box, got two corners: "
            f"{count} of {len(far)} boxes reach far out of their images, such as one of {example}"
        )
    said = "%s: %d of %d boxes reach far out of their images, such as one of %s, and are cut off at the border"
    _LOG.warning(said, table, count, len(far), example)


def class_name(classes: Sequence[str] | None = None) -> str:
    """Return what the boxes of the chosen categories are called: "face", or the names of others."""
    is_face = classes is None or ALL in classes or any(map(_FACE.search, classes))
    return "face" if is_face else " or ".join(classes or ())


def own_categories(classes: Sequence[str], found: Iterable[str]) -> list[str] | None:
    """Return what data call the class of a network, by its `class_name`; None where they name none so."""
    names = classes[0].split(" or ")
    return names if set(names) <= set(found) else None


class _MisfitError(ValueError):
    """Why the boxes of an image cannot be right."""


def _choose_categories(table: str, counts: Counter[str], classes: Sequence[str] | None) -> set[str]:
    names = sorted(counts)
    if classes is not None:
        if missing := set(classes) - {ALL, *names}:
            raise ValueError(f"{table}: expected categories among {', '.join(names)}, got {', '.join(sorted(missing))}")
        chosen = set(names if ALL in classes else classes)
    elif len(names) == 1 and (names[0] == "" or names[0].isdigit()):
        chosen = set(names)  # a table that names none
    else:
        chosen = {name for name in names if not name or _FACE.search(name)}
    if names and not chosen:
        raise ValueError(f"{table}: expected a category called face, got {', '.join(names)}: choose with --classes")
    if others := [name for name in names if name not in chosen]:
        taken = ", ".join(f"{name or 'without name'} ({counts[name]} boxes)" for name in sorted(chosen))
        _LOG.warning("%s: took the category %s, not %s", table, taken, ", ".join(others))
    return chosen


def _make_photo(row: Row, marked: Sequence[Marked]) -> tuple[Photo, np.ndarray]:
    """Return a photo, and its boxes as they were before they were cut off, but those to be ignored."""
    height, width, orientation = read_header(row.image)
    boxes = np.array([box.box for box in marked], np.float64).reshape(-1, 4)
    ignore = np.array([box.ignore for box in marked], bool)
    if not np.isfinite(boxes).all():
        raise ValueError(f"expected finite boxes, got {boxes.tolist()}")
    if row.size_wh != (1, 1) and len(boxes) and boxes.max() <= 1 and (boxes % 1).any():
        raise ValueError(f"expected boxes in pixels, got shares of the image, such as {marked[0].box}")
    if row.size_wh is not None:
        boxes = _fit_boxes(boxes, row.size_wh, (width, height), orientation)
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)
    whole, boxes = boxes[~ignore], clip(boxes.astype(np.float32), (height, width))
    inside = area(boxes) > 0
    if not (inside | ignore).all():
        lost = [marked[index].box for index in np.flatnonzero(~(inside | ignore))]
        raise _MisfitError(f"a box without area in its {width} x {height} pixels: {lost[0]}")
    categories = tuple(marked[index].category for index in np.flatnonzero(inside))
    boxes, ignore = boxes[inside], ignore[inside]
    return Photo(row.name, row.image, boxes, ignore, (height, width), row.source, row.split, categories), whole


def _fit_boxes(
    boxes: np.ndarray, table_wh: tuple[float, float], image_wh: tuple[int, int], orientation: int
) -> np.ndarray:
    """Bring boxes [N, 4] made for an image of table_wh to the upright image of image_wh."""
    width, height = table_wh
    # Boxes in 0..1 are made for any shape.
    is_upright = table_wh == (1, 1) or _is_scaled(table_wh, image_wh)
    if not is_upright:
        if orientation < 5 or not _is_scaled((height, width), image_wh):
            got = f"{width:g} x {height:g} for an image of {image_wh[0]} x {image_wh[1]}"
            raise _MisfitError(f"boxes made for {got} pixels")
        x, y = boxes[:, [0, 2]], boxes[:, [1, 3]]
        x, y = {5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x)}[orientation]
        boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
        width, height = height, width
    return boxes * np.tile(np.divide(image_wh, (width, height)), 2)


def _is_scaled(one_wh: tuple[float, float], other_wh: tuple[float, float]) -> bool:
    """Return whether two sizes differ in scale only, but for the rounding of a side by one pixel."""
    scale = other_wh[0] / one_wh[0]
    return abs(one_wh[1] * scale - other_wh[1]) <= max(1.0, scale)


def cut_tiles(photo: Photo, side: int) -> list[Photo]:
    """Cut a photo at its own scale into overlapping tiles of at most `side` pixels, evenly spaced.

    Shrunk whole, the faces of a crowd are none any more. Of a box that is cut, half must remain to be a face.
    """
    tiles = []
    for top, left in ((y, x) for y in _starts(photo.size_hw[0], side) for x in _starts(photo.size_hw[1], side)):
        size_hw = min(side, photo.size_hw[0] - top), min(side, photo.size_hw[1] - left)
        window = np.array([left, top, left + size_hw[1], top + size_hw[0]], np.float32)
        boxes, ignore = cut_boxes(photo.boxes_xyxy, photo.ignore, window, AugmentConfig())
        name, image = f"{photo.name}#{left},{top}", partial(_read_tile, photo, top, left, size_hw)
        tiles.append(Photo(name, image, boxes - np.tile(window[:2], 2), ignore, size_hw, photo.source, photo.split))
    return tiles


def _read_tile(photo: Photo, top: int, left: int, size_hw: tuple[int, int]) -> np.ndarray:
    return photo.read()[top : top + size_hw[0], left : left + size_hw[1]].copy()  # not a view of the whole photo


def _starts(length: int, side: int) -> list[int]:
    count = -(-max(length - side // 8, 1) // side)  # an eighth more than a tile is not worth a second one
    return np.linspace(0, max(length - side, 0), count).round().astype(int).tolist()


def digest_photos(photos: Iterable[Photo]) -> str:
    """Return 16 hexadecimal digits of names, files and boxes; an image without a file counts by its name."""
    rows: list[tuple[str, str, np.ndarray, np.ndarray]] = []
    for photo in photos:
        file = "" if callable(photo.image) else photo.image
        content = hashlib.sha256(file).hexdigest() if isinstance(file, bytes) else file and file_digest(file)
        rows.append((photo.name, str(content), photo.boxes_xyxy, photo.ignore))
    return digest(rows)


def check_readable(photos: Iterable[Photo]) -> None:
    """Decode every photo once; ValueError names all damaged ones before a training begins, not in its middle."""
    bad = []
    for photo in photos:
        try:
            photo.read()
        except (ValueError, OSError) as error:
            bad.append(name_reason(photo.name, error))
    if bad:
        raise ValueError(f"expected readable photos, got {name_some(bad, 'damaged')}")
