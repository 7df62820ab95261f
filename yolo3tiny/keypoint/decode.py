"""Marks to cells and back: of marks that are 32 px apart `match` and `decode` are exact inverses. NumPy alone.

A mark at (x, y) belongs to the cell that holds it, borders to the right and lower one, and its offsets are where in the
cell it lies, in 0..1. Division by 32 and the difference are exact in float32, so decoding gives the same bits back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_paddle.files import check_number

STRIDE = 32
IGNORED = -1
JOIN_PX = STRIDE // 4  # cells beside each other that place a mark within it name the same one
SHARING = 4  # cells that meet at a point, and may share the score of a mark there


@dataclass(frozen=True, eq=False)
class Marks:
    """Marks found in one image, best first.

    Attributes:
        centers: float32 [N, 2], x and y in pixels of the image.
        labels: int64 [N], positions in the list of classes.
        scores: float32 [N] in 0..1.
    """

    centers: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def match(
    centers: np.ndarray, labels: np.ndarray, ignore: np.ndarray, grid_hw: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Turn marks into what the cells of a grid [H, W] are to say.

    Args:
        centers: [N, 2] in pixels, inside the grid.
        labels: [N] integers from 0.
        ignore: bool [N].
        grid_hw: Cells in height and width.

    Returns:
        Offsets float32 [2, H, W], and classes int64 [H, W]: 0 background, 1 + label, IGNORED.

    Raises:
        ValueError: A mark lies outside the grid, or two lie in one cell.
    """
    centers = np.asarray(centers, np.float32).reshape(-1, 2)
    floors = np.floor(centers / STRIDE)
    if not ((floors >= 0) & (floors < grid_hw[::-1])).all():  # NaN is never within
        raise ValueError(f"expected marks in {grid_hw[1] * STRIDE} x {grid_hw[0] * STRIDE} px, got {centers.tolist()}")
    cells = floors.astype(np.int64)
    offsets, classes = np.zeros((2, *grid_hw), np.float32), np.zeros(grid_hw, np.int64)
    for column, row in cells[ignore]:
        classes[row, column] = IGNORED
    kept = cells[~ignore]
    if len(np.unique(kept, axis=0)) < len(kept):
        raise ValueError(f"expected at most one mark in a cell of {STRIDE} px, got two: {centers[~ignore].tolist()}")
    columns, rows = kept.T
    offsets[:, rows, columns] = (centers[~ignore] / STRIDE - kept).T
    classes[rows, columns] = 1 + np.asarray(labels)[~ignore]
    return offsets, classes


def decode(outputs: np.ndarray, min_score: float = 0.5) -> list[Marks]:
    """Turn a network's outputs [N, 3 + C, H, W] (dx, dy, logits of background and classes) into marks.

    A cell's score is the softmax of its class. Cells of one class that place a mark within JOIN_PX name the same one,
    at their border, since two are STRIDE apart: the likeliest cell places it, and their scores add up, to 1 at most.
    Marks below `min_score` are left out.
    """
    outputs = np.asarray(outputs, np.float32)
    if outputs.ndim != 4 or outputs.shape[1] < 4 or not np.isfinite(outputs).all():
        raise ValueError(f"expected finite outputs [N, 3 + C, H, W], got shape {outputs.shape}")
    check_number("min_score", min_score, 0, 1)
    logits = outputs[:, 2:] - outputs[:, 2:].max(axis=1, keepdims=True)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels, scores = probs[:, 1:].argmax(axis=1), probs[:, 1:].max(axis=1)  # [N, H, W]
    found = []
    for image in range(len(outputs)):
        rows, columns = np.nonzero(scores[image] >= min_score / SHARING)
        cells = np.stack([columns, rows], axis=1).astype(np.float32)
        centers = (cells + outputs[image][:2, rows, columns].T) * STRIDE
        named = labels[image][rows, columns]
        first, totals = _join(centers, named, scores[image][rows, columns])
        first, totals = first[totals >= min_score], totals[totals >= min_score]
        found.append(Marks(centers[first], named[first], totals))
    return found


def _join(centers: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest of the cells that name one mark, and what their scores come to, best first."""
    free, totals = np.ones(len(scores), bool), np.zeros(len(scores), np.float32)
    for at in np.argsort(-scores, kind="stable"):
        if free[at]:
            same = free & (labels == labels[at]) & (np.abs(centers - centers[at]).max(axis=1) < JOIN_PX)
            totals[at], free = min(scores[same].sum(), 1), free & ~same
    order = np.argsort(-totals, kind="stable")[: np.count_nonzero(totals)]
    return order, totals[order]
