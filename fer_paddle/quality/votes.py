"""FER2013's labels against the ten votes an image that FER+ collected.

Source: Barsoum et al. 2016, arXiv:1608.01041.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.labels import EXPRESSIONS, parse_expression

NO_FACE = FERPLUS_CLASSES.index("NF")
OTHER = -1  # contempt, unknown and "no face" are none of the seven expressions
_CLASS_OF = np.array([*map(parse_expression, FERPLUS_CLASSES[:7]), OTHER, OTHER, OTHER])
_COLUMN_OF = np.argsort(_CLASS_OF[:7])


def majority_labels(votes: np.ndarray) -> np.ndarray:
    """Return the class with most of the votes [N, 10], the first of equal ones, int64 [N]; OTHER for no expression."""
    return np.where(votes.sum(axis=1) > 0, _CLASS_OF[votes.argmax(axis=1)], OTHER)


def has_no_face(votes: np.ndarray) -> np.ndarray:
    """Return for which images more than half of the voters saw no face, bool [N]."""
    return 2 * votes[:, NO_FACE] > votes.sum(axis=1)


def compare_votes(labels: np.ndarray, votes: np.ndarray) -> dict[str, Any]:
    """Compare labels int [N] of EXPRESSIONS with votes int [N, 10]; return JSON values."""
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
    """List the images whose label nobody chose though most agreed on another expression, the surest first; int64."""
    unchosen = votes[np.arange(len(votes)), _COLUMN_OF[labels]] == 0
    is_majority = (majority_labels(votes) != OTHER) & (2 * votes.max(axis=1) > votes.sum(axis=1))
    found = np.flatnonzero(unchosen & is_majority)
    return found[np.argsort(-votes.max(axis=1)[found], kind="stable")]
