"""The most confident mistakes of a classifier: wrong labels, or something else was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.analysis.metrics import check_answers
from fer_paddle.analysis.plots import class_texts, figure_of, take_axis, tile_images
from fer_paddle.files import check_integer
from fer_paddle.labels import EXPRESSIONS

_SIDE = 64


@dataclass(frozen=True)
class Mistake:
    """One wrong answer."""

    index: int  # which face of the data set
    label: int  # its class
    predicted: int  # the class it was given
    prob: float  # the probability of that
    prob_label: float  # the probability of its label

    def to_json(self, names: Sequence[str] = EXPRESSIONS) -> dict[str, Any]:
        """Return JSON values with the classes by name."""
        named = {"index": self.index, "label": names[self.label], "predicted": names[self.predicted]}
        return named | {"prob": round(self.prob, 4), "prob_label": round(self.prob_label, 4)}


def most_confident_mistakes(probs: np.ndarray, labels: np.ndarray, count: int) -> list[Mistake]:
    """List at most `count` wrong answers of probs [N, C], the most confident first."""
    probs, labels = check_answers(probs, labels, "probs")
    check_integer("count", count)
    predicted, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [
        Mistake(int(i), int(labels[i]), int(predicted[i]), float(confidence[i]), float(probs[i, labels[i]]))
        for i in chosen
    ]


def plot_mistakes(
    images: Sequence[np.ndarray],
    mistakes: Sequence[Mistake],
    axis: Axes | None = None,
    names: Sequence[str] = EXPRESSIONS,
) -> Figure:
    """Draw the faces of mistakes, one or more, of gray `images`, with "label, named" above them."""
    columns = 6
    rows = -(-len(mistakes) // columns)
    axis = take_axis(axis, (1.3 * min(columns, len(mistakes)), 1.5 * rows))
    head = 18  # rows of white above each face for its two names
    tiles = []
    for mistake in mistakes:
        face = cv2.resize(images[mistake.index], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        tiles.append(np.vstack([np.full((head, _SIDE), 255, np.uint8), face]))
    texts, font = class_texts(names, 6)
    axis.imshow(tile_images(tiles, columns, gap=255), cmap="gray", vmin=0, vmax=255)
    for place, mistake in enumerate(mistakes):
        left, top = place % columns * (_SIDE + 1), place // columns * (_SIDE + head + 1)
        words = f"{texts[mistake.label]}\nnamed {texts[mistake.predicted]} {mistake.prob:.0%}"
        axis.text(left + _SIDE / 2, top + head / 2, words, ha="center", va="center", font=font)
    axis.axis("off")
    return figure_of(axis)
