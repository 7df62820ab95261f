"""Metrics of classifiers, from labels and probabilities.

Source: Sokolova and Lapalme 2009, "A systematic analysis of performance measures for classification tasks".
"""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return softmax(logits / temperature) along the last axis, in the dtype of the logits; safe for large ones."""
    if not temperature > 0:
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    scaled = np.asarray(logits) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts true class (row) against predicted class (column).

    Args:
        labels: int [N], 0 to num_classes - 1.
        predicted: int [N], likewise.
        num_classes: Classes, 1 or more.

    Returns:
        int64 [num_classes, num_classes].

    Raises:
        ValueError: The lengths differ or an index is out of range.
    """
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
    """Share of each true class that was found, float64 [C]; nan for a class without samples."""
    totals = confusion.sum(axis=1)
    return np.divide(np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Share of each predicted class that was right, float64 [C]; nan for a class never predicted."""
    totals = confusion.sum(axis=0)
    return np.divide(np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN), float64 [C], the harmonic mean of precision and recall; nan without any of them."""
    totals = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.divide(2 * np.diag(confusion), totals, out=np.full(len(confusion), np.nan), where=totals > 0)


def accuracy(confusion: np.ndarray) -> float:
    """Share of all samples that were right; nan without samples."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def mean_recall(confusion: np.ndarray) -> float:
    """Mean of the recalls over the classes that have samples (balanced accuracy)."""
    return float(np.nanmean(recalls(confusion)))
