"""Plots: axes, image tiles, heat maps, and the figures of classes: confusion matrix, precision, recall, F1, ROC."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager

from fer_paddle.analysis.metrics import accuracy, check_answers, f1_scores, precisions, recalls, roc
from fer_paddle.drawing import drawn_names, find_chinese_font
from fer_paddle.files import replacing
from fer_paddle.labels import EXPRESSIONS, class_colors


def take_axis(axis: Axes | None, size: tuple[float, float] = (4.0, 3.5)) -> Axes:
    """Return the axis, or one of a new figure of `size` inches that is no part of pyplot."""
    return Figure(size, dpi=90, layout="constrained").subplots() if axis is None else axis


def figure_of(axis: Axes) -> Figure:
    """Return the figure an axis stands in."""
    figure = axis.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: float | str = "figure") -> Path:
    """Write a figure as PNG, whole or not at all, and return its path; the folder must exist."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
    return Path(path)


def class_texts(names: Sequence[str], size: float, language: str = "en") -> tuple[list[str], FontProperties]:
    """Return the names of classes as texts of a plot, none read as a formula, and a font of all their characters."""
    usual = rcParams["font.family"]
    shown = drawn_names(names, language, [findfont(FontProperties(family=usual))])
    texts = [name.replace("$", r"\$") for name in shown]
    return texts, FontProperties(family=[*usual, _add_font(find_chinese_font())], size=size)


def _check_names(names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise ValueError(f"expected a name for each of {count} classes, got {', '.join(names)}")


@functools.cache
def _add_font(path: Path) -> str:
    fontManager.addfont(path)
    return FontProperties(fname=path).get_name()


def tile_images(images: Sequence[np.ndarray], columns: int, gap: float = 1.0) -> np.ndarray:
    """Tile gray images of one size in rows, one pixel apart: images [H, W]."""
    if not len(images) or columns < 1:
        raise ValueError(f"expected one image and one column or more, got {len(images)} and {columns}")
    height, width = images[0].shape
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), gap, np.float32)
    for place, image in enumerate(images):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet


def scale_to_one(values: np.ndarray) -> np.ndarray:
    """Stretch values to 0..1, float32 of the same shape; all zero where all are alike."""
    low, high = values.min(), values.max()
    return ((values - low) / max(high - low, np.finfo(np.float32).tiny)).astype(np.float32)


def plot_heat(face: np.ndarray, heat: np.ndarray, axis: Axes | None = None, title: str = "") -> Figure:
    """Draw a heat map float [h, w] of any size over a face uint8 [H, W]: warm where it is high."""
    axis = take_axis(axis, (2.2, 2.4))
    large = cv2.resize(scale_to_one(heat), face.shape[::-1], interpolation=cv2.INTER_CUBIC)
    axis.imshow(face, cmap="gray", vmin=0, vmax=255)
    axis.imshow(large, cmap="jet", vmin=0, vmax=1, alpha=0.45)
    axis.set_title(title, fontsize=9)
    axis.axis("off")
    return figure_of(axis)


def plot_confusion(confusion: np.ndarray, axis: Axes | None = None, names: Sequence[str] = EXPRESSIONS) -> Figure:
    """Draw the ratio of each true class (row) that got each name (column), with counts, of an int [C, C] matrix."""
    _check_names(names, len(confusion))
    axis = take_axis(axis, (5.2, 4.6))
    ratios = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axis.imshow(ratios, cmap="Blues", vmin=0, vmax=1)
    axis.grid(visible=False)
    for row, column in np.ndindex(*confusion.shape):
        color = "white" if ratios[row, column] > 0.5 else "black"
        text = f"{ratios[row, column]:.0%}\n{confusion[row, column]}"
        axis.text(column, row, text, ha="center", va="center", fontsize=6.5, color=color)
    ticks, (texts, font) = range(len(names)), class_texts(names, 8)
    axis.set_xticks(ticks, texts, rotation=40, ha="right", font=font)
    axis.set_yticks(ticks, texts, font=font)
    axis.set(xlabel="named", ylabel="true")
    axis.set_title(f"accuracy {accuracy(confusion):.3f}", fontsize=10)
    return figure_of(axis)


def plot_class_figures(confusion: np.ndarray, axis: Axes | None = None, names: Sequence[str] = EXPRESSIONS) -> Figure:
    """Draw precision, recall and F1 of each class of a confusion matrix; a class without faces has no bar."""
    _check_names(names, len(confusion))
    axis = take_axis(axis, (6.0, 3.0))
    rows = {"precision": precisions(confusion), "recall": recalls(confusion), "F1": f1_scores(confusion)}
    places, (texts, font) = np.arange(len(names)), class_texts(names, 8)
    for number, (label, values) in enumerate(rows.items()):
        axis.bar(places + (number - 1) * 0.27, values, 0.25, label=label)
    axis.set_xticks(places, texts, font=font)
    axis.set(ylim=(0, 1.15), yticks=np.linspace(0, 1, 6), ylabel="ratio")  # with room for the legend
    axis.legend(fontsize=7, ncols=3, loc="upper right")
    return figure_of(axis)


def plot_roc(
    probs: np.ndarray, labels: np.ndarray, axis: Axes | None = None, names: Sequence[str] = EXPRESSIONS
) -> Figure:
    """Draw the ROC curve of every class that has faces, each against the others, of probs [N, C] and labels [N]."""
    probs, labels = check_answers(probs, labels, "probs")
    _check_names(names, probs.shape[1])
    axis = take_axis(axis, (4.4, 4.0))
    shown, (texts, font) = {}, class_texts(names, 7)
    for index in np.unique(labels):
        if (labels == index).all():
            continue
        curve = roc(labels == index, probs[:, index])
        color = np.array(class_colors(names)[index][::-1]) / 255
        (line,) = axis.plot(curve.false_positive_rate, curve.true_positive_rate, color=color, linewidth=1.3)
        shown[line] = f"{texts[index]} {curve.auc:.3f}"
    axis.plot([0, 1], [0, 1], ":", color="0.5")
    axis.set(xlabel="others named so", ylabel="found", xlim=(0, 1), ylim=(0, 1.01))
    legend = {"title": "area under it", "title_fontsize": 7, "loc": "lower right"}
    # With handles: a legend by labels leaves out a name that begins with an underscore.
    axis.legend(list(shown), list(shown.values()), prop=font, **legend)
    return figure_of(axis)
