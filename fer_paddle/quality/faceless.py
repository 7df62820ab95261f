"""Pictures that are no face: of one gray level, or in which a face detector finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from fer_paddle.images import resize, to_square

# A detector wants to see some space around a head, and a crop has none: its edge is repeated so far.
BORDER = 0.25
SIDE = 96
# Of FER2013's pictures that the crowd calls "no face" about four in ten score less, of its faces one in a hundred.
MIN_SCORE = 0.04

FindFace = Callable[[np.ndarray], float]


def find_constant(images: Sequence[np.ndarray]) -> np.ndarray:
    """Lists the pictures of one gray level; indices int64."""
    return np.flatnonzero([image.min() == image.max() for image in images])


def face_scores(
    images: Sequence[np.ndarray], find_face: FindFace, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter
) -> np.ndarray:
    """Asks a detector for the best score in each picture.

    Args:
        images: Crops, gray uint8 [H, W].
        find_face: uint8 [SIDE, SIDE, 3] BGR -> score of the surest face in it, 0 where there is none.
        progress: Wraps the pictures for a progress bar.

    Returns:
        float64 [N].
    """
    scores = []
    for image in progress(images):
        square = to_square(image)
        border = round(len(square) * BORDER)
        wide = cv2.copyMakeBorder(square, border, border, border, border, cv2.BORDER_REPLICATE)
        scores.append(find_face(cv2.cvtColor(resize(wide, SIDE), cv2.COLOR_GRAY2BGR)))
    return np.array(scores, np.float64)


def find_faceless(scores: np.ndarray) -> np.ndarray:
    """Lists the pictures whose score is below MIN_SCORE, the lowest first; indices int64."""
    found = np.flatnonzero(scores < MIN_SCORE)
    return found[np.argsort(scores[found], kind="stable")]
