"""The pictures that a quality report looks at, with nothing left out: faults are what it is for."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.expression.data.faces import USAGES
from fer_paddle.expression.data.fer2013 import CSV_NAMES, FERPLUS_CLASSES, PACKS, read_csv
from fer_paddle.expression.data.folders import MAX_SIDE, SPLIT_NAMES
from fer_paddle.images import list_images, read_image, to_gray
from fer_paddle.labels import EXPRESSIONS, parse_expression
from fer_paddle.packs import load_pack

UNLABELLED = -1
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclasses.dataclass(frozen=True)
class Samples:
    """Pictures with all that is known of them.

    Attributes:
        names: What a person finds each picture by: its path within the folder, or pack and row. Printable.
        images: One gray uint8 [H, W] a picture, longest side at most MAX_SIDE.
        shapes: int64 [N, 2], height and width of the picture as it was found, in pixels.
        classes: Names of the classes.
        labels: int64 [N], indices into `classes`; UNLABELLED where a picture has none.
        splits: str [N], such as `Training`; empty where the set is undivided.
        votes: int64 [N, 10], FER+ vote counts in the order of FERPLUS_CLASSES; None without FER+.
        unreadable: (name, reason) of each file that is no whole picture.

    Raises:
        ValueError: The lengths differ, or a label is no class.
    """

    names: Sequence[str]
    images: Sequence[np.ndarray]
    shapes: np.ndarray
    classes: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray
    votes: np.ndarray | None = None
    unreadable: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.images), len(self.shapes), len(self.labels), len(self.splits)}
        if len(lengths) > 1 or (self.votes is not None and len(self.votes) != len(self.names)):
            raise ValueError(f"expected columns of one length, got {sorted(lengths)}")
        if len(self.labels) and not UNLABELLED <= self.labels.min() <= self.labels.max() < len(self.classes):
            got = f"{self.labels.min()} to {self.labels.max()}"
            raise ValueError(f"expected labels 0 to {len(self.classes) - 1}, or {UNLABELLED} for none, got {got}")

    def __len__(self) -> int:
        return len(self.names)


def read_samples(sources: Sequence[str | os.PathLike[str]], progress: Progress = iter) -> Samples:
    """Reads every picture of one source or several.

    A source is a pack (.npz), the official csv of FER2013, a folder that holds these, or any folder of pictures. In
    such a folder a picture's class is the name of the folder it lies in, whatever that is, and the folders train/,
    valid/ and test/ are splits. Of several undivided sources each is a split of its own.

    Args:
        sources: Paths.
        progress: Wraps the list of pictures of a folder for a progress bar.

    Raises:
        FileNotFoundError: A source is not there.
        ValueError: A source is of no known kind, damaged or empty of readable pictures, or two have other classes.
    """
    if not sources:
        raise ValueError("expected at least one source of pictures, got none")
    parts = [_read_source(Path(source), progress) for source in sources]
    if len(sources) > 1:
        names = [Path(source).stem for source in sources]
        names = names if len(set(names)) == len(names) else list(map(os.fspath, sources))
        parts = [_named_split(part, printable(name)) for part, name in zip(parts, names)]
    found = {part.classes for part in parts}
    if len(found) > 1:
        told = " and ".join(", ".join(classes) for classes in sorted(found))
        raise ValueError(f"expected sources of the same classes, got {told}")
    return _join(parts)


def printable(name: str | os.PathLike[str]) -> str:
    """A file name as text that can be written anywhere: bytes that are no UTF-8, and control characters, as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _read_source(source: Path, progress: Progress) -> Samples:
    if not source.exists():
        raise FileNotFoundError(f"expected a pack, a csv or a folder of pictures, found nothing at {source}")
    if source.is_dir():
        inside = [source / name for name in PACKS.values() if (source / name).is_file()]
        inside = inside or [source / name for name in CSV_NAMES if (source / name).is_file()][:1]
        return _join([_read_file(path) for path in inside]) if inside else read_folder(source, progress)
    return _read_file(source)


def _read_file(path: Path) -> Samples:
    if path.suffix.lower() == ".npz":
        return _read_pack(path)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"expected a pack (.npz), a csv or a folder of pictures, got {path}")
    faces = read_csv(path, keep_faults=True)
    votes = None if faces.votes is None else np.rint(faces.votes * 10).astype(np.int64)
    names = [f"{path.stem} row {row}" for row in range(len(faces))]
    return _samples(names, faces.images, EXPRESSIONS, faces.labels, faces.usages, votes)


def _read_pack(path: Path) -> Samples:
    pack = load_pack(path)
    images, count = pack["images"], len(pack["images"])
    if images.ndim == 4:
        images = [to_gray(np.ascontiguousarray(image[..., ::-1])) for image in images]  # packs are RGB
    shapes = {"labels": (count,), "usage": (count,), "row": (count,), "ferplus": (count, len(FERPLUS_CLASSES))}
    columns = {name: pack[name] for name in shapes if name in pack}
    for name, column in columns.items():
        if column.dtype.kind not in "iu" or column.shape != shapes[name]:
            got = f"{column.dtype} {list(column.shape)}"
            raise ValueError(f"expected whole numbers {list(shapes[name])} as {name!r} in {path}, got {got}")
    usage = columns.get("usage")
    if usage is not None and not np.isin(usage, range(len(USAGES))).all():
        raise ValueError(f"expected a usage 0 to 2 in {path}, got {np.unique(usage).tolist()}")
    rows = pack.get("name", [f"row {row}" for row in columns.get("row", range(count))])
    names = [printable(f"{path.stem} {row}") for row in rows]
    classes = tuple(map(str, pack.get("classes", EXPRESSIONS)))
    labels = columns.get("labels", np.full(count, UNLABELLED)).astype(np.int64)
    splits = np.array([""] * count) if usage is None else np.array(USAGES)[usage]
    votes = columns["ferplus"].astype(np.int64) if "ferplus" in columns else None
    return _samples(names, images, classes, labels, splits, votes)


def read_folder(folder: Path, progress: Progress = iter) -> Samples:
    """Reads the pictures of a folder and of those below it; see `read_samples`.

    Raises:
        ValueError: No picture in it can be read.
    """
    names, images, shapes, places, unreadable = [], [], [], [], []
    for path in progress(list_images(folder)):
        name = printable(path.relative_to(folder))
        try:
            image = to_gray(read_image(path))
        except (ValueError, OSError) as error:  # a link to nowhere is listed, but not found
            unreadable.append((name, printable(str(error))))
            continue
        names.append(name)
        shapes.append(image.shape)
        images.append(_shrink(image))
        places.append(_place(path.relative_to(folder).parts))
    if not images:
        reason = f"{len(unreadable)} damaged ones: {unreadable[0][1]}" if unreadable else "none"
        raise ValueError(f"expected pictures in {folder}, found {reason}")
    classes, labels = _number_classes([place[1] for place in places])
    splits = np.array([place[0] for place in places])
    return _samples(names, images, classes, labels, splits, None, np.array(shapes), tuple(unreadable))


def _place(parts: tuple[str, ...]) -> tuple[str, str]:
    """Gives (split, class) of a picture's path in its folder; both empty where the folders say nothing."""
    folders = list(parts[:-1])
    first = folders[0].strip().lower() if folders else ""
    split = next((kind for kind, names in SPLIT_NAMES.items() if first in names), "")
    folders = folders[1:] if split else folders
    return split, printable(folders[-1]) if folders else ""


def _number_classes(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Gives the classes and each picture's index: the seven expressions where all names mean one, else the names."""
    found = sorted(set(names) - {""})
    try:
        indices = {name: parse_expression(name) for name in found}
    except ValueError:
        indices, classes = {name: index for index, name in enumerate(found)}, tuple(found)
    else:
        classes = EXPRESSIONS if found else ()
    indices[""] = UNLABELLED
    return classes, np.array([indices[name] for name in names], np.int64)


def _shrink(gray: np.ndarray) -> np.ndarray:
    scale = MAX_SIDE / max(gray.shape)
    if scale >= 1:
        return gray
    height, width = (max(1, round(side * scale)) for side in gray.shape)
    return cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)


def _samples(
    names: Sequence[str],
    images: Sequence[np.ndarray],
    classes: tuple[str, ...],
    labels: np.ndarray,
    splits: np.ndarray,
    votes: np.ndarray | None,
    shapes: np.ndarray | None = None,
    unreadable: tuple[tuple[str, str], ...] = (),
) -> Samples:
    if shapes is None:
        shapes = np.array([image.shape for image in images], np.int64).reshape(-1, 2)
    return Samples(names, list(images), shapes, classes, labels, splits, votes, unreadable)


def _named_split(part: Samples, name: str) -> Samples:
    if (part.splits != "").any():
        return part
    return dataclasses.replace(part, splits=np.array([name] * len(part)))


def _join(parts: Sequence[Samples]) -> Samples:
    if len(parts) == 1:
        return parts[0]
    votes = [part.votes for part in parts]
    return Samples(
        [name for part in parts for name in part.names],
        [image for part in parts for image in part.images],
        np.concatenate([part.shapes for part in parts]),
        parts[0].classes,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.splits for part in parts]),
        None if any(column is None for column in votes) else np.concatenate(votes),
        tuple(bad for part in parts for bad in part.unreadable),
    )
