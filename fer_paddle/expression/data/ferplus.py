"""FER+: FER2013's images with ten people's votes each, as eight classes and as soft labels.

Source: Barsoum et al. 2016, "Training deep networks for facial expression recognition with crowd-sourced label
distribution", arXiv:1608.01041: which votes count, which images are left out, and the ways of learning from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fer_paddle.expression.data.faces import UNLABELLED, LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

MODES = ("majority", "probability", "crossentropy")
VOTERS = 10  # of every image but one, which has nine

# Columns of the votes in the order of FERPLUS_EXPRESSIONS; the last two, unknown and "no face", are no expressions.
_NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
COLUMNS = tuple(FERPLUS_CLASSES.index(name) for name in _NAMES)


def take_ferplus(faces: LabelledFaces, mode: str) -> LabelledFaces:
    """Return the faces that have an expression by the paper's rules, with FER+'s eight classes and their targets.

    | mode | target | a face is left out |
    |---|---|---|
    | majority | the class with more than half of the votes | where there is none |
    | crossentropy | the votes of the two or three classes that hold most | where they hold no more than half |
    | probability | the same, and each epoch one class drawn by them (see ExpressionData) | the same |

    Votes given by one person alone do not count; a face whose most votes are "unknown" or "no face" is left out.

    Args:
        faces: FER2013 with its votes.
        mode: One of MODES. The paper measures on `majority`.

    Returns:
        The faces with `targets` float32 [N, 8], rows sum to 1, and the class of the largest target as label.
    """
    if mode not in MODES:
        raise ValueError(f"expected a mode of {', '.join(MODES)}, got {mode!r}")
    shares = share_votes(_votes_of(faces), keep_majority if mode == "majority" else keep_leading)
    kept = shares.any(axis=1)
    if not kept.any():
        raise ValueError(f"expected faces with FER+ votes for an expression, got none of {len(faces)}")
    targets = shares[kept]
    columns = {"labels": targets.argmax(axis=1), "targets": targets, "classes": FERPLUS_EXPRESSIONS, "votes": None}
    return dataclasses.replace(faces.select(kept), **columns)


def _votes_of(faces: LabelledFaces) -> np.ndarray:
    if faces.votes is None:
        raise ValueError("expected faces with FER+ votes, got faces without")
    return faces.votes


def share_votes(votes: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the shares of the eight classes among the votes that a rule keeps, [N, 8]; zeros where it keeps none."""
    counts = count_votes(votes)
    kept = rule(np.where(counts > 1, counts, 0))[:, list(COLUMNS)]
    return (kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def take_both(faces: LabelledFaces) -> LabelledFaces:
    """Return FER2013 with the targets of `crossentropy` as votes, float32 [N, 8]; zeros where a face is left out."""
    return dataclasses.replace(faces, votes=share_votes(_votes_of(faces), keep_leading))


def take_strict(faces: LabelledFaces) -> LabelledFaces:
    """Return the faces whose label more than half of all votes, lone and unknown ones included, name: one of seven."""
    seven = _votes_of(faces)[:, list(COLUMNS[: len(EXPRESSIONS)])]
    kept = seven.max(axis=1) > 0.5
    return dataclasses.replace(faces.select(kept), labels=seven[kept].argmax(axis=1), votes=None)


def take_for_classes(faces: LabelledFaces, classes: Sequence[str]) -> LabelledFaces:
    """Return the faces to measure a network on: for FER+'s eight classes and with votes, those with a majority."""
    of_votes = tuple(classes) == FERPLUS_EXPRESSIONS and faces.votes is not None
    return take_ferplus(faces, "majority") if of_votes else faces


def take_for_training(
    train: LabelledFaces, valid: LabelledFaces, mode: str | None
) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the faces to train on by a mode of MODES, and those to measure on by majority; all where it is None."""
    return (train, valid) if mode is None else (take_ferplus(train, mode), take_ferplus(valid, "majority"))


def count_votes(votes: np.ndarray) -> np.ndarray:
    """Turn probs of the votes back into counts, int64 [N, 10]."""
    counts = np.rint(votes * VOTERS).astype(np.int64)
    is_whole = np.abs(votes * VOTERS - counts).max(axis=1, initial=0) < 1e-3
    counts[~is_whole] = np.rint(votes[~is_whole] * (VOTERS - 1))
    return counts


def majority_labels(votes: np.ndarray) -> np.ndarray:
    """Return the class with most of the votes [N, 10], the first of equal ones, int64 [N]; UNLABELLED for no class."""
    class_of = np.full(len(FERPLUS_CLASSES), UNLABELLED)
    class_of[list(COLUMNS[: len(EXPRESSIONS)])] = np.arange(len(EXPRESSIONS))
    return np.where(votes.any(axis=1), class_of[votes.argmax(axis=1)], UNLABELLED)


def keep_majority(counts: np.ndarray) -> np.ndarray:
    """Keep the column with more than half of the votes, [N, 10]; zeros where there is none or it is no expression."""
    kept = np.where(2 * counts > counts.sum(axis=1, keepdims=True), counts, 0)
    kept[kept[:, 8:].any(axis=1)] = 0
    return kept


def keep_leading(counts: np.ndarray) -> np.ndarray:
    """Keep the columns that lead, until they hold three quarters of the votes, [N, 10]; else zeros."""
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
