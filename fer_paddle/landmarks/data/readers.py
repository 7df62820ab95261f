"""Published layouts of photos with points: .pts files, folders of 300-W, the lists of WFLW.

| layout | points count from | here |
|---|---|---|
| .pts, 300-W | the first pixel's center is (1, 1) | 0.5 is taken off |
| WFLW | the first pixel's center is (0, 0) | 0.5 is added |
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fer_paddle.environment import find_data
from fer_paddle.files import parse_numbers, read_text
from fer_paddle.images import find_named, list_images, read_image
from fer_paddle.landmarks.data.faces import GROUPS
from fer_paddle.landmarks.points import NUM_POINTS, box_of_points
from fer_paddle.messages import name_some
from fer_paddle.packs import read_arrays

WFLW_POINTS = 98
# The points of WFLW that are those of iBUG: every second of the jaw, the upper line of the brows, eyes without the
# middle of each lid, and not the pupils.
WFLW_TO_68 = np.array(
    [*range(0, 33, 2), *range(33, 38), *range(42, 47), *range(51, 60)]
    + [60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *range(76, 96)]
)
_WFLW_FIELDS = 2 * WFLW_POINTS + 4 + 6 + 1  # points, box, attributes, name
_TEST_FOLDERS = {"testset", "ibug", "01_indoor", "02_outdoor"}  # of 300-W
_MIN_SIDE, _MIN_INSIDE = 4, 0.25  # of a face: its shorter side in pixels, the ratio of its box in the image
_LOG = logging.getLogger(__name__)
_PhotoRow = tuple[Path, Callable[[], np.ndarray], str, str]  # image, what reads its points, source, split


@dataclass(frozen=True, eq=False)
class MarkedPhoto:
    """An image uint8 [H, W, 3] and its faces: points float64 [n, 68, 2] in pixels from its left and top edge."""

    image: np.ndarray
    points: np.ndarray
    source: str
    split: str


def read_pts(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the points of a .pts file, float64 [68, 2]; ValueError for another count or for what is no number."""
    head, _, body = read_text(path).partition("{")
    numbered = enumerate(body.partition("}")[0].splitlines(), 1 + head.count("\n"))
    lines = [(number, line) for number, line in numbered if line.strip()]
    told = re.search(r"n_points\s*:\s*(\d+)", head)
    count = int(told[1]) if told else len(lines)
    if not len(lines) == count == NUM_POINTS:
        raise ValueError(f"expected a .pts file of {NUM_POINTS} points, got {len(lines)} of {count} in {path}")
    return np.array([parse_numbers(line, (2,), f"{path}:{number}") for number, line in lines]) - 0.5


def read_300w(folder: str | os.PathLike[str]) -> Iterator[MarkedPhoto]:
    """Give the photos of a folder that have a .pts file of their name beside them, in 300-W's layout or any other.

    The source is the first folder below, such as `helen`; what lies in one of _TEST_FOLDERS is for the test.
    """
    folder, left_out = Path(folder), 0
    rows: dict[Path, _PhotoRow] = {}
    for path in list_images(folder):
        marks = next(filter(Path.is_file, map(path.with_suffix, (".pts", ".PTS"))), None)
        if marks is None:
            left_out += 1
        elif marks in rows:
            raise ValueError(f"{marks}: expected points of one photo, got {rows[marks][0].name} and {path.name}")
        else:
            parts = path.relative_to(folder).parts[:-1]
            split = "test" if _TEST_FOLDERS & {part.lower() for part in (*parts, folder.name)} else "train"
            rows[marks] = path, partial(read_pts, marks), parts[0] if parts else folder.name, split
    if not rows:
        raise ValueError(f"expected photos with .pts files beside them in {folder}, found none")
    lonely = {*folder.rglob("[!.]*.[pP][tT][sS]")} - rows.keys()
    if left_out or lonely:
        _LOG.warning("%s: left out %d photos without a .pts, %d .pts without a photo", folder, left_out, len(lonely))
    yield from _read_rows(list(rows.values()))


def read_wflw(list_file: str | os.PathLike[str], photos: str | os.PathLike[str]) -> Iterator[MarkedPhoto]:
    """Give the photos of a list of WFLW, such as list_98pt_rect_attr_train.txt, with iBUG's 68 of their 98 points."""
    list_file = Path(list_file)
    split = "test" if "test" in re.split(r"[\W_]", list_file.name) else "train"
    lines = [(number, line.split()) for number, line in enumerate(read_text(list_file).splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError(f"expected a line a face in {list_file}, got none")
    files = [find_named(fields[-1], Path(photos)) for _, fields in lines]
    read = [partial(_read_line, f"{list_file}:{number}", fields) for number, fields in lines]
    yield from _read_rows([(file, one, "wflw", split) for file, one in zip(files, read)])


def _read_line(where: str, fields: Sequence[str]) -> np.ndarray:
    if len(fields) != _WFLW_FIELDS:
        raise ValueError(f"{where}: expected {_WFLW_FIELDS} fields, got {len(fields)}")
    points = parse_numbers(" ".join(fields[: 2 * WFLW_POINTS]), (2 * WFLW_POINTS,), where)
    return np.reshape(points, (WFLW_POINTS, 2))[WFLW_TO_68] + 0.5


def _read_rows(rows: Sequence[_PhotoRow]) -> Iterator[MarkedPhoto]:
    """Give the photos of rows, once all of them can be read."""
    bad = []
    for path, read, _, _ in rows:
        try:
            _check_places(read().reshape(-1, NUM_POINTS, 2), read_image(path), path)
        except (ValueError, OSError) as error:
            bad.append(str(error))
    if bad:
        raise ValueError(f"expected photos and points that can be read, got {name_some(bad, 'others')}")
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
    """Raise ValueError where the points of a face are at one place, or mostly outside of the image."""
    boxes, size_wh = box_of_points(points), image.shape[1::-1]
    sides = boxes[:, 2:] - boxes[:, :2]
    inside = np.clip(boxes, 0, [*size_wh, *size_wh])
    ratios = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.maximum(np.prod(sides, axis=1), 1)
    are_bad = (sides.min(axis=1) < _MIN_SIDE) | (ratios < _MIN_INSIDE)
    if are_bad.any():
        first = are_bad.argmax()
        got = f"one of {sides[first].round(1).tolist()} px, {ratios[first]:.0%} of it inside"
        raise ValueError(f"expected points of faces in the {size_wh[0]} x {size_wh[1]} px of {path}, got {got}")
