"""FER2013's labels against the ten votes a picture that FER+ collected.

Source: Barsoum et al. 2016, arXiv:1608.01041.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.labels import EXPRESSIONS, parse_expression

NO_FACE = FERPLUS_CLASSES.index("NF")
OTHER = -1  # contempt, unknown and "no face" are none of the seven expressions


def majority_labels(votes: np.ndarray) -> np.ndarray:
    """The class with most votes.

    Args:
        votes: int [N, 10], in the order of FERPLUS_CLASSES; the first of equal ones wins.

    Returns:
        int64 [N], indices into EXPRESSIONS; OTHER where most chose none of them, or nobody voted.
    """
    class_of = np.full(len(FERPLUS_CLASSES), OTHER)
    class_of[: len(EXPRESSIONS)] = [parse_expression(name) for name in FERPLUS_CLASSES[: len(EXPRESSIONS)]]
    return np.where(votes.sum(axis=1) > 0, class_of[votes.argmax(axis=1)], OTHER)


def compare_votes(labels: np.ndarray, votes: np.ndarray) -> dict[str, Any]:
    """Compares labels with votes.

    Args:
        labels: int [N], indices into EXPRESSIONS, one picture or more.
        votes: int [N, 10].

    Returns:
        JSON values: `agreement`, the share of pictures whose label most voters chose, `agreement_by_class` (None for
        a class without pictures), `most_votes`, pictures by label (row) and by the class with most votes (column,
        FERPLUS_CLASSES), and `sure`, the share of pictures where eight of ten voters or more agree.
    """
    agree = majority_labels(votes) == labels
    table = np.zeros((len(EXPRESSIONS), len(FERPLUS_CLASSES)), np.int64)
    np.add.at(table, (labels, votes.argmax(axis=1)), 1)
    by_class = {
        name: float(agree[labels == index].mean()) if (labels == index).any() else None
        for index, name in enumerate(EXPRESSIONS)
    }
    return {
        "agreement": float(agree.mean()),
        "agreement_by_class": by_class,
        "sure": float((10 * votes.max(axis=1) >= 8 * votes.sum(axis=1)).mean()),
        "columns": list(FERPLUS_CLASSES),
        "most_votes": table.tolist(),
    }


def find_contradicted(labels: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Lists the pictures whose label nobody chose though most agreed on another expression, the surest first.

    Args:
        labels: int [N], indices into EXPRESSIONS.
        votes: int [N, 10].

    Returns:
        Indices int64.
    """
    majority = majority_labels(votes)
    columns = np.array([FERPLUS_CLASSES.index(_VOTE_NAMES[name]) for name in EXPRESSIONS])
    unchosen = votes[np.arange(len(votes)), columns[labels]] == 0
    found = np.flatnonzero(unchosen & (majority != OTHER) & (2 * votes.max(axis=1) > votes.sum(axis=1)))
    return found[np.argsort(-votes.max(axis=1)[found], kind="stable")]


_VOTE_NAMES = {EXPRESSIONS[parse_expression(name)]: name for name in FERPLUS_CLASSES[: len(EXPRESSIONS)]}
