"""Tables of face boxes in any of FORMATS.

A reader gives one Row for each image, or the reason why it cannot be read; `yolo3tiny.photos` decides what becomes of
the boxes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from yolo3tiny.coco_wider import TABLE_NAME, WIDER_LISTS, coco_tables, read_coco, read_wider, wider_lists
from yolo3tiny.photos import Photo, collect
from yolo3tiny.rows import NOT_READ, Row
from yolo3tiny.voc_yolo import has_yolo, read_voc, read_yolo, voc_tables


@dataclass(frozen=True)
class TableFormat:
    """A format: what it is called and looks like, the tables of it that a path holds, its reader, a box's numbers."""

    name: str
    looks: str
    find: Callable[[Path], object]
    read: Callable[[Path], Iterable[Row | str]]
    numbers: str


FORMATS = (
    TableFormat("WIDER FACE", WIDER_LISTS, wider_lists, read_wider, "x y w h"),
    TableFormat("COCO", f"{TABLE_NAME} or the path of such a table", coco_tables, read_coco, "x y w h"),
    TableFormat("VOC", "[Annotations/]*.xml", voc_tables, read_voc, "xmin ymin xmax ymax"),
    TableFormat("YOLO", "an image's .txt or data.yaml", has_yolo, read_yolo, "cx cy w h"),
)


def read_photos(path: str | os.PathLike[str], classes: Sequence[str] | None = None) -> list[Photo]:
    """Read images with boxes in whichever of FORMATS is there."""
    path = Path(path)
    reader = _reader_of(path)
    return collect(str(path), reader.read(path), classes, reader.numbers)


def read_categories(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of all categories that boxes of images have, sorted."""
    rows = [row for row in _reader_of(Path(path)).read(Path(path)) if isinstance(row, Row)]
    return sorted({box.category for row in rows for box in row.marked})


def _reader_of(path: Path) -> TableFormat:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a folder or file of annotated photos, found nothing")
    reader = next((reader for reader in FORMATS if reader.find(path)), None)
    if reader is None:
        formats = ", ".join(f"{reader.looks} ({reader.name})" for reader in FORMATS)
        raise ValueError(f"{path}: expected {formats}, found none of them; {NOT_READ}")
    return reader
