"""Measure an expression network on labeled faces: plain figures, and those of a model card with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from fer_paddle.analysis.bootstrap import RESAMPLES, bootstrap, mean_interval
from fer_paddle.analysis.calibration import ece_intervals
from fer_paddle.analysis.metrics import accuracy, confusion_matrix, f1_scores, mean_recall, precisions, recalls, softmax
from fer_paddle.analysis.mistakes import most_confident_mistakes
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.ferplus import majority_labels
from fer_paddle.images import predict, to_gray
from fer_paddle.labels import EXPRESSIONS

ENOUGH_FACES = 50  # a class with fewer has an interval too wide to say anything
SOME_FACES = 20  # the least for a recall that a mean may count
MISTAKES = 10
QUALITIES: dict[str, Callable[[np.ndarray], float]] = {
    "brightness": np.mean,
    "contrast": np.std,
    "sharpness": lambda gray: cv2.Laplacian(gray, cv2.CV_64F).std(),
}


def evaluate_classifier(
    classify: Callable[..., np.ndarray],
    images: Sequence[np.ndarray] | np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str] = EXPRESSIONS,
) -> dict[str, Any]:
    """Measure accuracy, mean recall and the figures of each class.

    Args:
        classify: crops -> probabilities float32 [N, C], such as a Classifier; those beyond `classes` are left out.
        labels: int [N] of the `images`, indices into the classes.

    Returns:
        JSON values: `accuracy`, `mean_recall` (over the classes present), `mean_recall_of_20` (over those of 20 faces
        or more; None without one), `faces`, `recall` and `precision` by class (None where a class is absent), and the
        `confusion` matrix, true class in rows.
    """
    probs = predict(classify, images)
    confusion = confusion_matrix(labels, probs[:, : len(classes)].argmax(axis=1), len(classes))
    enough = confusion.sum(axis=1) >= SOME_FACES

    def by_class(values: np.ndarray) -> dict[str, float | None]:
        return {name: None if np.isnan(value) else float(value) for name, value in zip(classes, values)}

    return {
        "accuracy": accuracy(confusion),
        "mean_recall": mean_recall(confusion),
        "mean_recall_of_20": float(recalls(confusion)[enough].mean()) if enough.any() else None,
        "faces": int(confusion.sum()),
        "recall": by_class(recalls(confusion)),
        "precision": by_class(precisions(confusion)),
        "confusion": confusion.tolist(),
    }


def measure_expressions(
    logits: np.ndarray, faces: LabelledFaces, temperature: float = 1.0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Measure one network on one data set: logits [N, C]."""
    labels, names = faces.labels, faces.classes
    predicted = logits.argmax(axis=1)
    right = predicted == labels
    confusion = confusion_matrix(labels, predicted, len(names))
    enough = np.flatnonzero(confusion.sum(axis=1) >= ENOUGH_FACES)
    probs = softmax(logits, temperature)
    ece_before, ece_after = ece_intervals([softmax(logits), probs], labels, resamples)
    measured = {
        "faces": len(labels),
        "counts": faces.counts(),
        **_class_figures(labels, predicted, names, resamples),
        "enough_faces": ENOUGH_FACES,
        "classes_of_enough_faces": [names[index] for index in enough],
        "temperature": temperature,
        "ece_before": ece_before,
        "ece_after": ece_after,
        "by_quality": _by_quality(faces.images, right, resamples),
        "confusion": confusion.tolist(),
        "confusions": _confusions(confusion, names),
        "mistakes": [one.to_json(names) for one in most_confident_mistakes(probs, labels, MISTAKES)],
    }
    if 0 < len(enough) < len(names):
        kept = np.isin(labels, enough)
        part = _class_figures(labels[kept], predicted[kept], names, resamples)
        measured |= {f"{name}_of_enough_faces": part[name] for name in ("accuracy", "mean_recall")}
    if faces.classes == EXPRESSIONS and faces.votes is not None:
        agree = majority_labels(faces.votes) == labels
        parts = {"crowd chose the label": agree, "crowd chose another": ~agree}
        measured["by_crowd"] = _of_parts(right, parts, resamples)
    return measured


def _class_figures(labels: np.ndarray, predicted: np.ndarray, names: Sequence[str], resamples: int) -> dict[str, Any]:
    """Return accuracy and mean recall, and recall, precision and F1 by class."""
    num_classes = len(names)

    def figures(chosen: np.ndarray) -> np.ndarray:
        confusion = confusion_matrix(labels[chosen], predicted[chosen], num_classes)
        by_class = [recalls(confusion), precisions(confusion), f1_scores(confusion)]
        return np.concatenate([[accuracy(confusion), mean_recall(confusion)], *by_class])

    intervals = [one.to_json() for one in bootstrap(figures, len(labels), resamples)]
    whole, rest = intervals[:2], intervals[2:]
    by_class = {
        name: dict(zip(names, rest[start * num_classes : (start + 1) * num_classes]))
        for start, name in enumerate(("recall", "precision", "f1"))
    }
    return {"accuracy": whole[0], "mean_recall": whole[1], **by_class}


def _of_parts(right: np.ndarray, parts: Mapping[str, np.ndarray], resamples: int) -> dict[str, Any]:
    """Return how many faces each part has, by masks [N], and their accuracy with its interval."""
    return {
        name: {"faces": int(part.sum()), "accuracy": mean_interval(right[part], resamples)}
        for name, part in parts.items()
    }


def _by_quality(images: Sequence[np.ndarray] | np.ndarray, right: np.ndarray, resamples: int) -> dict[str, Any]:
    """Return the accuracy in the lowest, middle and highest third of each quality of the gray images."""
    grays, found = [to_gray(image) for image in images], {}
    for name, measure in QUALITIES.items():
        third = np.argsort(np.argsort([measure(gray) for gray in grays], kind="stable")) * 3 // len(grays)
        parts = {f"{part} third": third == index for index, part in enumerate(("lowest", "middle", "highest"))}
        found[name] = _of_parts(right, parts, resamples)
    return found


def _confusions(confusion: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """List, for each class with faces, the wrong name it gets most."""
    found = []
    for index in np.flatnonzero(confusion.sum(axis=1)):
        wrong = confusion[index].copy()
        wrong[index] = 0
        if wrong.max():
            taken_for = int(wrong.argmax())
            share = float(wrong[taken_for] / confusion[index].sum())
            found.append({"label": names[index], "predicted": names[taken_for], "share": round(share, 4)})
    return sorted(found, key=lambda one: -one["share"])
