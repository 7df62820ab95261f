"""Published layouts of photos with points: .pts files, folders of 300-W, the lists of WFLW.

| layout | points count from | here |
|---|---|---|
| .pts, 300-W | the first pixel's center is (1, 1) | 0.5 is taken off |
| WFLW | the first pixel's center is (0, 0) | 0.5 is added |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fer_paddle.environment import find_data
from fer_paddle.files import read_text
from fer_paddle.images import find_named, list_images, read_image
from fer_paddle.landmarks.data.faces import GROUPS, face_boxes
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.packs import read_arrays

WFLW_POINTS = 98
# The points of WFLW that are those of iBUG: every second of the jaw, the upper line of the brows, eyes without the
# middle of each lid, and not the pupils.
WFLW_TO_68 = np.array(
    [*range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60)]
    + [60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *range(76, 96)]
)
_WFLW_FIELDS = 2 * WFLW_POINTS + 4 + 6 + 1  # points, box, attributes, name


@dataclass(frozen=True, eq=False)
class MarkedPhoto:
    """An image uint8 [H, W, 3] and its faces: points float64 [n, 68, 2] in pixels from its left and top edge."""

    image: np.ndarray
    points: np.ndarray
    source: str
    split: str


def read_pts(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the points of a .pts file, float64 [68, 2]; ValueError for another count or for what is no number."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    head, _, body = text.partition("{")
    lines = [line for line in body.partition("}")[0].splitlines() if line.strip()]
    if "version" not in head or len(lines) != NUM_POINTS:
        raise ValueError(f"expected a .pts file of {NUM_POINTS} points, got {len(lines)} in {path}")
    return np.array([_read_place(line, path) for line in lines]) - 0.5


def _read_place(line: str, path: str | os.PathLike[str]) -> list[float]:
    """Read x and y of a line."""
    try:
        place = [float(word) for word in line.split()]
    except ValueError:
        place = []
    if len(place) != 2 or not np.isfinite(place).all():
        raise ValueError(f"expected two numbers a line in {path}, got {line.strip()[:40]!r}")
    return place


def read_300w(folder: str | os.PathLike[str]) -> Iterator[MarkedPhoto]:
    """Give the photos of a folder that have a .pts file of their name beside them, in 300-W's layout or any other.

    The source is the first folder below, such as `helen`; what lies in a folder `testset` or `ibug` is for the test.
    """
    folder, rows = Path(folder), []
    for path in list_images(folder):
        if (marks := path.with_suffix(".pts")).is_file():
            parts = path.relative_to(folder).parts[:-1]
            split = "test" if {"testset", "ibug"} & {part.lower() for part in (*parts, folder.name)} else "train"
            rows.append((path, partial(read_pts, marks), parts[0] if parts else folder.name, split))
    if not rows:
        raise ValueError(f"expected photos with .pts files beside them in {folder}, found none")
    yield from _read_rows(rows)


def read_wflw(list_file: str | os.PathLike[str], photos: str | os.PathLike[str]) -> Iterator[MarkedPhoto]:
    """Give the photos of a list of WFLW, such as list_98pt_rect_attr_train.txt, with iBUG's 68 of their 98 points."""
    list_file = Path(list_file)
    split = "test" if "test" in list_file.name else "train"
    lines = [line for line in read_text(list_file).splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"expected a line a face in {list_file}, got none")
    files = [find_named(line.split()[-1], Path(photos)) for line in lines]
    read = [partial(_read_line, list_file, number, line) for number, line in enumerate(lines, 1)]
    yield from _read_rows([(file, one, "wflw", split) for file, one in zip(files, read)])


def _read_line(list_file: Path, number: int, line: str) -> np.ndarray:
    fields = line.split()
    if len(fields) != _WFLW_FIELDS:
        raise ValueError(f"{list_file}, line {number}: expected {_WFLW_FIELDS} fields, got {len(fields)}")
    try:
        points = np.array(fields[: 2 * WFLW_POINTS], np.float64).reshape(WFLW_POINTS, 2)
    except ValueError as error:
        raise ValueError(f"{list_file}, line {number}: expected numbers, got: {error}") from error
    return points[WFLW_TO_68] + 0.5


def _read_rows(rows: Sequence[tuple[Path, Callable[[], np.ndarray], str, str]]) -> Iterator[MarkedPhoto]:
    """Give the photos of rows (image, what reads its points, source, split), once all of them can be read."""
    bad = []
    for path, read, _, _ in rows:
        try:
            _check_places(read().reshape(-1, NUM_POINTS, 2), read_image(path), path)
        except (ValueError, OSError) as error:
            bad.append(str(error))
    if bad:
        shown = "; ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        raise ValueError(f"expected photos and points that can be read, got {len(bad)} others: {shown}")
    for path, read, source, split in rows:
        yield MarkedPhoto(read_image(path), read().reshape(-1, NUM_POINTS, 2), source, split)


def read_groups(photos: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None) -> Iterator[MarkedPhoto]:
    """Give the group photos, files such as `dataset_10003.jpg`, with a teacher's points; each tenth is for test."""
    names, boxes, relative = read_arrays(find_data(GROUPS, folder), ("photo", "box", "pts")).values()
    boxes, relative = boxes.astype(np.float64), relative.astype(np.float64)
    points = boxes[:, None, :2] + relative * (boxes[:, 2:] - boxes[:, :2])[:, None]
    splits = ("train" if number % 10 else "test" for number in range(len(names)))
    marked = [(name, partial(np.asarray, points[names == name])) for name in np.unique(names).tolist()]
    files = [find_named(name.replace("/", "_"), Path(photos)) for name, _ in marked]
    yield from _read_rows([(file, one, "groups", split) for file, (_, one), split in zip(files, marked, splits)])


def _check_places(points: np.ndarray, image: np.ndarray, path: Path) -> None:
    """Raise ValueError where the points of a face are at one place, not finite or outside of the image."""
    boxes = face_boxes(points)
    low, high = np.maximum(boxes[:, :2], 0), np.minimum(boxes[:, 2:], image.shape[1::-1])
    if not (low < high).all():
        size = f"{image.shape[1]} x {image.shape[0]}"
        raise ValueError(f"expected points of faces in the {size} px of {path}, got a face outside or without a size")
