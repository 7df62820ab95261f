"""Split photos into train and validation: a table's own splits, or every tenth photo of it.

A table with a split for validation decides itself. Of any other table, the photos at the positions 0, 10, 20 ... are
held out: `validation` and `held_out` name them, `train` names the rest; a split `test` is left out of both.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_paddle.environment import find_data
from fer_paddle.files import each_once
from fer_paddle.labels import SPLITS, parse_split
from yolo3tiny.annotations import read_categories, read_photos
from yolo3tiny.photos import ALL, Photo, check_readable, cut_tiles, own_categories
from yolo3tiny.predict import CLASSES

TRAIN, VALIDATION, TEST = SPLITS
HELD_OUT, HELD_OUT_EVERY = "held_out", 10


def find_photos(
    data: str | os.PathLike[str], classes: Sequence[str] | None = None, own: Sequence[str] = CLASSES
) -> list[Photo]:
    """Find and read annotated photos: a name or path as environment.find_data takes it, of what read_photos reads.

    `own` is the class of the network that they are for: without `classes`, its boxes are taken. A photo whose table
    names no source has the name of the data as its source.
    """
    path = find_data(os.fspath(data))
    if classes is None and tuple(own) != CLASSES:
        classes = own_categories(own, read_categories(path))
    photos = read_photos(path, classes=classes)
    return [photo if photo.source else dataclasses.replace(photo, source=path.stem) for photo in photos]


def tile_sources(photos: Sequence[Photo], sides: Mapping[str, int]) -> list[Photo]:
    """Cut the photos of each source into tiles of at most so many pixels; others stay whole."""
    if strangers := sides.keys() - {photo.source for photo in photos}:
        sources = ", ".join(sorted({photo.source for photo in photos}))
        raise ValueError(f"expected sources among {sources}, got {', '.join(sorted(strangers))}")
    return [
        tile
        for photo in photos
        for tile in (cut_tiles(photo, sides[photo.source]) if photo.source in sides else [photo])
    ]


def choose_split(photos: Sequence[Photo], split: str) -> list[Photo]:
    """Choose photos of one table: `all`, a split, or `train`, `validation`, `held_out` as the head of the module says.

    Any usual name of a split will do. ValueError: There is no such split.
    """
    own = {photo.split for photo in photos} - {""}
    wanted = parse_split(split) or split
    if wanted == ALL:
        return list(photos)
    if VALIDATION not in own and wanted in (TRAIN, VALIDATION, HELD_OUT):
        usable = [photo for photo in photos if photo.split != TEST]
        held_out = usable[::HELD_OUT_EVERY]
        chosen = [photo for at, photo in enumerate(usable) if at % HELD_OUT_EVERY] if wanted == TRAIN else held_out
    else:
        chosen = [photo for photo in photos if photo.split == wanted]
    if not chosen:
        known = {ALL, *own} | (set() if VALIDATION in own else {TRAIN, VALIDATION, HELD_OUT})
        raise ValueError(f"expected photos of a split among {', '.join(sorted(known))}, got none of {split!r}")
    return chosen


def load_split(
    data: str | os.PathLike[str],
    split: str,
    classes: Sequence[str] | None = None,
    own: Sequence[str] = CLASSES,
) -> list[Photo]:
    """Read the photos of one split by `find_photos`; damaged ones are named at once, before the work begins."""
    chosen = choose_split(find_photos(data, classes, own), split)
    check_readable(chosen)
    return chosen


def find_train_valid(
    names: Sequence[str | os.PathLike[str]],
    classes: Sequence[str] | None = None,
    tiles: Mapping[str, int] | None = None,
    own: Sequence[str] = CLASSES,
) -> tuple[list[Photo], list[Photo], str]:
    """Join several tables: photos to train on, photos to validate on, both cut by tile_sources, and both in words."""
    train, valid, words = [], [], []
    for name in each_once(names):
        photos = find_photos(name, classes, own)
        parts = choose_split(photos, TRAIN), choose_split(photos, VALIDATION)
        how = "its own split" if any(photo.split == VALIDATION for photo in photos) else "every tenth"
        words.append(f"{Path(name).name}: {len(parts[0])} photos, validated on {len(parts[1])} others ({how})")
        train += parts[0]
        valid += parts[1]
    return tile_sources(train, tiles or {}), tile_sources(valid, tiles or {}), "; ".join(words)
