"""FER+: FER2013's pictures with ten people's votes each, as eight classes and as soft labels.

Source: Barsoum et al. 2016, "Training deep networks for facial expression recognition with crowd-sourced label
distribution", arXiv:1608.01041: which votes count, which pictures are left out, and the ways of learning from them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from fer_paddle.expression.data.augment import AugmentConfig
from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

MODES = ("majority", "probability", "crossentropy")
VOTERS = 10  # of every picture but one, which has nine

# Columns of the votes in the order of FERPLUS_EXPRESSIONS; the last two, unknown and "no face", are no expressions.
_NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
COLUMNS = tuple(FERPLUS_CLASSES.index(name) for name in _NAMES)


@dataclasses.dataclass(frozen=True)
class FerPlusFaces:
    """Gray face crops with their share of the votes for each of the eight classes.

    Attributes:
        images: As in LabelledFaces.
        shares: float32 [N, 8], in the order of FERPLUS_EXPRESSIONS; every row sums to 1.
        draw: Whether a training sample has, each epoch anew, one class drawn by the shares ("probability").
        votes: None: there is no second head here.
    """

    images: Sequence[np.ndarray] | np.ndarray
    shares: np.ndarray
    draw: bool = False
    votes: None = None

    def __len__(self) -> int:
        return len(self.shares)

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """The class with the largest share of each face, int64 [N]."""
        return self.shares.argmax(axis=1)

    def select(self, chosen: np.ndarray) -> FerPlusFaces:
        """Keeps the faces of a boolean mask [N] or of an index array, in its order."""
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        stacked = isinstance(self.images, np.ndarray)
        images = self.images[indices] if stacked else [self.images[i] for i in indices]
        return dataclasses.replace(self, images=images, shares=self.shares[indices])

    def counts(self) -> dict[str, int]:
        """Faces of each class by `labels`, in the order of FERPLUS_EXPRESSIONS."""
        found = np.bincount(self.labels, minlength=len(FERPLUS_EXPRESSIONS))
        return dict(zip(FERPLUS_EXPRESSIONS, found.tolist()))


def take_ferplus(faces: LabelledFaces, mode: str) -> FerPlusFaces:
    """Takes the faces that have an expression by the paper's rules, with its targets.

    | mode | target | a face is left out |
    |---|---|---|
    | majority | the class with more than half of the votes | where there is none |
    | crossentropy | the shares of the two or three classes that hold most votes | where they hold no more than half |
    | probability | the same, and each epoch one class drawn by them | the same |

    Votes given by one person alone do not count; a face whose most votes are "unknown" or "no face" is left out.

    Args:
        faces: FER2013 with its votes.
        mode: One of MODES. The paper measures on `majority`.

    Raises:
        ValueError: The mode is unknown, there are no votes, or no face is left.
    """
    if mode not in MODES:
        raise ValueError(f"expected a mode of {', '.join(MODES)}, got {mode!r}")
    if faces.votes is None:
        raise ValueError("expected faces with FER+ votes, got faces without")
    rule = keep_majority if mode == "majority" else keep_leading
    shares = rule(count_votes(faces.votes))[:, list(COLUMNS)]
    kept = shares.sum(axis=1) > 0
    if not kept.any():
        raise ValueError(f"expected faces with FER+ votes for an expression, got none of {len(faces)}")
    shares = shares[kept] / shares[kept].sum(axis=1, keepdims=True)
    return FerPlusFaces(faces.select(kept).images, shares.astype(np.float32), draw=mode == "probability")


def take_for_classes(faces: LabelledFaces, classes: Sequence[str]) -> LabelledFaces | FerPlusFaces:
    """Takes the faces to measure a network on: for FER+'s eight classes those with a majority, where there are votes.

    Args:
        faces: Labelled faces.
        classes: Names of the network's classes.

    Raises:
        ValueError: There are votes, and no face has a majority.
    """
    of_votes = tuple(classes) == FERPLUS_EXPRESSIONS and faces.votes is not None
    return take_ferplus(faces, "majority") if of_votes else faces


def take_for_training(
    train: LabelledFaces, valid: LabelledFaces, mode: str | None
) -> tuple[LabelledFaces | FerPlusFaces, LabelledFaces | FerPlusFaces]:
    """Takes the faces to learn from by a mode of MODES, and those to measure on by majority; all where it is None.

    Raises:
        ValueError: See take_ferplus.
    """
    return (train, valid) if mode is None else (take_ferplus(train, mode), take_ferplus(valid, "majority"))


def count_votes(shares: np.ndarray) -> np.ndarray:
    """Turns shares of the votes back into votes, int64 [N, 10], those of one person alone as zero."""
    counts = np.rint(shares * VOTERS).astype(np.int64)
    is_whole = np.abs(shares * VOTERS - counts).max(axis=1, initial=0) < 1e-3
    counts[~is_whole] = np.rint(shares[~is_whole] * (VOTERS - 1))
    return np.where(counts > 1, counts, 0)


def keep_majority(counts: np.ndarray) -> np.ndarray:
    """Keeps the column with more than half of the votes, [N, 10]; zeros where there is none or it is no expression."""
    kept = np.where(2 * counts > counts.sum(axis=1, keepdims=True), counts, 0)
    kept[kept[:, 8:].any(axis=1)] = 0
    return kept


def keep_leading(counts: np.ndarray) -> np.ndarray:
    """Keeps the columns that lead, until they hold three quarters of the votes, [N, 10]; else zeros.

    Columns with equal votes come together. A row is zero where these are more than three, where they hold no more than
    half of the votes, or where "unknown" or "no face" leads alone.
    """
    kept = np.zeros_like(counts)
    for row, (votes, target) in enumerate(zip(counts, kept)):
        total, taken = votes.sum(), 0
        for level in np.unique(votes[votes > 0])[::-1]:
            columns = np.flatnonzero(votes == level)
            expressions = columns[columns < 8]
            target[expressions] = level
            taken += level * len(expressions)
            if len(expressions) < len(columns) or 4 * taken >= 3 * total or np.count_nonzero(target) >= 3:
                break
        if 2 * taken <= total or np.count_nonzero(target) > 3:
            kept[row] = 0
    return kept


def mix_votes(labels: np.ndarray, votes: np.ndarray, weight: float) -> np.ndarray:
    """Soft labels for the seven expressions: the label and the crowd's votes, mixed.

    Args:
        labels: int [N], indices into EXPRESSIONS.
        votes: float32 [N, 10], shares of the votes.
        weight: Share of the votes in the target, 0 to 1.

    Returns:
        float32 [N, 7], rows sum to 1; the label alone where nobody voted for one of the seven.
    """
    hard = np.eye(len(EXPRESSIONS), dtype=np.float32)[labels]
    seven = votes[:, list(COLUMNS[: len(EXPRESSIONS)])]
    totals = seven.sum(axis=1, keepdims=True)
    soft = np.where(totals > 0, seven / np.maximum(totals, 1e-6), hard)
    return ((1 - weight) * hard + weight * soft).astype(np.float32)


class SoftData(ExpressionData):
    """Faces whose labels are shares of the classes.

    Args:
        faces: The faces.
        shares: float32 [N, C]: the label of each face.
        size: As in ExpressionData.
        augment: As in ExpressionData.
        seed: As in ExpressionData.
        draw: Give one class for certain, drawn each epoch anew by the shares.
    """

    def __init__(
        self,
        faces: LabelledFaces | FerPlusFaces,
        shares: np.ndarray,
        size: int | Sequence[tuple[int, int]],
        augment: AugmentConfig | None = None,
        seed: int = 0,
        draw: bool = False,
    ):
        super().__init__(faces, size, augment, seed)
        self.shares, self.draw = shares, draw

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Gives (image float32 [1, size, size], (shares float32 [C], votes float32 [10]))."""
        image, (_, votes) = super().__getitem__(index)
        shares = self.shares[index]
        if self.draw:
            rng = np.random.default_rng((self.seed, self.epoch, index, 1))  # apart from the augmentation's
            drawn = np.searchsorted(np.cumsum(shares), rng.random() * shares.sum(), side="right")
            shares = np.eye(len(shares), dtype=np.float32)[min(drawn, len(shares) - 1)]
        return image, (shares, votes)
