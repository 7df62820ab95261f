"""Labelled faces in memory, read from wherever they lie: a pack, the official csv, class folders or drawn faces."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.labels import EXPRESSIONS


@dataclasses.dataclass(frozen=True)
class LabelledFaces:
    """Gray face crops with their labels.

    Attributes:
        images: One uint8 [H, W] crop a face, or one array [N, H, W] where all have the same size.
        labels: int64 [N], indices into EXPRESSIONS.
        votes: float32 [N, 10], shares of the FER+ votes in the order of `fer2013.FERPLUS_CLASSES`; None without FER+.
        skipped: Names of the pictures that could not be read.
    """

    images: Sequence[np.ndarray] | np.ndarray
    labels: np.ndarray
    votes: np.ndarray | None = None
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"expected as many labels as images, got {len(self.labels)} and {len(self.images)}")
        if len(self.labels) and not (0 <= self.labels.min() and self.labels.max() < len(EXPRESSIONS)):
            raise ValueError(f"expected labels 0 to {len(EXPRESSIONS) - 1}, got {self.labels.min()} to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> LabelledFaces:
        """Keeps the faces of a boolean mask [N] or of an index array, in its order."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        images = self.images[indices] if isinstance(self.images, np.ndarray) else [self.images[i] for i in indices]
        votes = None if self.votes is None else self.votes[indices]
        return dataclasses.replace(self, images=images, labels=self.labels[indices], votes=votes)

    def counts(self) -> dict[str, int]:
        """Faces of each class, in the order of EXPRESSIONS."""
        return dict(zip(EXPRESSIONS, np.bincount(self.labels, minlength=len(EXPRESSIONS)).tolist()))


def without_copies(faces: LabelledFaces, others: LabelledFaces) -> LabelledFaces:
    """Leaves out every face whose picture, pixel for pixel, also stands among `others`."""
    known = {_digest(image) for image in others.images}
    return faces.select(np.array([_digest(image) not in known for image in faces.images], bool))


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()


def split_faces(faces: LabelledFaces, share: float, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
    """Splits class by class into (first, second), the second with about `share` of every class.

    A class of two faces or more has at least one in each part.
    """
    if not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1, got {share}")
    rng, second = np.random.default_rng(seed), np.zeros(len(faces), bool)
    for label in np.unique(faces.labels):
        members = rng.permutation(np.flatnonzero(faces.labels == label))
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        second[members[:count]] = True
    return faces.select(~second), faces.select(second)


def load_faces(path: str | os.PathLike[str], usage: str | None = None) -> LabelledFaces:
    """Reads labelled faces from a pack (.npz), the official csv, or a folder of class folders.

    Args:
        path: What to read.
        usage: For csv and packs, `Training`, `PublicTest` or `PrivateTest`; None takes all rows.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: It is none of the three, or holds no readable face.
    """
    from fer_paddle.data import fer2013, folders

    path = Path(path)
    if path.is_dir():
        return folders.read_class_folders(path)
    if path.suffix.lower() == ".npz":
        return fer2013.read_pack(path, usage)
    if path.suffix.lower() == ".csv":
        return fer2013.read_csv(path, usage)
    if not path.exists():
        raise FileNotFoundError(f"expected a pack (.npz), the official csv or a folder of class folders, found nothing at {path}")
    raise ValueError(f"expected a pack (.npz), the official csv or a folder of class folders, got {path}")
