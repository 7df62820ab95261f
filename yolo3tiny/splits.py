"""Which photos to learn from and which to measure on: a table's own splits, or every tenth photo of it.

A table with a split `val` decides itself. Of any other table, the photos at the positions 0, 10, 20 ... are
held out: `val` and `held_out` name them, `train` names the rest; a split `test` is left out of both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fer_paddle.environment import find_data
from yolo3tiny.annotations import read_photos, read_wider
from yolo3tiny.photos import Photo, hold_out

ALL, TRAIN, VAL, HELD_OUT = "all", "train", "val", "held_out"


def find_photos(data: str | os.PathLike[str]) -> list[Photo]:
    """Finds and reads annotated photos.

    Args:
        data: A name or path as environment.find_data takes it, of what annotations.read_photos reads, or of a
            list of WIDER FACE (.txt), with the pictures relative to its folder.

    Raises:
        FileNotFoundError: There is no such data.
        ValueError: They are in no known format, or malformed.
    """
    path = find_data(os.fspath(data))
    return read_wider(path, path.parent) if path.suffix.lower() == ".txt" else read_photos(path)


def choose_split(photos: Sequence[Photo], split: str) -> list[Photo]:
    """Chooses photos of one table.

    Args:
        photos: All photos of the table, in its order.
        split: `all`, a split of the table, or `train`, `val` or `held_out` as the head of this module says.

    Raises:
        ValueError: There is no such split.
    """
    own = {photo.split for photo in photos if photo.split}
    if split == ALL:
        return list(photos)
    if VAL not in own and split in (TRAIN, VAL, HELD_OUT):
        rest, held_out = hold_out([photo for photo in photos if photo.split != "test"])
        chosen = rest if split == TRAIN else held_out
    else:
        chosen = [photo for photo in photos if photo.split == split]
    if not chosen:
        known = {ALL, *own} | (set() if VAL in own else {TRAIN, VAL, HELD_OUT})
        raise ValueError(f"expected photos of a split among {', '.join(sorted(known))}, got none of {split!r}")
    return chosen


def find_train_valid(names: Sequence[str | os.PathLike[str]]) -> tuple[list[Photo], list[Photo], str]:
    """Joins several tables for a training.

    Args:
        names: As `find_photos` takes them.

    Returns:
        The photos to learn from, those to measure on, and both said in words.

    Raises:
        FileNotFoundError: One of them is not there.
        ValueError: One is malformed or too small to be split, or stands there twice.
    """
    if len(set(map(str, names))) < len(names):
        raise ValueError(f"expected each data set once, got {', '.join(map(str, names))}")
    train, valid, words = [], [], []
    for name in names:
        photos = find_photos(name)
        parts = choose_split(photos, TRAIN), choose_split(photos, VAL)
        how = "its split val" if any(photo.split == VAL for photo in photos) else "every tenth"
        words.append(f"{Path(name).name}: {len(parts[0])} photos, measured on {len(parts[1])} others ({how})")
        train += parts[0]
        valid += parts[1]
    return train, valid, "; ".join(words)
