"""Measures a classifier on labelled faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fer_paddle.analysis.metrics import accuracy, confusion_matrix, mean_recall, precisions, recalls
from fer_paddle.images import predict
from fer_paddle.labels import EXPRESSIONS


def evaluate_classifier(
    classify: Callable[[Sequence[np.ndarray]], np.ndarray],
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    classes: Sequence[str] = EXPRESSIONS,
) -> dict[str, Any]:
    """Gives accuracy, mean recall and the figures of each class.

    Args:
        classify: crops -> probabilities float32 [N, C], such as a Classifier; those beyond `classes` are left out.
        images: Face crops, uint8.
        labels: int [N], indices into the classes.
        progress: Wraps the batch starts for a progress bar.
        classes: Names of the labels, in order.

    Returns:
        JSON values: `accuracy`, `mean_recall` (over the classes present), `faces`, `recall` and `precision` by class
        (None where a class is absent), and the `confusion` matrix, true class in rows.

    Raises:
        ValueError: There is no face.
    """
    probs = predict(classify, images, progress=progress)
    confusion = confusion_matrix(labels, probs[:, : len(classes)].argmax(axis=1), len(classes))

    def by_class(values: np.ndarray) -> dict[str, float | None]:
        return {name: None if np.isnan(value) else float(value) for name, value in zip(classes, values)}

    return {
        "accuracy": accuracy(confusion),
        "mean_recall": mean_recall(confusion),
        "faces": int(confusion.sum()),
        "recall": by_class(recalls(confusion)),
        "precision": by_class(precisions(confusion)),
        "confusion": confusion.tolist(),
    }
