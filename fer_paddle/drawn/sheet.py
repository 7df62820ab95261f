"""The sheet a head is drawn on before it is bent and turned: strokes and fills in face units.

The sheet holds the colours of skin and hair without light, which parts of it belong to the head, and how deep
each place lies in a fold of the skin. `skin` lights it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

SPAN = 3.1  # face units along one side of the sheet
ORIGIN = (-1.55, -1.68)  # face units of the sheet's left top corner
_SHIFT = 4  # cv2 draws at 1/16 pixel
_DENSITY = 5  # points drawn for each control point of a curve
_TAPER = np.sin(np.linspace(0.15, np.pi - 0.15, 3 * _DENSITY + 1))  # of a curve through four points
_FAINT_PX = 0.7  # thinner lines are drawn a pixel wide and fainter
_OPAQUE = 0.85  # what is stronger is drawn without mixing where its edges are sharp
_TONES = 4  # shades that the hairs of one call are sorted into

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
    """Make a picture of one colour: uint8 [height,width,3]."""
    picture = np.zeros((height, width, 3), np.uint8)
    cv2.rectangle(picture, (0, 0), (width, height), _scalar(color), -1)
    return picture


def fixed(pixels: np.ndarray) -> np.ndarray:
    """Bring places in pixels, counted from the left and top edge, to cv2's fixed point: int32 [...,2]."""
    return (pixels * (1 << _SHIFT) + (0.5 - (1 << _SHIFT) / 2)).astype(np.int32)


def fill_pixels(image: np.ndarray, pixels: np.ndarray, color: Color | float) -> None:
    """Fill a polygon [N,2] given in pixels, in place, with smooth edges."""
    fill_fixed(image, fixed(pixels), color)


def fill_fixed(image: np.ndarray, polygon: np.ndarray, color: Color | float) -> None:
    """Fill a polygon int32 [N,2] of cv2's fixed point, in place, with smooth edges."""
    cv2.fillPoly(image, [polygon], _scalar(color), cv2.LINE_AA, _SHIFT)


def stroke_pixels(image: np.ndarray, pixels: np.ndarray, color: Color | float, width_px: int) -> None:
    """Draw a polyline [N,2] given in pixels, in place, with smooth edges."""
    cv2.polylines(image, [fixed(pixels)], False, _scalar(color), width_px, cv2.LINE_AA, _SHIFT)


def blend(window: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> None:
    """Lay a picture uint8 [h,w,3] over a window, in place, as far as a mask (0 to 255) [h,w] says."""
    share = mask.astype(np.float32)
    window[:] = cv2.blendLinear(picture, window, share, 255 - share)


def _scalar(color: Color | float) -> float | Sequence[float]:
    return color.tolist() if isinstance(color, np.ndarray) else color


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
        self._factor = self.scale * (1 << _SHIFT)
        self._offset = 0.5 - (1 << _SHIFT) / 2 - np.array(ORIGIN) * self._factor

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Bring face units [...,2] to pixels of the sheet."""
        return (np.asarray(points) - ORIGIN) * self.scale

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Bring face units [...,2] to cv2's fixed point on the sheet: int32, same shape."""
        return (points * self._factor + self._offset).astype(np.int32)

    def fill(self, points: np.ndarray, color: Color, head: bool = False) -> None:
        """Fill polygons [...,N,2]; with `head` they become part of the head."""
        polygons = _split(self.fixed(points))
        cv2.fillPoly(self.image, polygons, _scalar(color), cv2.LINE_AA, _SHIFT)
        if head:
            cv2.fillPoly(self.alpha, polygons, 255, cv2.LINE_AA, _SHIFT)

    def smooth_skin(self, points: np.ndarray) -> None:
        """Take away the folds within polygons [...,N,2], where something covers the skin."""
        cv2.fillPoly(self.folds, _split(self.fixed(points)), 0, cv2.LINE_8, _SHIFT)

    def stroke(self, points: np.ndarray, color: Color, width: float, closed: bool = False) -> None:
        """Draw lines [...,N,2] of a width in face units; one thinner than a pixel is drawn fainter."""
        lines = self.fixed(points)
        width_px = width * self.scale
        thick = max(round(width_px), 1)
        window = self._window(lines, thick) if width_px < _FAINT_PX else None
        before = None if window is None else window.copy()
        cv2.polylines(self.image, _split(lines), closed, _scalar(color), thick, cv2.LINE_AA, _SHIFT)
        if window is not None:
            cv2.addWeighted(window, width_px, before, 1 - width_px, 0, dst=window)

    def soft(self, points: np.ndarray, color: Color, strength: float, blur: float = 0.0) -> None:
        """Fill polygons [...,N,2] with `strength` 0 to 1 and edges of a softness `blur` in face units."""
        fixed_points = self.fixed(points)
        polygons, sigma = _split(fixed_points), blur * self.scale
        if sigma >= 1:
            self._soft_blurred(fixed_points, color, strength, sigma)
        elif strength > _OPAQUE:
            cv2.fillPoly(self.image, polygons, _scalar(color), cv2.LINE_AA, _SHIFT)
        else:
            window = self._window(fixed_points, 2)
            before = window.copy()
            cv2.fillPoly(self.image, polygons, _scalar(color), cv2.LINE_AA, _SHIFT)
            cv2.addWeighted(window, strength, before, 1 - strength, 0, dst=window)

    def _soft_blurred(self, polygons: np.ndarray, color: Color, strength: float, sigma: float) -> None:
        left, top, right, bottom = self._bounds(polygons, int(2.5 * sigma) + 2)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        inside = _split(polygons - (left << _SHIFT, top << _SHIFT))
        cv2.fillPoly(mask, inside, 255 * strength, cv2.LINE_AA, _SHIFT)
        mask = cv2.GaussianBlur(mask, (0, 0), sigma)
        blend(self.image[top:bottom, left:right], plain(mask.shape[0], mask.shape[1], color), mask)

    def strands(
        self,
        lines: np.ndarray,
        color: np.ndarray,
        levels: np.ndarray,
        width: float = 0.014,
        head: bool = False,
    ) -> None:
        """Draw hairs; with `head` they become part of the head."""
        width_px = width * self.scale
        thick = max(round(width_px), 1)
        paths = self.fixed(lines)
        if head:
            cv2.polylines(self.alpha, list(paths), False, 255, thick, cv2.LINE_AA, _SHIFT)
        order = np.argsort(levels, kind="stable")
        step = -(-len(order) // _TONES)
        for start in range(0, len(order), step):
            tone = order[start : start + step]
            level = 1 + (levels[tone[len(tone) // 2]] - 1) * min(width_px, 1.0)
            shade = np.maximum(color * level + 10 * (level - 1), 0)
            cv2.polylines(self.image, list(paths[tone]), False, _scalar(shade), thick, cv2.LINE_AA, _SHIFT)

    def fold(self, lines: np.ndarray, strengths: np.ndarray, widths: np.ndarray) -> None:
        """Fold the skin along lines that taper, on both sides alike."""
        paths = curve(lines)
        along = np.empty_like(paths)
        along[..., :-1, :] = paths[..., 1:, :] - paths[..., :-1, :]
        along[..., -1, :] = along[..., -2, :]
        half = np.maximum(widths * self.scale, 1.0) / (2 * self.scale)
        half = half[:, None] * _TAPER / np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)
        across = along[..., ::-1] * (1, -1) * half[..., None]
        ribbons = self.fixed(join(paths + across, paths - across))
        levels = 255 * np.minimum(strengths, 1) * np.minimum(widths * self.scale, 1)
        for left, right, level in zip(*ribbons, levels.tolist()):
            cv2.fillPoly(self.folds, [left, right], level, cv2.LINE_AA, _SHIFT)

    def open_window(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Open holes with the outlines [...,N,2]."""
        polygons = self.fixed(points)
        left, top, right, bottom = self._bounds(polygons, 2)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, _split(polygons - (left << _SHIFT, top << _SHIFT)), 255, cv2.LINE_AA, _SHIFT)
        return self.image[top:bottom, left:right], mask, np.array([left, top])

    def _bounds(self, polygons: np.ndarray, margin: int) -> tuple[int, int, int, int]:
        x, y, wide, tall = cv2.boundingRect(polygons.reshape(-1, 2))
        size = len(self.alpha)
        left, top = max((x >> _SHIFT) - margin, 0), max((y >> _SHIFT) - margin, 0)
        right, bottom = ((x + wide) >> _SHIFT) + margin + 2, ((y + tall) >> _SHIFT) + margin + 2
        return left, top, min(right, size), min(bottom, size)

    def _window(self, polygons: np.ndarray, margin: int) -> np.ndarray:
        left, top, right, bottom = self._bounds(polygons, margin)
        return self.image[top:bottom, left:right]
