"""Figures of each class and their plots: confusion matrix, precision, recall, F1, ROC.

Sources: Fawcett 2006, "An introduction to ROC analysis", algorithms 1 and 2; van Rijsbergen 1979 for F1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.analysis.axes import figure_of, take_axis
from fer_paddle.analysis.metrics import accuracy, f1_scores, precisions, recalls
from fer_paddle.labels import EXPRESSIONS, class_colors


@dataclass(frozen=True)
class Roc:
    """The ROC curve of one class against the others.

    Attributes:
        false_positive_rate: float64 [K], rising from 0 to 1.
        true_positive_rate: float64 [K], likewise.
        auc: Area under it: the probability that a face of the class scores above one of another.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    auc: float


def roc(is_class: np.ndarray, scores: np.ndarray) -> Roc:
    """Follows both rates as the threshold falls; faces of equal score pass it together.

    Args:
        is_class: bool [N], which faces are of the class.
        scores: float [N], such as its probability.

    Raises:
        ValueError: The lengths differ, or one of the two sides has no face.
    """
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


def plot_confusion(
    confusion: np.ndarray, axis: Axes | None = None, names: Sequence[str] = EXPRESSIONS, title: str = ""
) -> Figure:
    """Draws the share of each true class (row) that was given each name (column), with the counts.

    Args:
        confusion: int [C, C] of metrics.confusion_matrix.
        axis: Where to draw; None makes a figure.
        names: Of the classes.
        title: Before the accuracy.
    """
    axis = take_axis(axis, (5.2, 4.6))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*confusion.shape):
        color = "white" if shares[row, column] > 0.5 else "black"
        text = f"{shares[row, column]:.0%}\n{confusion[row, column]}"
        axis.text(column, row, text, ha="center", va="center", fontsize=6.5, color=color)
    ticks = range(len(names))
    axis.set_xticks(ticks, names, rotation=40, ha="right", fontsize=8)
    axis.set_yticks(ticks, names, fontsize=8)
    axis.set(xlabel="named", ylabel="true")
    axis.set_title(f"{title} accuracy {accuracy(confusion):.3f}".strip(), fontsize=10)
    return figure_of(axis)


def plot_class_figures(
    confusion: np.ndarray, axis: Axes | None = None, names: Sequence[str] = EXPRESSIONS, title: str = ""
) -> Figure:
    """Draws precision, recall and F1 of each class; a class without faces has no bar.

    Args:
        confusion: int [C, C] of metrics.confusion_matrix.
        axis: Where to draw; None makes a figure.
        names: Of the classes.
        title: Above it.
    """
    axis = take_axis(axis, (6.0, 3.0))
    rows = {"precision": precisions(confusion), "recall": recalls(confusion), "F1": f1_scores(confusion)}
    places = np.arange(len(names))
    for number, (label, values) in enumerate(rows.items()):
        axis.bar(places + (number - 1) * 0.27, values, 0.25, label=label)
    axis.set_xticks(places, names, fontsize=8)
    axis.set(ylim=(0, 1.15), yticks=np.linspace(0, 1, 6), ylabel="share")  # with room for the legend
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=7, ncols=3, loc="upper right")
    return figure_of(axis)


def plot_roc(
    probs: np.ndarray,
    labels: np.ndarray,
    axis: Axes | None = None,
    names: Sequence[str] = EXPRESSIONS,
    title: str = "",
) -> Figure:
    """Draws the ROC curve of every class that has faces, each against the others.

    Args:
        probs: float [N, C].
        labels: int [N].
        axis: Where to draw; None makes a figure.
        names: Of the classes.
        title: Above it.
    """
    axis = take_axis(axis, (4.4, 4.0))
    for index in np.unique(labels):
        if (labels == index).all():
            continue
        curve = roc(labels == index, probs[:, index])
        color = np.array(class_colors(names)[index][::-1]) / 255
        label = f"{names[index]} {curve.auc:.3f}"
        axis.plot(curve.false_positive_rate, curve.true_positive_rate, color=color, linewidth=1.3, label=label)
    axis.plot([0, 1], [0, 1], ":", color="0.5")
    axis.set(xlabel="others named so", ylabel="found", xlim=(0, 1), ylim=(0, 1.01))
    axis.set_title(title, fontsize=10)
    axis.legend(title="area under it", fontsize=7, title_fontsize=7, loc="lower right")
    return figure_of(axis)
