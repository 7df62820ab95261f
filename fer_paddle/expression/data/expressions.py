"""Labelled faces from wherever they lie: a pack, the official csv, a folder of FER2013, or class folders."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.environment import find_data
from fer_paddle.expression.data import fer2013, folders
from fer_paddle.expression.data.faces import (
    UNLABELLED,
    LabelledFaces,
    join_faces,
    split_faces,
    take_measured,
    take_split,
    unite_classes,
    without_copies,
)
from fer_paddle.expression.data.ferplus import take_for_classes, take_strict
from fer_paddle.files import each_once
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS, choose_classes, find_class, own_classes, parse_class

logger = logging.getLogger(__name__)

BY_VOTES = ":votes"
VALID_RATIO = 0.1


def load_faces(
    path: str | os.PathLike[str], classes: Sequence[str] | None = None, strict: bool = True
) -> LabelledFaces:
    """Read all labeled faces of a pack (.npz), the official csv, or a folder; `take_split` then chooses a split.

    A folder holds the FER2013 packs, or the official csv, or class folders (angry/, ...), or these within
    train/, validation/ and test/ (see `folders.read_class_folders`).

    Args:
        classes: Names of the classes, in order; None takes what the data say.
        strict: Refuse images without a label, and leave out FER2013's known faults; False takes all, for a report.
    """
    path = Path(path)
    expected = "expected a pack (.npz), the official csv, a folder with one of them or with class folders"
    if not path.exists():
        raise FileNotFoundError(f"{expected}, found nothing at {path}")
    if path.is_dir() and not fer2013.find_fer2013(path):
        return folders.read_class_folders(path, classes, strict)
    if not path.is_dir() and path.suffix.lower() not in (".npz", ".csv"):
        raise ValueError(f"{expected}, got {path}")
    faces = fer2013.read_fer2013(path, keep_faults=not strict)
    if strict and (faces.labels == UNLABELLED).any():
        raise ValueError(f"expected a pack with 'labels' at {path}, got images without")
    return faces if classes is None else faces.with_classes(choose_classes((), classes)[0])


def load_measured(
    data: str | os.PathLike[str], classes: Sequence[str] | None = None, split: str | None = None
) -> LabelledFaces:
    """Read the faces to measure a network on; those of `NAME:votes` by their FER+ votes, see ferplus.take_strict."""
    name = os.fspath(data)
    path = find_data(name.removesuffix(BY_VOTES))
    faces = load_faces(path)
    if classes is not None and all(map(str.isdecimal, faces.classes)):  # numbered folders: the network names them
        faces = load_faces(path, own_classes(classes))
    faces = take_measured(faces) if split is None else take_split(faces, split, data)
    if name.endswith(BY_VOTES):
        faces = take_strict(faces)
    if classes is None:
        return faces
    faces = take_for_classes(faces, classes)
    if faces.classes == EXPRESSIONS and tuple(classes[: len(EXPRESSIONS)]) == EXPRESSIONS:
        return faces  # contempt is left out where no face is labeled so
    return faces.with_classes(tuple(classes))


def load_train_valid(
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    valid: str | os.PathLike[str] | None = None,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> tuple[LabelledFaces, LabelledFaces]:
    """Read the faces to train on and those to measure on; no image stands in both, byte for byte.

    Near copies, such as two crops of one photo, stay in both, so that figures compare with those that others publish;
    the command `report` lists them (of FER2013: 317 images of PublicTest).

    The faces to measure on are the validation split (else the test split) of `valid` or, without `valid`, of `data`.
    Where `data` has none, a tenth of each class is split off (the tutorial takes the last 100 of its shuffled list).

    Args:
        data: What `load_faces` reads, or its name in one of the data folders; or several, whose classes are united.
            For the training pack of FER2013 the other packs beside it count as its test splits.
        valid: The same for the faces to measure on; an undivided set is taken whole.

    Returns:
        (train, valid), of the same classes.
    """
    sources = [data] if isinstance(data, (str, os.PathLike)) else data
    pairs = [_load_pair(source, valid is None, seed, classes) for source in each_once(sources)]
    train = join_faces([pair[0] for pair in pairs])
    if valid is not None:
        measured = take_measured(load_faces(find_data(os.fspath(valid)), classes))
        named = FERPLUS_EXPRESSIONS if set(train.classes) <= set(FERPLUS_EXPRESSIONS) else train.classes
        if foreign := [name for name, count in measured.counts().items() if count and find_class(name, named) is None]:
            raise ValueError(
                f"expected the classes of {data} in {valid}: {', '.join(train.classes)}; got also {', '.join(foreign)}"
            )
    else:
        measured = join_faces([pair[1] for pair in pairs])
    united = unite_classes([train, measured])
    train, measured = train.with_classes(united), measured.with_classes(united)
    where = ", ".join(map(str, sources))
    if not len(measured):
        raise ValueError(f"expected a class of two faces or more in {where}, to split some off, found none")
    kept = without_copies(train, measured)
    if not len(kept):
        raise ValueError(f"expected faces to train on in {where}, got only copies of those to measure on")
    if len(kept) < len(train):
        logger.info("left %d faces out of training: copies of faces to measure on", len(train) - len(kept))
    _check_own_classes(kept, measured, where)
    return kept, measured


def _load_pair(
    source: str | os.PathLike[str], needs_valid: bool, seed: int, classes: Sequence[str] | None
) -> tuple[LabelledFaces, LabelledFaces]:
    """Read one source as (train, faces to measure on); without need the second is empty."""
    path = find_data(os.fspath(source))
    if path.name == fer2013.PACKS["train"] and path.is_file():
        path = path.parent
    faces = load_faces(path, classes)
    train = faces if faces.split is None else take_split(faces, "train", path)
    if not needs_valid:
        return train, faces.select(np.zeros(len(faces), bool))
    measured = [name for name in ("validation", "test") if name in faces.found_splits()]
    return (train, take_split(faces, measured[0], path)) if measured else split_faces(train, VALID_RATIO, seed)


def _check_own_classes(train: LabelledFaces, valid: LabelledFaces, where: str) -> None:
    """Refuse a class of one's own without a face to train on or to measure on."""
    if train.classes in (EXPRESSIONS, FERPLUS_EXPRESSIONS):
        return
    for faces, use in ((train, "train"), (valid, "measure")):
        if missing := [name for name, count in faces.counts().items() if not count]:
            raise ValueError(
                f"expected two different images or more of each class in {where}, "
                f"got none to {use} on of {', '.join(missing)}"
            )


def load_sources(sources: Sequence[str | os.PathLike[str]]) -> LabelledFaces:
    """Read every image of one source or several, for a report; of several undivided ones each is a split of its own."""
    if not sources:
        raise ValueError("expected at least one source of images, got none")
    parts = [load_faces(source, strict=False) for source in each_once(sources)]
    if len(parts) > 1:
        names = [Path(source).stem for source in sources]
        names = names if len(set(names)) == len(names) else [os.fspath(source) for source in sources]
        parts = [part if part.split is not None else _name_split(part, name) for part, name in zip(parts, names)]
    if len({tuple(map(parse_class, part.classes)) for part in parts}) > 1:
        got = " and ".join(", ".join(classes) or "none" for classes in sorted({part.classes for part in parts}))
        raise ValueError(f"expected sources of the same classes, got {got}")
    return join_faces(parts)


def _name_split(faces: LabelledFaces, name: str) -> LabelledFaces:
    return dataclasses.replace(faces, split=np.array([folders.printable(name)] * len(faces)))
