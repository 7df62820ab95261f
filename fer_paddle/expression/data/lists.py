"""Faces whose split and class stand in lists beside the images.

| layout | files |
|---|---|
| PaddleX, PaddleClas | `train_list.txt` or `train.txt` ..., lines `images/a.jpg 3`; `labels.txt` or `label.txt` |
| Roboflow | `train/_classes.csv` ... with `filename` and a column of 0 and 1 for each class |
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from fer_paddle.files import read_bytes
from fer_paddle.labels import parse_split

LABELS_FILES = ("labels.txt", "label.txt", "label_list.txt")
CLASSES_CSV = "_classes.csv"
Listed = tuple[str, str, Path]  # split, class and path of an image


def read_lists(folder: Path, names_of: dict[str, list[str]]) -> list[Listed] | None:
    """Read all images of a folder's lists, classes numbered by a file of LABELS_FILES; None where it has none."""
    tables = [(parse_split(path.parent.name), path) for path in sorted(folder.glob(f"*/{CLASSES_CSV}"))]
    if tables:
        return [row for split, table in tables if split for row in _read_csv(table, split)]
    lists = [(parse_split(path.stem.removesuffix("_list")), path) for path in sorted(folder.glob("*.txt"))]
    lists = [(split, path) for split, path in lists if split]
    if not names_of or not lists:
        return None
    names = next(iter(names_of.values()))
    return [row for split, path in lists for row in _read_list(path, split or "", names)]


def _read_list(path: Path, split: str, names: list[str]) -> Iterator[Listed]:
    for number, line in enumerate(_lines(path), 1):
        image, _, index = line.strip().rpartition(" " if "\t" not in line else "\t")
        if not line.strip():
            continue
        if not image or not index.isdecimal() or int(index) >= len(names):
            expected = f"an image and the number of its class, 0 to {len(names) - 1}"
            raise ValueError(f"expected {expected}, in line {number} of {path}, got {line.strip()[:200]!r}")
        yield split, names[int(index)], path.parent / _inside(image.strip(), path)


def _read_csv(path: Path, split: str) -> Iterator[Listed]:
    rows = list(csv.DictReader(_lines(path), skipinitialspace=True))
    for number, row in enumerate(rows, 2):
        cells = {str(name).strip(): str(value).strip() for name, value in row.items()}
        image = cells.pop("filename", "")
        chosen = [name for name, value in cells.items() if value == "1"]
        if not image or len(chosen) != 1:
            expected = "a filename and one class with 1 in each line"
            raise ValueError(f"expected {expected}, in line {number} of {path}, got {image[:200]!r} with {len(chosen)}")
        yield split, chosen[0], path.parent / _inside(image, path)


def _lines(path: Path) -> list[str]:
    try:
        return read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"expected a list in UTF-8 at {path}, got: {error}") from error


def _inside(name: str, path: Path) -> str:
    parts = PureWindowsPath(name)
    if parts.is_absolute() or parts.drive or name.startswith(("/", "\\")) or ".." in parts.parts:
        raise ValueError(f"expected images within the folder of {path}, got {name!r}")
    return name
