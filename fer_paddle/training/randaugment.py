"""RandAugment for gray faces: a few operations, drawn from a fixed list, all of one strength.

Source: Cubuk et al. 2019, "RandAugment", arXiv:1909.13719; its operations without the one for color. Ranges are
the paper's; strengths are a tenth of its 0 to 30.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from fer_paddle.images import describe


def apply_randaugment(face: np.ndarray, count: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Apply `count` of OPERATIONS to a face uint8 [S, S], each drawn anew, at strengths from -`strength` to it."""
    check_square(face)
    operations = list(OPERATIONS.values())
    for _ in range(count):
        operation = operations[rng.integers(len(operations))]
        face = operation(face, rng.uniform(-strength, strength))
    return face


def check_square(face: np.ndarray) -> None:
    """Raise ValueError for what is no square gray face."""
    if not isinstance(face, np.ndarray) or face.dtype != np.uint8 or face.shape != (len(face),) * 2 or not face.size:
        raise ValueError(f"expected a face uint8 [S, S], got {describe(face)}")


def _stretch(face: np.ndarray, strength: float) -> np.ndarray:
    """Spread the gray levels over 0 to 255 (autocontrast); has no strength."""
    low, high = int(face.min()), int(face.max())
    if low == high:
        return face
    return _look_up(face, (_LEVELS - low) * (255 / (high - low)))


def _posterize(face: np.ndarray, strength: float) -> np.ndarray:
    """Clear the lowest bits of each pixel, up to 4."""
    cleared = round(4 / 3 * abs(strength))
    return face & np.uint8(256 - 2**cleared)


def _solarize(face: np.ndarray, strength: float) -> np.ndarray:
    """Invert the brightest pixels: none at strength 0, all at 3."""
    threshold = 256 - round(256 / 3 * abs(strength))
    return np.where(face >= threshold, 255 - face, face)


def _contrast(face: np.ndarray, strength: float) -> np.ndarray:
    mean = face.mean()
    return _look_up(face, mean + (_LEVELS - mean) * (1 + 0.3 * strength))


def _sharpen(face: np.ndarray, strength: float) -> np.ndarray:
    """Move each pixel from (or, with a negative strength, towards) the mean about it, by up to nine tenths."""
    smooth = cv2.GaussianBlur(face, (3, 3), 0, borderType=cv2.BORDER_REPLICATE)
    return cv2.addWeighted(face, 1 + 0.3 * strength, smooth, -0.3 * strength, 0)


def _warp(face: np.ndarray, linear: np.ndarray, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Map pixels by a matrix [2, 2] about the center, then by a shift in ratios of the side."""
    side = len(face)
    center = np.full(2, (side - 1) / 2)
    matrix = np.column_stack([linear, center - linear @ center + np.array(shift) * side])
    return cv2.warpAffine(face, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def _rotate(face: np.ndarray, strength: float) -> np.ndarray:
    angle = np.deg2rad(10 * strength)
    return _warp(face, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def _look_up(face: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return cv2.LUT(face, np.clip(np.rint(levels), 0, 255).astype(np.uint8))


_LEVELS = np.arange(256, dtype=np.float32)

# Name -> function from a face and a strength, -3 to 3, to a face.
OPERATIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "identity": lambda face, strength: face,
    "autocontrast": _stretch,
    "equalize": lambda face, strength: cv2.equalizeHist(face),
    "rotate": _rotate,
    "solarize": _solarize,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": lambda face, strength: _look_up(face, _LEVELS * (1 + 0.3 * strength)),
    "sharpness": _sharpen,
    "shear_x": lambda face, strength: _warp(face, np.array([[1, 0.1 * strength], [0, 1]])),
    "shear_y": lambda face, strength: _warp(face, np.array([[1, 0], [0.1 * strength, 1]])),
    "shift_x": lambda face, strength: _warp(face, np.eye(2), (0.15 * strength, 0.0)),
    "shift_y": lambda face, strength: _warp(face, np.eye(2), (0.0, 0.15 * strength)),
}
