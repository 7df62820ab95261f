"""Rows of tables of boxes, one an image, and their checks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_paddle.images import is_file

ONE_IMAGE_BYTES = 4 << 20  # of a table for one image
_SHOWN = 200  # characters of what a malformed table holds, in a message
NOT_READ = "what LabelMe, VIA, Label Studio and CVAT save for themselves is not read: export COCO, VOC or YOLO"


@dataclass(frozen=True)
class Marked:
    """A box as a table says it: xyxy in pixels of the table's size, or in 0..1; its category, "" if not said."""

    box: tuple[float, float, float, float]
    category: str = ""
    ignore: bool = False


@dataclass(frozen=True)
class Row:
    """What a table says of one image. `size_wh`: the size that the boxes were made for, None if not said."""

    name: str
    image: Path | bytes
    marked: Sequence[Marked]
    size_wh: tuple[float, float] | None = None
    source: str = ""
    split: str = ""


class TableError(ValueError):
    """A fault that names its file."""


def existing(image: Path | bytes, where: str) -> Any:
    if isinstance(image, Path) and not is_file(image):
        raise TableError(f"{where}: expected an image that is there, got no image {str(image)[:_SHOWN]!r}")
    return image


@contextmanager
def located(where: str, expected: str) -> Iterator[None]:
    """Turn what goes wrong on malformed input into an error that says where and what was expected."""
    try:
        yield
    except TableError:
        raise
    except json.JSONDecodeError as error:
        raise TableError(f"{where}:{error.lineno}: expected {expected}, got {error.msg}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        kind = {ValueError: "", KeyError: "no "}.get(type(error), f"{type(error).__name__}: ")
        reason = f"{kind}{error}"[:_SHOWN]
        raise TableError(f"{where}: expected {expected}, got {reason}") from error
