"""How bright, how contrasty and how sharp pictures are."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 48  # sharpness is judged at the size of FER2013's faces: what a small network sees
# Out of bounds: about one picture of FER2013 in a hundred lies beyond each.
DARK, BRIGHT, FLAT, BLURRED = 0.20, 0.80, 0.10, 0.0033


def measure_images(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Measures each picture.

    Args:
        images: uint8 [H, W], of any sizes.

    Returns:
        float64 [N] each: `brightness` and `contrast`, mean and standard deviation of the pixels as a share of 255;
        `sharpness`, the variance of the Laplacian over that of the pixels, after bringing the longer side to at most
        48 pixels, so that neither a large nor a pale picture counts as blurred. A picture of one gray level has 0.

    Source: variance of the Laplacian, Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".
    """
    rows = [(image.mean() / 255, image.std() / 255, _sharpness(image)) for image in images]
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return dict(zip(("brightness", "contrast", "sharpness"), columns))


def _sharpness(image: np.ndarray) -> float:
    scale = SIDE / max(image.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in image.shape)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    variance = float(image.var())
    return float(cv2.Laplacian(image, cv2.CV_32F).var()) / (64 * variance) if variance else 0.0


def find_extremes(measures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Lists the pictures out of bounds, the worst first.

    Args:
        measures: What `measure_images` gave.

    Returns:
        Indices int64 by fault: `dark`, `bright`, `flat` (hardly any contrast) and `blurred` (but not flat).
    """
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
