"""Metrics of classifiers, from labels and probabilities.

Sources: Sokolova and Lapalme 2009, "A systematic analysis of performance measures for classification tasks"; van
Rijsbergen 1979 for F1; Fawcett 2006, "An introduction to ROC analysis", algorithms 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature) along the last axis, in the dtype of the logits; safe for large ones."""
    if not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    scaled = np.asarray(logits) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count true class (row) against predicted class (column), int64 [C, C], of labels and predictions int [N]."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(
            f"expected labels and predictions of one length, got shapes {labels.shape} and {predicted.shape}"
        )
    both = np.concatenate([labels, predicted])
    if both.size and not (0 <= both.min() and both.max() < num_classes):
        raise ValueError(f"expected class indices 0 to {num_classes - 1}, got {both.min()} to {both.max()}")
    pairs = labels.astype(np.int64) * num_classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the ratio of each true class that was found, float64 [C]; nan for a class without samples."""
    totals = confusion.sum(axis=1)
    return np.divide(np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Return the ratio of each predicted class that was right, float64 [C]; nan for a class never predicted."""
    totals = confusion.sum(axis=0)
    return np.divide(np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN), float64 [C], the harmonic mean of precision and recall; nan without any."""
    totals = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.divide(2 * np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


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
    if is_class.shape != scores.shape or is_class.ndim != 1:
        raise ValueError(f"expected as many scores as faces, got shapes {scores.shape} and {is_class.shape}")
    if not 0 < is_class.sum() < len(is_class):
        raise ValueError(f"expected faces of the class and others, got {is_class.sum()} of {len(is_class)}")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(is_class[order])[ends]
    true_rate = np.append(0, hits / is_class.sum())
    false_rate = np.append(0, (ends + 1 - hits) / (~is_class).sum())
    auc = float((np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum())
    return Roc(false_rate, true_rate, auc)
