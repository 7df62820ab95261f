"""Faces in class folders: `happy/`, `高兴/` or the tutorial's `4_Happy/`, also in `train/`, `test/`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from fer_paddle.expression.data.faces import USAGES, LabelledFaces, check_usage, take_usage
from fer_paddle.images import FORMATS, list_images, read_image, to_gray
from fer_paddle.labels import EXPRESSIONS, parse_expression

logger = logging.getLogger(__name__)

# All faces stay in memory, and a photo of 12 megapixels would take 12 MB. Networks see at most 128 px a side.
MAX_SIDE = 256
SPLIT_NAMES = {
    "train": ("train", "training", "训练集"),
    "valid": ("valid", "val", "validation", "验证集"),
    "test": ("test", "testing", "测试集"),
}
_NAMES_IN_LOG = 10


class _Picture(NamedTuple):
    path: Path
    label: int
    usage: str | None


def read_class_folders(
    path: str | os.PathLike[str],
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    usage: str | None = None,
) -> LabelledFaces:
    """Reads the pictures of class folders, or of class folders within the folders of splits.

    A class is known by its folder's name (see `labels.parse_expression`); two folders of a class are joined.
    Of the splits, `train` is Training, `valid` (or `val`) PublicTest, and `test` PrivateTest or, where there
    is no `valid`, PublicTest. A picture named `PublicTest_...` or `PrivateTest_...`, as in Kaggle's FER2013,
    has the usage of its name in either. Unreadable pictures are skipped, named in `skipped` and logged.

    Args:
        path: The folder. Hidden folders and `__MACOSX` in it are passed over.
        progress: Wraps the list of pictures for a progress bar.
        usage: One of USAGES, or None for all; see `take_usage`.

    Returns:
        Gray faces uint8 [H, W], longest side at most MAX_SIDE, ordered by split, class and path.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A folder's name is no class, no picture can be read, or none has this usage.
    """
    path = Path(path)
    pictures = _list_pictures(path)
    if usage is not None:
        found = {picture.usage for picture in pictures}
        check_usage(usage, [name for name in USAGES if name in found], path)
    if usage in USAGES[1:]:  # Training is read with the test splits, for it must not contain their pictures
        pictures = [picture for picture in pictures if picture.usage == usage]
    images, kept, unreadable = [], [], []
    for picture in progress(pictures):
        try:
            image = to_gray(read_image(picture.path))
        except (ValueError, FileNotFoundError) as error:  # a link to nowhere is listed, but not found
            unreadable.append((picture.path, error))
            continue
        images.append(_shrink(image))
        kept.append(picture)
    _report_unreadable(path, unreadable, len(pictures))
    labels = np.array([picture.label for picture in kept], np.int64)
    usages = None if kept[0].usage is None else np.array([picture.usage for picture in kept])
    faces = LabelledFaces(images, labels, usages=usages, skipped=tuple(str(file) for file, _ in unreadable))
    _report_missing(path, faces)
    return take_usage(faces, usage, path)


def _list_pictures(path: Path) -> list[_Picture]:
    """Lists the pictures of all classes, ordered by split, class and path."""
    folders = _subfolders(path)
    kinds = [_split_kind(folder.name) for folder in folders]
    if not any(kinds):
        pictures = [_Picture(file, label, None) for file, label in _list_classes(path, folders)]
    else:
        unknown = [folder.name for folder, kind in zip(folders, kinds) if kind is None]
        if unknown:
            got = ", ".join(map(repr, unknown))
            raise ValueError(f"expected only {', '.join(SPLIT_NAMES)} in {path}, got also {got}")
        pictures = []
        for folder, kind in zip(folders, kinds):
            for file, label in _list_classes(folder, _subfolders(folder)):
                pictures.append(_Picture(file, label, _usage_of(file, kind, "valid" in kinds)))
        pictures.sort(key=lambda picture: (USAGES.index(picture.usage), picture.label, picture.path))
    if not pictures:
        formats = ", ".join(FORMATS)
        raise ValueError(f"expected pictures ({formats}) in the class folders of {path}, found none")
    return pictures


def _list_classes(path: Path, folders: Sequence[Path]) -> list[tuple[Path, int]]:
    """Lists (picture, class index) of class folders, ordered by class and path."""
    labels, unknown = {}, []
    for folder in folders:
        try:
            labels[folder] = parse_expression(folder.name)
        except ValueError:
            unknown.append(folder.name)
    if unknown or not folders:
        got = f"got {', '.join(map(repr, unknown))}" if unknown else "found none"
        names = f"{', '.join(EXPRESSIONS)}, in Chinese, or like 5_Sad"
        raise ValueError(f"expected class folders in {path} named {names}; {got}")
    found = [(label, file) for folder, label in labels.items() for file in list_images(folder)]
    return [(file, label) for label, file in sorted(found)]


def _subfolders(path: Path) -> list[Path]:
    """Lists the folders directly in a folder, but for hidden ones; warns of pictures beside them."""
    if not path.exists():
        raise FileNotFoundError(f"expected a folder of class folders, found nothing at {path}")
    if not path.is_dir():
        raise ValueError(f"expected a folder of class folders, got the file {path}")
    visible = sorted(entry for entry in path.iterdir() if not entry.name.startswith((".", "__MACOSX")))
    loose = [entry.name for entry in visible if entry.suffix.lower() in FORMATS and entry.is_file()]
    if loose:
        logger.warning("%s: %d pictures lie in no class folder: %s", path, len(loose), _name(loose))
    return [entry for entry in visible if entry.is_dir()]


def _split_kind(name: str) -> str | None:
    return next((kind for kind, names in SPLIT_NAMES.items() if name.strip().lower() in names), None)


def _usage_of(file: Path, kind: str, has_valid: bool) -> str:
    if kind == "train":
        return "Training"
    named = next((usage for usage in USAGES[1:] if file.name.startswith(f"{usage}_")), None)
    return named or ("PublicTest" if kind == "valid" or not has_valid else "PrivateTest")


def _shrink(gray: np.ndarray) -> np.ndarray:
    """Brings the longest side of a uint8 [H, W] picture to at most MAX_SIDE, averaging over areas."""
    height, width = gray.shape
    scale = MAX_SIDE / max(height, width)
    if scale >= 1:
        return gray
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)


def _report_unreadable(path: Path, unreadable: Sequence[tuple[Path, Exception]], total: int) -> None:
    if len(unreadable) == total:
        first = unreadable[0][1]
        raise ValueError(f"expected a readable picture in {path}, got {total} unreadable ones: {first}")
    if unreadable:
        names = _name([str(file.relative_to(path)) for file, _ in unreadable])
        logger.warning("%s: %d of %d pictures cannot be read: %s", path, len(unreadable), total, names)


def _report_missing(path: Path, faces: LabelledFaces) -> None:
    for usage in faces.found_usages() or (None,):
        part = faces if usage is None else faces.select(faces.usages == usage)
        missing = [name for name, count in part.counts().items() if count == 0]
        if missing:
            where = path if usage is None else f"{usage} of {path}"
            logger.warning("%s: no picture of %s", where, ", ".join(missing))


def _name(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_IN_LOG
    return ", ".join(names[:_NAMES_IN_LOG]) + (f" and {more} more" if more > 0 else "")
