"""Tables of face boxes in any of FORMATS.

A reader gives one Row for each image, or the reason why it cannot be read; `yolo3tiny.photos` decides what becomes of
the boxes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_paddle.images import list_images
from yolo3tiny.coco_wider import TABLE_NAME, WIDER_LISTS, coco_tables, read_coco, read_wider, wider_lists
from yolo3tiny.photos import Photo, collect
from yolo3tiny.rows import Row
from yolo3tiny.voc_yolo import read_voc, read_yolo, voc_tables, yolo_table


@dataclass(frozen=True)
class TableFormat:
    """A format: what it is called and looks like, whether a path holds it, and its reader."""

    name: str
    looks: str
    is_there: Callable[[Path], bool]
    read: Callable[[Path], Iterable[Row | str]]


FORMATS = (
    TableFormat("WIDER FACE", WIDER_LISTS, lambda path: bool(wider_lists(path)), read_wider),
    TableFormat("COCO", TABLE_NAME, lambda path: path.is_file() or bool(coco_tables(path)), read_coco),
    TableFormat("VOC", "[Annotations/]*.xml", lambda path: bool(voc_tables(path)), read_voc),
    TableFormat(
        "YOLO",
        "an image's .txt",
        lambda path: any(yolo_table(image).is_file() for image in list_images(path)),
        read_yolo,
    ),
)


def read_photos(path: str | os.PathLike[str], classes: Sequence[str] | None = None) -> list[Photo]:
    """Read images with boxes in whichever of FORMATS is there."""
    path = Path(path)
    return collect(str(path), _reader_of(path).read(path), classes)


def read_categories(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of all categories that boxes of images have, sorted."""
    rows = [row for row in _reader_of(Path(path)).read(Path(path)) if isinstance(row, Row)]
    return sorted({box.category for row in rows for box in row.marked})


def _reader_of(path: Path) -> TableFormat:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a folder or file of annotated photos, found nothing")
    reader = next((reader for reader in FORMATS if reader.is_there(path)), None)
    if reader is None:
        formats = ", ".join(f"{reader.looks} ({reader.name})" for reader in FORMATS)
        raise ValueError(f"{path}: expected {formats}, found none of them")
    return reader
