"""Faces in class folders (`happy/`, `高兴/`, `4_Happy/` or one's own), in `train/`, `test/` ...; or by lists."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fer_paddle.console import visible
from fer_paddle.expression.data.faces import UNLABELLED, LabelledFaces
from fer_paddle.files import read_table, read_text
from fer_paddle.images import ENOUGH_PIXELS, FORMATS, find_named, list_images, read_image, to_gray
from fer_paddle.labels import (
    EXPRESSIONS,
    FERPLUS_EXPRESSIONS,
    MAX_CLASSES,
    MIN_CLASSES,
    SPLITS,
    choose_classes,
    find_split,
    parse_class,
    parse_split,
)
from fer_paddle.messages import reason_of, track

LABELS_FILES = ("labels.txt", "label.txt", "label_list.txt")
CLASSES_CSV = "_classes.csv"
logger = logging.getLogger(__name__)

# All faces stay in memory, and a photo of 12 megapixels would take 12 MB. Networks see at most 128 px a side.
MAX_SIDE = 256
NAMES_FILES = ("classes.txt", "names.txt")
_NUMBERED_NAME = re.compile(r"(\d+)[\s:.,_\-]+(.+)")
_NAMES_IN_LOG = 10


class _Image(NamedTuple):
    split: str  # of SPLITS; empty where the set is undivided
    folder: str  # name of the class or its folder; empty for an image outside of all
    path: Path


def read_class_folders(
    path: str | os.PathLike[str], classes: Sequence[str] | None = None, strict: bool = True
) -> LabelledFaces:
    """Read the images of class folders, or of class folders within the folders of splits -> uint8 [H, W]."""
    path = Path(path)
    folders, listed = _list_images(path, strict) if (rows := _read_lists(path)) is None else rows
    chosen, index_of = _choose_classes(path, folders, classes)
    listed.sort(key=lambda one: (one.split != "" and 1 + SPLITS.index(one.split), index_of[one.folder], one.path))
    if not listed:
        raise ValueError(f"expected images ({', '.join(FORMATS)}) in the class folders of {path}, found none")
    if strict:
        _check_own_classes(path, chosen, [(one.split, index_of[one.folder]) for one in listed])
    images, kept, shapes, skipped = [], [], [], []
    for one in track(listed, "images"):
        try:
            image = to_gray(read_image(one.path, ENOUGH_PIXELS))
        except (ValueError, OSError) as error:  # a link to nowhere is listed, but not found
            skipped.append((printable(one.path.relative_to(path)), printable(reason_of(error))))
            continue
        shapes.append(image.shape)
        images.append(shrink(image))
        kept.append(one)
    if not kept:
        raise ValueError(f"expected a readable image in {path}, got {len(skipped)} unreadable ones: {skipped[0][1]}")
    faces = LabelledFaces(
        images,
        np.array([index_of[one.folder] for one in kept], np.int64),
        split=np.array([one.split for one in kept]) if any(one.split for one in kept) else None,
        classes=chosen,
        names=[printable(one.path.relative_to(path)) for one in kept],
        shapes=np.array(shapes, np.int64),
        skipped=tuple(skipped),
    )
    if strict:
        _warn_of_faults(path, faces)
    return faces


def _read_lists(path: Path) -> tuple[list[str], list[_Image]] | None:
    """Return the names of all classes and the images of a folder with lists of them; None where it has none.

    | layout | files |
    |---|---|
    | PaddleX, PaddleClas | `train_list.txt` or `train.txt` ..., lines `images/a.jpg 3`; one of LABELS_FILES |
    | Roboflow | `train/_classes.csv` ... with `filename` and a column of 0 and 1 for each class |
    """
    tables = [(parse_split(file.parent.name), file) for file in sorted(path.glob(f"*/{CLASSES_CSV}"))]
    lists = [(parse_split(file.stem.removesuffix("_list")), file) for file in sorted(path.glob("*.txt"))]
    lists = [(split, file) for split, file in lists if split]
    names_of = {name: _read_names(path / name) for name in LABELS_FILES if (path / name).is_file()}
    if tables:
        images = [image for split, table in tables if split for image in _read_csv(table, split)]
    elif names_of and lists:
        names = next(iter(names_of.values()))
        images = [image for split, file in lists for image in _read_list(file, split or "", names)]
    else:
        return None
    return sorted({image.folder for image in images}), images


def _read_list(path: Path, split: str, names: list[str]) -> Iterator[_Image]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        image, _, index = line.strip().rpartition(" " if "\t" not in line else "\t")
        if not line.strip():
            continue
        if not image or not index.isdecimal() or int(index) >= len(names):
            expected = f"an image and the number of its class, 0 to {len(names) - 1}"
            raise ValueError(f"expected {expected}, in line {number} of {path}, got {line.strip()[:200]!r}")
        yield _Image(split, names[int(index)], find_named(image.strip(), path.parent))


def _read_csv(path: Path, split: str) -> Iterator[_Image]:
    for number, cells in read_table(path, ("filename",)):
        image = cells.pop("filename")
        chosen = [name for name, value in cells.items() if value in ("1", "1.0")]
        if not image or len(chosen) != 1:
            expected = "a filename and one class with 1 in each line"
            raise ValueError(f"expected {expected}, in line {number} of {path}, got {image[:200]!r} with {len(chosen)}")
        yield _Image(split, chosen[0], find_named(image, path.parent))


def _list_images(path: Path, strict: bool) -> tuple[list[str], list[_Image]]:
    """Return the names of all class folders, and the images in them."""
    folders = _subfolders(path)
    if strict and any(parse_split(folder.name) for folder in folders):
        if unknown := [folder.name for folder in folders if parse_split(folder.name) is None]:
            got = ", ".join(map(repr, unknown))
            raise ValueError(f"expected only folders of splits, such as train, in {path}, got also {got}")
        places = []
    else:
        places = [(path, "")]
    places += [(folder, split) for folder in folders if (split := parse_split(folder.name)) is not None]
    names, images = [], []
    for place, split in places:
        loose = [file for file in sorted(place.iterdir()) if file.suffix.lower() in FORMATS and not file.is_dir()]
        loose = [file for file in loose if not file.name.startswith(".")]
        inside = [folder for folder in _subfolders(place) if split or parse_split(folder.name) is None]
        if strict and not inside:
            raise ValueError(f"expected class folders in {place}, such as {', '.join(EXPRESSIONS)}; found none")
        if strict and loose:
            logger.warning("%s: images in no class folder: %d, %s", place, len(loose), _name(loose))
        images += [] if strict else [_Image(_split_of(file, split), "", file) for file in loose]
        words = {parse_class(folder.name) for folder in inside}
        nested = []
        for folder in inside:
            names.append(folder.name)
            for file in list_images(folder):
                below = file.relative_to(folder).parts[:-1]
                images.append(_Image(_split_of(file, split or find_split(below)), folder.name, file))
                if (words - {parse_class(folder.name)}).intersection(map(parse_class, below)):
                    nested.append(file.relative_to(place).as_posix())
        if strict and nested:
            logger.warning("%s: images of one class within another's folder: %d, %s", place, len(nested), _name(nested))
    if strict and 0 < (outside := sum(not image.split for image in images)) < len(images):
        raise ValueError(f"expected a split, such as train, for each image of {path}, got {outside} images without one")
    return names, images


def _choose_classes(
    path: Path, folders: Sequence[str], wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the classes and the class index of each folder's name, with that of no folder under the empty name."""
    source = next((path / name for name in NAMES_FILES if (path / name).is_file()), None)
    names = {name: name for name in folders}
    if folders and all(name.isdecimal() for name in folders) and (wanted or source):
        listed = list(wanted) if wanted else _read_names(source)  # type: ignore[arg-type]
        first, numbers = min(map(int, folders)), {int(name) for name in folders}
        if first > 1 or numbers != set(range(first, first + len(listed))):
            got, listing = ", ".join(map(str, sorted(numbers))), f"the {len(listed)} names in {source or '--classes'}"
            raise ValueError(f"expected folders 1 to {len(listed)} (or from 0) in {path} for {listing}, got {got}")
        names = {name: listed[int(name) - first] for name in folders}
    try:
        classes, index_of = choose_classes(names.values(), wanted)
    except ValueError as error:
        raise ValueError(f"{error} in {path}") from error
    return classes, {"": UNLABELLED, **{folder: index_of[name] for folder, name in names.items()}}


def _read_names(path: Path) -> list[str]:
    """Read one class name a line; where all lines begin with a number, in the order of the numbers."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    numbered = [_NUMBERED_NAME.fullmatch(line) for line in lines]
    if lines and all(numbered):
        return [match[2] for match in sorted(numbered, key=lambda match: int(match[1]))]  # type: ignore[index, union-attr]
    return lines


def _check_own_classes(path: Path, classes: Sequence[str], found: Sequence[tuple[str, int]]) -> None:
    """Refuse classes of one's own of a wrong number, or without an image to train or to measure on."""
    if classes in (EXPRESSIONS, FERPLUS_EXPRESSIONS):
        return
    if not MIN_CLASSES <= len(classes) <= MAX_CLASSES:
        got = f"{len(classes)}: {_name(classes)}"
        raise ValueError(f"expected {MIN_CLASSES} to {MAX_CLASSES} classes in {path}, got {got}")
    splits = {split for split, _ in found}
    for split in [name for name in ("", *SPLITS) if name in splits][:2]:  # train and validation, or test without it
        present = {index for one, index in found if one == split}
        if missing := [name for index, name in enumerate(classes) if index not in present]:
            where = f"the split {split} of {path}, as in the other" if split and len(splits) > 1 else path
            raise ValueError(f"expected images of each class in {where}, got none of {', '.join(missing)}")


def _subfolders(path: Path) -> list[Path]:
    """Return the folders directly in a folder, but for hidden ones."""
    if not path.exists():
        raise FileNotFoundError(f"expected a folder of class folders, found nothing at {path}")
    if not path.is_dir():
        raise ValueError(f"expected a folder of class folders, got the file {path}")
    return sorted(one for one in path.iterdir() if not one.name.startswith((".", "__MACOSX")) and one.is_dir())


def _split_of(file: Path, split: str) -> str:
    """Return the split of an image: that of its folder, or in a test folder that of Kaggle's names."""
    named = parse_split(file.name.partition("_")[0]) if split not in ("", "train") else None
    return named if named in ("validation", "test") else split


def shrink(gray: np.ndarray, max_side: int = MAX_SIDE) -> np.ndarray:
    """Bring the longest side of a uint8 [H, W] image to at most `max_side` pixels, averaging over areas."""
    scale = max_side / max(gray.shape)
    if scale >= 1:
        return gray
    height, width = (max(1, round(side * scale)) for side in gray.shape)
    return cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)


def printable(name: str | os.PathLike[str]) -> str:
    """Return a file name as text that can be written anywhere: other bytes and control characters as escapes."""
    return visible(os.fsencode(name).decode("utf-8", "backslashreplace"))


def _warn_of_faults(path: Path, faces: LabelledFaces) -> None:
    if faces.skipped:
        total, names = len(faces) + len(faces.skipped), _name([name for name, _ in faces.skipped])
        logger.warning("%s: %d of %d images cannot be read: %s", path, len(faces.skipped), total, names)
    for split in faces.found_splits() or (None,):
        part = faces if split is None else faces.select(np.asarray(faces.split) == split)
        if missing := [name for name, count in part.counts().items() if count == 0]:
            logger.warning("%s: no image of %s", path if split is None else f"{split} of {path}", ", ".join(missing))


def _name(names: Sequence[str | Path]) -> str:
    more = len(names) - _NAMES_IN_LOG
    shown = ", ".join(one.name if isinstance(one, Path) else one for one in names[:_NAMES_IN_LOG])
    return shown + (f" and {more} more" if more > 0 else "")
