"""Labelled faces in memory, and what can be done with them wherever they came from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_paddle.duplicates import image_digest
from fer_paddle.labels import EXPRESSIONS, SPLITS, choose_classes, find_class, parse_split
from fer_paddle.study import digest

UNLABELLED = -1
_COLUMNS = ("images", "labels", "votes", "split", "targets", "names", "shapes")


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledFaces:
    """Gray crops with their labels: faces, mouths, or any images of two classes or more."""

    # one uint8 [H, W] crop a face, or one array [N, H, W] where all have the same size
    images: Sequence[np.ndarray] | np.ndarray
    # int64 [N], indices into `classes`; UNLABELLED where nothing is known, which a quality report takes and a training
    # does not
    labels: np.ndarray
    # float32 [N, 10], probs of the FER+ votes in the order of `fer2013.FERPLUS_CLASSES`, or [N, 8] in that of
    # FERPLUS_EXPRESSIONS (ferplus.take_both); None without FER+
    votes: np.ndarray | None = None
    # str [N], the split of each face, such as those of SPLITS; None for an undivided set
    split: np.ndarray | None = None
    classes: tuple[str, ...] = EXPRESSIONS  # names of the classes, in the order of a network's outputs
    # float32 [N, len(classes)], probabilities to learn in place of the labels; None without
    targets: np.ndarray | None = None
    # what a person finds each face by, such as its path within the folder; None without
    names: Sequence[str] | None = None
    # int64 [N, 2], height and width of each image as it was found; None where that of `images`
    shapes: np.ndarray | None = None
    skipped: tuple[tuple[str, str], ...] = ()  # (name, reason) of each image of the source that could not be read

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            column = getattr(self, name)
            if column is not None and len(column) != len(self.labels):
                raise ValueError(f"expected as many labels as {name}, got {len(self.labels)} and {len(column)}")
        if len(self.labels) and not UNLABELLED <= self.labels.min() <= self.labels.max() < len(self.classes):
            got = f"{self.labels.min()} to {self.labels.max()}"
            raise ValueError(f"expected labels 0 to {len(self.classes) - 1}, or {UNLABELLED} for none, got {got}")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> LabelledFaces:
        """Return the faces of a boolean mask [N] or of an index array, in its order."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return dataclasses.replace(self, **{name: _take(getattr(self, name), indices) for name in _COLUMNS})

    def counts(self) -> dict[str, int]:
        """Return the number of faces of each class, in the order of `classes`."""
        found = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist()))

    def found_splits(self) -> tuple[str, ...]:
        """Return the splits that at least one face has, those of SPLITS first; empty for an undivided set."""
        found = set() if self.split is None else set(self.split.tolist())
        return (*(name for name in SPLITS if name in found), *sorted(found - set(SPLITS)))

    def with_classes(self, classes: Sequence[str]) -> LabelledFaces:
        """Return the same faces with their labels as indices into other classes."""
        if tuple(classes) == self.classes:
            return self
        new = [find_class(name, classes) for name in self.classes]
        if foreign := [name for (name, count), index in zip(self.counts().items(), new) if count and index is None]:
            raise ValueError(f"expected faces of the classes {', '.join(classes)}, got also {', '.join(foreign)}")
        indices = [UNLABELLED if index is None else index for index in new]
        labels = np.array([*indices, UNLABELLED], np.int64)[self.labels]  # -1 takes the last
        return dataclasses.replace(self, labels=labels, classes=tuple(classes))


def _take(column: Any, indices: np.ndarray) -> Any:
    if column is None or isinstance(column, np.ndarray):
        return None if column is None else column[indices]
    return [column[index] for index in indices]


def check_classes(faces: LabelledFaces, classes: Sequence[str]) -> None:
    """Raise ValueError for faces of other classes than a network's, or without a label."""
    if faces.classes != tuple(classes):
        raise ValueError(f"expected faces of the classes {', '.join(classes)}, got {', '.join(faces.classes)}")
    if missing := int((faces.labels == UNLABELLED).sum()):
        raise ValueError(f"expected a label for each face, got {missing} of {len(faces)} without")


def take_split(faces: LabelledFaces, split: str, source: str | os.PathLike[str] = "the data") -> LabelledFaces:
    """Return the faces of one split; `train` comes without the images that also stand in another split."""
    name = parse_split(split)
    if name is None:
        raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    if name not in faces.found_splits():
        got = ", ".join(faces.found_splits()) or "one undivided set"
        raise ValueError(f"expected faces of the split {name} in {source}, found {got}")
    chosen = np.asarray(faces.split) == name
    taken = faces.select(chosen)
    return without_copies(taken, faces.select(~chosen)) if name == "train" else taken


def take_measured(faces: LabelledFaces) -> LabelledFaces:
    """Return the validation split, else the test split; an undivided set and a lone split whole."""
    found = [name for name in faces.found_splits() if name in ("validation", "test")]
    return take_split(faces, found[0]) if found and len(faces.found_splits()) > 1 else faces


def without_copies(faces: LabelledFaces, others: LabelledFaces) -> LabelledFaces:
    """Return the faces whose image does not also stand, pixel for pixel, among `others`."""
    known = {image_digest(image) for image in others.images}
    return faces.select(np.array([image_digest(image) not in known for image in faces.images], bool))


def digest_faces(train: LabelledFaces, valid: LabelledFaces) -> dict[str, str]:
    """Return the digests of images, labels, votes and targets."""
    return {
        name: digest(faces.images, faces.labels, *([] if one is None else one for one in (faces.votes, faces.targets)))
        for name, faces in (("train", train), ("valid", valid))
    }


def split_faces(faces: LabelledFaces, ratio: float, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
    """Split class by class into (first, second), the second with about `ratio` of every class.

    A class of two faces or more has at least one in each part.
    """
    rng, second = np.random.default_rng(seed), np.zeros(len(faces), bool)
    for label in np.unique(faces.labels):
        members = rng.permutation(np.flatnonzero(faces.labels == label))
        count = min(max(round(ratio * len(members)), 1), len(members) - 1)
        second[members[:count]] = True
    return faces.select(~second), faces.select(second)


def take_subset(faces: LabelledFaces, count: int | None, seed: int = 0) -> LabelledFaces:
    """Return about `count` faces with each class in its ratio; all where there are no more, or for None."""
    if count is None or count >= len(faces):
        return faces
    return split_faces(faces, count / len(faces), seed)[1]


def join_faces(parts: Sequence[LabelledFaces]) -> LabelledFaces:
    """Join data sets one after the other; classes are united by name, other columns stay where every part has them."""
    if len(parts) == 1:
        return parts[0]
    classes = unite_classes(parts)
    parts = [part.with_classes(classes) for part in parts]
    columns = {name: _concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return LabelledFaces(**columns, classes=classes, skipped=tuple(bad for part in parts for bad in part.skipped))


def unite_classes(parts: Sequence[LabelledFaces]) -> tuple[str, ...]:
    """Return the classes of all parts together: those of the first where it has all, else see choose_classes."""
    names = dict.fromkeys(name for part in parts for name, count in part.counts().items() if count)
    is_first = all(find_class(name, parts[0].classes) is not None for name in names)
    return parts[0].classes if is_first else choose_classes(names)[0]


def _concatenate(columns: Sequence[Any]) -> Any:
    if any(column is None for column in columns):
        return None
    if all(isinstance(column, np.ndarray) for column in columns) and len({c.shape[1:] for c in columns}) == 1:
        return np.concatenate(columns)
    return [value for column in columns for value in column]
