"""The 68 points of iBUG: their order, twins under a flip, and the eyes that errors are measured by.

Points count in pixels from the left and top edge of the image, as boxes do: the center of the first pixel is (0.5,
0.5). Source: Sagonas et al. 2013, "300 Faces in-the-Wild Challenge".
"""

from __future__ import annotations

import numpy as np

from fer_paddle.drawn.anatomy import MIRROR

NUM_POINTS = 68
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
LEFT_EYE, RIGHT_EYE, MOUTH = slice(36, 42), slice(42, 48), slice(48, 68)  # left and right as the viewer sees them
OUTER_CORNERS = (36, 45)  # of the eyes


def check_points(points: np.ndarray) -> np.ndarray:
    """Return points as float64 [..., 68, 2]; ValueError for another shape or for what is not finite."""
    array = np.asarray(points, np.float64)
    if array.ndim < 2 or array.shape[-2:] != (NUM_POINTS, 2):
        raise ValueError(f"expected points [..., {NUM_POINTS}, 2], got {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ValueError("expected finite points, got NaN or infinity")
    return array


def flip_points(points: np.ndarray, width: float) -> np.ndarray:
    """Mirror points [..., 68, 2] with an image of that width: x is turned about, left and right change their index."""
    return (check_points(points) * (-1, 1) + (width, 0))[..., MIRROR, :]


def box_of_points(points: np.ndarray) -> np.ndarray:
    """Return the least boxes around points [..., 68, 2]: float64 [..., 4]."""
    array = check_points(points)
    return np.concatenate([array.min(-2), array.max(-2)], axis=-1)
