"""Labelled faces in memory, and what can be done with them wherever they came from."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_paddle.labels import EXPRESSIONS

USAGES = ("Training", "PublicTest", "PrivateTest")


@dataclasses.dataclass(frozen=True)
class LabelledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: One uint8 [H, W] crop a face, or one array [N, H, W] where all have the same size.
        labels: int64 [N], indices into EXPRESSIONS.
        votes: float32 [N, 10], shares of the FER+ votes in the order of `fer2013.FERPLUS_CLASSES`;
            None without FER+.
        usages: str [N], the split of each face, one of USAGES; None for an undivided set.
        skipped: Paths of the pictures of the source that could not be read.

    Raises:
        ValueError: The lengths differ, or a label or usage is unknown.
    """

    images: Sequence[np.ndarray] | np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None = None
    usages: np.ndarray | None = None
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("images", "votes", "usages"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.labels):
                got = f"{len(self.labels)} and {len(column)}"
                raise ValueError(f"expected as many labels as {name}, got {got}")
        known = range(len(EXPRESSIONS))
        if not np.isin(self.labels, known).all():
            got = f"{self.labels.min()} to {self.labels.max()}"
            raise ValueError(f"expected labels 0 to {known[-1]}, got {got}")
        if self.usages is not None and not np.isin(self.usages, USAGES).all():
            got = ", ".join(np.unique(self.usages))
            raise ValueError(f"expected usages of {', '.join(USAGES)}, got {got}")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> LabelledFaces:
        """Keeps the faces of a boolean mask [N] or of an index array, in its order."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        stacked = isinstance(self.images, np.ndarray)
        columns = {
            "images": self.images[indices] if stacked else [self.images[i] for i in indices],
            "labels": self.labels[indices],
            "votes": None if self.votes is None else self.votes[indices],
            "usages": None if self.usages is None else self.usages[indices],
        }
        return dataclasses.replace(self, **columns)

    def counts(self) -> dict[str, int]:
        """Faces of each class, in the order of EXPRESSIONS."""
        return dict(zip(EXPRESSIONS, np.bincount(self.labels, minlength=len(EXPRESSIONS)).tolist()))

    def found_usages(self) -> tuple[str, ...]:
        """The usages that at least one face has, in the order of USAGES; empty for an undivided set."""
        return () if self.usages is None else tuple(usage for usage in USAGES if (self.usages == usage).any())


def check_classes(faces: Any, classes: Sequence[str]) -> None:
    """Refuses with a ValueError faces (or mouths) whose classes are others than those of a network.

    Args:
        faces: What has `counts()` by class name.
        classes: Names of the network's classes, in its order.
    """
    found = tuple(faces.counts())
    if found != tuple(classes):
        raise ValueError(f"expected faces of the classes {', '.join(classes)}, got {', '.join(found)}")


def take_usage(faces: LabelledFaces, usage: str | None, source: str | os.PathLike[str]) -> LabelledFaces:
    """Takes one split of a data set.

    Args:
        faces: The whole data set.
        usage: One of USAGES, or None for all faces. `Training` comes without the pictures that, pixel for
            pixel, also stand in a test split of the data set.
        source: Where the faces come from, for messages.

    Raises:
        ValueError: The usage is unknown, or no face has it.
    """
    if usage is None:
        return faces
    check_usage(usage, faces.found_usages(), source)
    chosen = faces.usages == usage
    taken = faces.select(chosen)
    return without_copies(taken, faces.select(~chosen)) if usage == "Training" else taken


def check_usage(usage: str, found: Sequence[str], source: str | os.PathLike[str]) -> None:
    """Raises ValueError for a usage that is none of USAGES, or none of those found in a source."""
    if usage not in USAGES:
        raise ValueError(f"expected a usage of {', '.join(USAGES)}, got {usage!r}")
    if usage not in found:
        got = ", ".join(found) or "one undivided set"
        raise ValueError(f"expected faces of usage {usage} in {source}, found {got}")


def without_copies(faces: LabelledFaces, others: LabelledFaces) -> LabelledFaces:
    """Leaves out every face whose picture, pixel for pixel, also stands among `others`."""
    known = {_digest(image) for image in others.images}
    return faces.select(np.array([_digest(image) not in known for image in faces.images], bool))


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()


def split_faces(faces: LabelledFaces, share: float, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
    """Splits class by class into (first, second), the second with about `share` of every class.

    A class of two faces or more has at least one in each part.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1, got {share}")
    rng, second = np.random.default_rng(seed), np.zeros(len(faces), bool)
    for label in np.unique(faces.labels):
        members = rng.permutation(np.flatnonzero(faces.labels == label))
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        second[members[:count]] = True
    return faces.select(~second), faces.select(second)


def take_subset(faces: LabelledFaces, count: int | None, seed: int = 0) -> LabelledFaces:
    """Takes about `count` faces, each class in its share; all where there are no more, or for None."""
    if count is None or count >= len(faces):
        return faces
    return split_faces(faces, count / len(faces), seed)[1]


def join_faces(parts: Sequence[LabelledFaces]) -> LabelledFaces:
    """Joins data sets, one after the other; votes and usages stay where every part has them.

    Raises:
        ValueError: There is no part.
    """
    if not parts:
        raise ValueError("expected at least one data set to join, got none")
    stacked = all(isinstance(part.images, np.ndarray) for part in parts)
    if stacked and len({part.images.shape[1:] for part in parts}) == 1:
        images = np.concatenate([part.images for part in parts])
    else:
        images = [image for part in parts for image in part.images]
    columns = {}
    for name in ("votes", "usages"):
        values = [getattr(part, name) for part in parts]
        columns[name] = None if any(value is None for value in values) else np.concatenate(values)
    skipped = tuple(name for part in parts for name in part.skipped)
    return LabelledFaces(images, np.concatenate([part.labels for part in parts]), skipped=skipped, **columns)
