"""The sheet a head is drawn on, in face units, before it is lit, bent and turned: its colors without light, which
parts of it belong to the head, and how deep each place lies in a fold of the skin.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import ArrayLike

SPAN = 3.1  # face units along one side of the sheet
ORIGIN = (-1.55, -1.68)  # face units of the sheet's left top corner
_SHIFT = 4  # cv2 draws at 1/16 pixel
_DENSITY = 5  # points drawn for each control point of a curve
_FAINT_PX = 0.7  # thinner lines are drawn a pixel wide and fainter

Color = tuple[float, ...] | np.ndarray


@functools.cache
def _spline(count: int, closed: bool) -> np.ndarray:
    """Return the matrix from control points to the points of a Catmull-Rom curve: float64 [M,count]."""
    spans = count if closed else count - 1
    t = np.arange(spans * _DENSITY + (not closed)) / _DENSITY
    start = np.minimum(t.astype(int), spans - 1)
    u = t - start
    weights = (-(u**3) + 2 * u**2 - u, 3 * u**3 - 5 * u**2 + 2, -3 * u**3 + 4 * u**2 + u, u**3 - u**2)
    matrix = np.zeros((len(t), count))
    for offset, weight in zip((-1, 0, 1, 2), weights):
        index = (start + offset) % count if closed else np.clip(start + offset, 0, count - 1)
        np.add.at(matrix, (np.arange(len(t)), index), weight / 2)
    return matrix


def curve(points: ArrayLike, closed: bool = False) -> np.ndarray:
    """Draw smooth curves through points [...,K,2]: float64 [...,M,2]."""
    controls = np.asarray(points, np.float64)
    return _spline(controls.shape[-2], closed) @ controls


def join(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Make polygons [...,M,2] of two edges [...,N,2] that start at the same end."""
    return np.concatenate([there, back[..., ::-1, :]], axis=-2)


def plain(height: int, width: int, color: Color) -> np.ndarray:
    """Make an image of one color: uint8 [height,width,3]."""
    return np.full((1, width, 3), color, np.uint8).repeat(height, axis=0)  # np.full alone takes 30 times as long


def fixed(pixels: np.ndarray) -> np.ndarray:
    """Bring places in pixels, counted from the left and top edge, to cv2's fixed point: int32 [...,2]."""
    return (pixels * (1 << _SHIFT) + (0.5 - (1 << _SHIFT) / 2)).astype(np.int32)


def fill_fixed(image: np.ndarray, polygon: np.ndarray, color: Color) -> None:
    """Fill a polygon int32 [N,2] of cv2's fixed point, in place, with smooth edges."""
    cv2.fillPoly(image, [polygon], color, cv2.LINE_AA, _SHIFT)


def blend(window: np.ndarray, image: np.ndarray, mask: np.ndarray) -> None:
    """Lay an image uint8 [h,w,3] over a window, in place, as far as a mask (0 to 255) [h,w] says."""
    share = mask.astype(np.float32)
    window[:] = cv2.blendLinear(image, window, share, 255 - share)


def _split(shapes: np.ndarray) -> list[np.ndarray]:
    """List the shapes of an array int32 [...,N,2], as cv2 wants them."""
    return [shapes] if shapes.ndim == 2 else list(shapes.reshape(-1, *shapes.shape[-2:]))


class Sheet:
    """A square drawing in face units."""

    def __init__(self, size: int, color: np.ndarray) -> None:
        self.image = plain(size, size, color)
        self.alpha = np.zeros((size, size), np.uint8)
        self.folds = np.zeros((size, size), np.uint8)
        self.scale = size / SPAN

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Bring face units [...,2] to pixels of the sheet."""
        return (np.asarray(points) - ORIGIN) * self.scale

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Bring face units [...,2] to cv2's fixed point on the sheet: int32, same shape."""
        return fixed(self.pixels(points))

    def fill(self, points: np.ndarray, color: Color, head: bool = False) -> None:
        """Fill polygons [...,N,2]; with `head` they become part of the head, and cover folds."""
        polygons = _split(self.fixed(points))
        cv2.fillPoly(self.image, polygons, color, cv2.LINE_AA, _SHIFT)
        if head:
            cv2.fillPoly(self.alpha, polygons, 255, cv2.LINE_AA, _SHIFT)
            cv2.fillPoly(self.folds, polygons, 0, cv2.LINE_8, _SHIFT)

    def stroke(self, points: np.ndarray, color: Color, width: float, closed: bool = False) -> None:
        """Draw lines [...,N,2] of a width in face units; one thinner than a pixel is drawn fainter."""
        lines = self.fixed(points)
        width_px = width * self.scale
        thick = max(round(width_px), 1)
        left, top, right, bottom = self._bounds(lines, thick)
        window = self.image[top:bottom, left:right]
        before = window.copy()
        cv2.polylines(self.image, _split(lines), closed, color, thick, cv2.LINE_AA, _SHIFT)
        if width_px < _FAINT_PX:
            cv2.addWeighted(window, width_px, before, 1 - width_px, 0, dst=window)

    def soft(self, points: np.ndarray, color: Color, strength: float, blur: float = 0.0) -> None:
        """Fill polygons [...,N,2] with `strength` 0 to 1 and edges of a softness `blur` in face units."""
        sigma = blur * self.scale
        window, mask, _ = self.open_window(points, int(2.5 * sigma) + 2, 255 * strength)
        if sigma >= 1:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma)
        blend(window, plain(mask.shape[0], mask.shape[1], color), mask)

    def fold(self, lines: np.ndarray, strengths: np.ndarray, widths: np.ndarray) -> None:
        """Fold the skin along smooth lines [2,K,4,2], on both sides alike."""
        levels = (255 * np.minimum(strengths, 1) * np.minimum(widths * self.scale, 1)).tolist()
        thick = np.maximum(widths * self.scale, 1).round().astype(int).tolist()
        for left, right, level, width in zip(*self.fixed(curve(lines)), levels, thick):
            cv2.polylines(self.folds, [left, right], False, level, width, cv2.LINE_AA, _SHIFT)

    def open_window(
        self, points: np.ndarray, margin: int = 2, level: float = 255
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the image around polygons [...,N,2], a mask, `level` inside of them, and its left top corner."""
        polygons = self.fixed(points)
        left, top, right, bottom = self._bounds(polygons, margin)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, _split(polygons - (left << _SHIFT, top << _SHIFT)), level, cv2.LINE_AA, _SHIFT)
        return self.image[top:bottom, left:right], mask, np.array([left, top])

    def _bounds(self, polygons: np.ndarray, margin: int) -> tuple[int, int, int, int]:
        x, y, wide, tall = cv2.boundingRect(polygons.reshape(-1, 2))
        size = len(self.alpha)
        left, top = max((x >> _SHIFT) - margin, 0), max((y >> _SHIFT) - margin, 0)
        right, bottom = ((x + wide) >> _SHIFT) + margin + 2, ((y + tall) >> _SHIFT) + margin + 2
        return left, top, min(right, size), min(bottom, size)
