"""What all plots share: an axis to draw on, pictures side by side, a heat map over a face."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.files import replacing


def take_axis(axis: Axes | None, size: tuple[float, float] = (4.0, 3.5)) -> Axes:
    """Gives the axis back, or one of a new figure of `size` inches where there is none.

    The new figure is no part of pyplot: nothing keeps it, nothing shows it twice.
    """
    return Figure(size, dpi=90, layout="constrained").subplots() if axis is None else axis


def figure_of(axis: Axes) -> Figure:
    """The figure an axis stands in."""
    return axis.get_figure(root=True)


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: float | str = "figure") -> Path:
    """Write a figure as PNG, whole or not at all, and return its path; the folder must exist."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
    return Path(path)


def tile_pictures(pictures: Sequence[np.ndarray], columns: int, gap: float = 1.0) -> np.ndarray:
    """Lays gray pictures of one size in rows, one pixel apart.

    Args:
        pictures: Each float [H, W].
        columns: Pictures in a row, 1 or more.
        gap: Value of the pixels between them.

    Returns:
        float32 [rows * (H + 1) - 1, columns * (W + 1) - 1]; places without a picture have the value `gap`.

    Raises:
        ValueError: There is no picture, or `columns` is below 1.
    """
    if not len(pictures) or columns < 1:
        raise ValueError(f"expected one picture and one column or more, got {len(pictures)} and {columns}")
    height, width = pictures[0].shape
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), gap, np.float32)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + 1), place % columns * (width + 1)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def scale_to_one(values: np.ndarray) -> np.ndarray:
    """Stretches values to 0..1, float32 of the same shape; all zero where all are alike."""
    low, high = values.min(), values.max()
    return ((values - low) / max(high - low, np.finfo(np.float32).tiny)).astype(np.float32)


def plot_heat(face: np.ndarray, heat: np.ndarray, axis: Axes | None = None, title: str = "") -> Figure:
    """Draws a heat map over a face: warm where it is high.

    Args:
        face: uint8 [H, W].
        heat: float [h, w] of any size, for instance of `gradcam.grad_cam`; it is stretched to 0..1.
        axis: Where to draw; None makes a figure.
        title: Above it.
    """
    axis = take_axis(axis, (2.2, 2.4))
    large = cv2.resize(scale_to_one(heat), face.shape[::-1], interpolation=cv2.INTER_CUBIC)
    axis.imshow(face, cmap="gray", vmin=0, vmax=255)
    axis.imshow(large, cmap="jet", vmin=0, vmax=1, alpha=0.45)
    axis.set_title(title, fontsize=9)
    axis.axis("off")
    return figure_of(axis)
