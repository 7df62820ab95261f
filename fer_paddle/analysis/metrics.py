"""Metrics of classifiers, from labels and probabilities.

Sources: Sokolova and Lapalme 2009, "A systematic analysis of performance measures for classification tasks"; van
Rijsbergen 1979 for F1; Fawcett 2006, "An introduction to ROC analysis", algorithms 1 and 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_paddle.images import describe, to_floats


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature) along the last axis, in the dtype of the logits; safe for large ones."""
    check_temperature(temperature)
    scaled = np.asarray(logits) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def check_temperature(temperature: float) -> None:
    """Raise ValueError for a temperature that divides no logits."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"expected a temperature above 0, got {temperature}")


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count true class (row) against predicted class (column), int64 [C, C], of labels and predictions int [N]."""
    labels, predicted = (check_labels(classes, len(labels), num_classes) for classes in (labels, predicted))
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def check_labels(labels: Any, count: int, num_classes: int) -> np.ndarray:
    """Return labels as int64 [count]; ValueError where one is none of the class indices from 0 on."""
    found = np.asarray(labels)
    are_numbers = found.shape == (count,) and (found.dtype.kind in "iub" or not count)
    if not are_numbers or (count and not 0 <= found.min() <= found.max() < num_classes):
        span = f" of {found.min()} to {found.max()}" if are_numbers else ""
        raise ValueError(f"expected {count} class indices 0 to {num_classes - 1}, got {describe(found)}{span}")
    return found.astype(np.int64)


def check_answers(answers: Any, labels: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return finite probs or logits of faces, one or more, as float64 [N, C] and labels int64 [N], else ValueError."""
    values = to_floats(answers, f"{what} [N, C]")
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"expected finite {what} [N, C], N of 1 or more, got {describe(values)}")
    return values, check_labels(labels, *values.shape)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the ratio of each true class that was found, float64 [C]; nan for a class without samples."""
    return _ratios(np.diag(confusion), confusion.sum(axis=1))


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Return the ratio of each predicted class that was right, float64 [C]; nan for a class never predicted."""
    return _ratios(np.diag(confusion), confusion.sum(axis=0))


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN), float64 [C], the harmonic mean of precision and recall; nan without any."""
    return _ratios(2 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def _ratios(parts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    return np.divide(parts, totals, out=np.full(len(parts), np.nan), where=totals > 0)


def accuracy(confusion: np.ndarray) -> float:
    """Return the ratio of samples that were right; nan without samples."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def mean_recall(confusion: np.ndarray) -> float:
    """Return the mean of the recalls over the classes that have samples (balanced accuracy)."""
    return float(np.nanmean(recalls(confusion)))


@dataclass(frozen=True)
class Roc:
    """The ROC curve of one class against the others."""

    false_positive_rate: np.ndarray  # float64 [K], rising from 0 to 1
    true_positive_rate: np.ndarray  # float64 [K], rising from 0 to 1
    auc: float  # area under it: the probability that a face of the class scores above one of another


def roc(is_class: np.ndarray, scores: np.ndarray) -> Roc:
    """Compute both rates as the threshold falls, of is_class bool [N] and scores [N]; equal ones pass together."""
    is_class, scores = np.asarray(is_class, bool), np.asarray(scores)
    if is_class.shape != scores.shape or is_class.ndim != 1 or np.isnan(scores).any():
        raise ValueError(f"expected a score for each face, got {describe(scores)} for {describe(is_class)}")
    if not 0 < is_class.sum() < len(is_class):
        raise ValueError(f"expected faces of the class and others, got {is_class.sum()} of {len(is_class)}")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(is_class[order])[ends]
    true_rate = np.append(0, hits / is_class.sum())
    false_rate = np.append(0, (ends + 1 - hits) / (~is_class).sum())
    auc = float((np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum())
    return Roc(false_rate, true_rate, auc)
