"""Measure brightness, contrast and sharpness of images, and whether they show a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from fer_paddle.expression.data.folders import shrink
from fer_paddle.images import resize, to_square
from fer_paddle.messages import track

SHARPNESS_SIDE = 48  # sharpness is judged at the size of FER2013's faces: what a small network sees
# Out of bounds: about one image of FER2013 in a hundred lies beyond each.
DARK, BRIGHT, FLAT, BLURRED = 0.20, 0.80, 0.10, 0.0033
# A detector wants to see some space around a head, and a crop has none: its edge is repeated so far.
FACE_BORDER = 0.25
FACE_SIDE = 96
# Of FER2013's images that the crowd calls "no face" about four in ten score less, of its faces one in a hundred.
MIN_FACE_SCORE = 0.04

FindFace = Callable[[np.ndarray], float]


def measure_images(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Measure each image uint8 [H, W], of any sizes; float64 [N] each.

    `brightness` and `contrast`: mean and standard deviation of the pixels over 255. `sharpness`: the variance of the
    Laplacian over that of the pixels, after bringing the longer side to at most 48 pixels, so that neither a large nor
    a pale image counts as blurred; an image of one gray level has 0.

    Source: variance of the Laplacian, Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".
    """
    rows = [(image.mean() / 255, image.std() / 255, _sharpness(image)) for image in images]
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return dict(zip(("brightness", "contrast", "sharpness"), columns))


def _sharpness(image: np.ndarray) -> float:
    image = shrink(image, SHARPNESS_SIDE)
    variance = float(image.var())
    return float(cv2.Laplacian(image, cv2.CV_32F).var()) / (64 * variance) if variance else 0.0


def find_extremes(measures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """List the `dark`, `bright`, `flat` (little contrast) and `blurred` (not flat) images: indices, the worst first."""
    brightness, contrast, sharpness = (measures[name] for name in ("brightness", "contrast", "sharpness"))
    faults = {
        "dark": (brightness < DARK, brightness),
        "bright": (brightness > BRIGHT, -brightness),
        "flat": (contrast < FLAT, contrast),
        "blurred": ((sharpness < BLURRED) & (contrast >= FLAT), sharpness),
    }
    return {name: _worst_first(found, order) for name, (found, order) in faults.items()}


def _worst_first(found: np.ndarray, order: np.ndarray) -> np.ndarray:
    indices = np.flatnonzero(found)
    return indices[np.argsort(order[indices], kind="stable")]


def find_constant(images: Sequence[np.ndarray]) -> np.ndarray:
    """List the images of one gray level; indices int64."""
    return np.flatnonzero([image.min() == image.max() for image in images])


def face_scores(images: Sequence[np.ndarray], find_face: FindFace) -> np.ndarray:
    """Ask a detector for the best score in each image, float64 [N].

    `find_face` takes uint8 [FACE_SIDE, FACE_SIDE, 3] BGR and returns the score of the surest face, 0 for none.
    """
    scores = []
    for image in track(images, "images"):
        square = to_square(image)
        border = round(len(square) * FACE_BORDER)
        wide = cv2.copyMakeBorder(square, border, border, border, border, cv2.BORDER_REPLICATE)
        scores.append(find_face(cv2.cvtColor(resize(wide, FACE_SIDE), cv2.COLOR_GRAY2BGR)))
    return np.array(scores, np.float64)


def find_faceless(scores: np.ndarray) -> np.ndarray:
    """List the images whose score is below MIN_FACE_SCORE, the lowest first; indices int64."""
    return _worst_first(scores < MIN_FACE_SCORE, scores)
