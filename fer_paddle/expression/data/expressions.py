"""Labelled faces from wherever they lie: a pack, the official csv, a folder of FER2013, or class folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fer_paddle.environment import find_data
from fer_paddle.expression.data import fer2013, folders
from fer_paddle.expression.data.faces import (
    USAGES,
    LabelledFaces,
    join_faces,
    split_faces,
    take_usage,
    without_copies,
)

__all__ = [
    "USAGES",
    "LabelledFaces",
    "join_faces",
    "load_faces",
    "load_train_valid",
    "split_faces",
    "take_usage",
    "without_copies",
]

logger = logging.getLogger(__name__)


def load_faces(
    path: str | os.PathLike[str],
    usage: str | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> LabelledFaces:
    """Reads labelled faces from a pack (.npz), the official csv, or a folder.

    A folder holds the FER2013 packs, or the official csv, or class folders (angry/, ...), or these within
    train/, valid/ and test/ (see `folders.read_class_folders`).

    Args:
        path: What to read.
        usage: `Training`, `PublicTest` or `PrivateTest`; None takes all faces. `Training` comes without the
            pictures that also stand in a test split of the same data.
        progress: Wraps the list of pictures of class folders for a progress bar.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: It is none of these, holds no readable face, or none of this usage.
    """
    path = Path(path)
    expected = "expected a pack (.npz), the official csv, a folder with one of them or with class folders"
    if not path.exists():
        raise FileNotFoundError(f"{expected}, found nothing at {path}")
    if path.is_dir():
        if fer2013.holds_fer2013(path):
            return fer2013.read_fer2013(path, usage)
        return folders.read_class_folders(path, progress, usage)
    readers = {".npz": fer2013.read_pack, ".csv": fer2013.read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{expected}, got {path}")
    return readers[path.suffix.lower()](path, usage)


def load_train_valid(
    data: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    share: float = 0.1,
    seed: int = 0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> tuple[LabelledFaces, LabelledFaces]:
    """Reads the faces to learn from and those to measure on; no picture stands in both, byte for byte.

    Near copies, such as two cuts of one photo, stay in both, so that figures compare with those that others publish;
    the command `report` lists them (of FER2013: 317 PublicTest pictures).

    The faces to measure on are the PublicTest part of `valid` or, without `valid`, of `data`. Where `data`
    has none, `share` of each class is split off (the tutorial takes the last 100 of its shuffled list).

    Args:
        data: What `load_faces` reads, or its name in one of the data folders. For the Training pack of
            FER2013 the other packs beside it count as its test splits.
        valid: The same for the faces to measure on; an undivided set is taken whole.
        share: Share of each class that is split off.
        seed: Seed of that split.
        progress: As in `load_faces`.

    Returns:
        (train, valid).

    Raises:
        FileNotFoundError: One of them is not there; all places looked in are named.
        ValueError: One of them cannot be read, or no face is left to learn from or to measure on.
    """
    source = find_data(os.fspath(data))
    if source.name == fer2013.PACKS["Training"] and source.is_file():
        source = source.parent
    faces = load_faces(source, progress=progress)
    train = faces if faces.usages is None else take_usage(faces, "Training", source)
    if valid is not None:
        measured = load_faces(find_data(os.fspath(valid)), progress=progress)
        measured = take_usage(measured, "PublicTest" if len(measured.found_usages()) > 1 else None, valid)
    elif "PublicTest" in faces.found_usages():
        measured = take_usage(faces, "PublicTest", source)
    else:
        train, measured = split_faces(train, share, seed)
    if not len(measured):
        raise ValueError(f"expected a class of two faces or more in {source}, to split some off, found none")
    kept = without_copies(train, measured)
    if not len(kept):
        raise ValueError(f"expected faces to learn from in {source}, got only copies of those to measure on")
    if len(kept) < len(train):
        logger.info("left %d faces out of training: copies of faces to measure on", len(train) - len(kept))
    return kept, measured
