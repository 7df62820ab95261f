"""The skin of a drawn head: its relief, its folds and the light on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import FOLDS, MIRROR, Identity, unfold, view_sides
from fer_paddle.drawn.camera import Light, Pose
from fer_paddle.drawn.sheet import ORIGIN, SPAN, Sheet

_GRID = 48
_CELL = SPAN / _GRID
_X = ((np.arange(_GRID, dtype=np.float32) + 0.5) * _CELL + ORIGIN[0]).astype(np.float32)
_Y = ((np.arange(_GRID, dtype=np.float32) + 0.5) * _CELL + ORIGIN[1]).astype(np.float32)
_SKULL = 0.95 * np.sqrt(np.clip(1 - (_X / 1.02) ** 2 - ((_Y[:, None] + 0.12) / 1.32) ** 2, 0.06, None))

# Folds of the viewer's left half: the landmarks their four control points hang on, their shifts in face units, their
# widths, and how their depth grows with action units, age and always.
_ANCHORS, _SHIFTS, _WIDTHS = (np.array([row[name] for row in FOLDS]) for name in ("anchors", "shifts", "width"))
_CAUSES = sorted({cause for row in FOLDS for cause in row["depth"]}, key=str)
_WEIGHTS = np.array([[row["depth"].get(cause, 0.0) for cause in _CAUSES] for row in FOLDS])
_SHALLOW = 0.10  # folds of less depth are left out
# Depth of a fold -> light left there; red light goes least, as skin lets it through.
_FOLD_LIGHT = (255 - np.arange(256)[None, :, None] * [0.78, 0.74, 0.56]).astype(np.uint8)


def fold_skin(sheet: Sheet, points: np.ndarray, identity: Identity, units: dict[int, float]) -> None:
    """Fold the sheet where the muscles and the years fold the skin of points [68,2]."""
    causes: dict[Any, float] = {**units, "age": identity.age**1.5, "always": 1.0}
    strengths = np.minimum(_WEIGHTS @ [causes.get(cause, 0.0) for cause in _CAUSES], 0.8)
    deep = np.flatnonzero(strengths > _SHALLOW)
    sheet.fold(unfold(view_sides(points)[:, _ANCHORS[deep]] + _SHIFTS[deep]), strengths[deep], _WIDTHS[deep])


def _bumps(middle: list[list[float]], identity: Identity, units: dict[int, float]) -> list[tuple[float, ...]]:
    """List the hills and hollows of a face."""
    brow_y, inner_y, nose_y, lip_top, lip_low, chin_y = (middle[point][1] for point in (24, 22, 33, 51, 57, 8))
    (eye_x, eye_y), (wing_x, wing_y), (corner_x, corner_y) = np.mean(middle[42:48], 0).tolist(), middle[35], middle[54]
    smile, raised, wrinkled, frown = (units.get(unit, 0.0) for unit in (12, 6, 9, 4))
    man, age, jaw = 1 - identity.female, identity.age, identity.shape["jaw"]
    return [
        (eye_x - 0.03, brow_y + 0.05, 0.20, 0.06, 0.045 + 0.03 * man + 0.02 * frown),
        (0.10, inner_y + 0.06, 0.07, 0.06, 0.03 * man + 0.05 * frown + 0.04 * wrinkled),
        (eye_x, eye_y - 0.015, 0.19, 0.11, -0.105 - 0.02 * identity.shape["depth"]),
        (eye_x - 0.17, eye_y, 0.06, 0.09, -0.07),
        (eye_x, eye_y, 0.115, 0.075, 0.055),
        (eye_x, eye_y + 0.12, 0.13, 0.035, 0.012 + 0.022 * age + 0.035 * raised),
        (0.0, eye_y + 0.16, 0.062, 0.17, 0.13),
        (0.0, nose_y - 0.11, 0.085, 0.085, 0.17),
        (wing_x - 0.02, wing_y - 0.025, 0.045, 0.05, 0.055 + 0.02 * wrinkled),
        (0.45, 0.17 - 0.05 * raised, 0.17, 0.15, 0.075 + 0.05 * smile + 0.04 * raised + 0.03 * wrinkled),
        (0.55, 0.60, 0.12, 0.20, -0.045 - 0.02 * age + 0.03 * jaw),
        (0.0, (lip_top + lip_low) / 2, 0.24, 0.17, 0.075),
        (0.0, lip_low - 0.05, corner_x * 0.5, 0.04, 0.045),
        (corner_x + 0.03, corner_y, 0.05, 0.05, -0.03 - 0.02 * smile),
        (0.0, lip_low + 0.06, 0.15, 0.04, -0.05),
        (0.0, chin_y - 0.13, 0.16, 0.10, 0.085 + 0.03 * man),
    ]


def _heap(rows: Sequence[tuple[float, ...]]) -> np.ndarray:
    """Sum bell-shaped hills (x, y, width, height, amount), both sides: float32 [_GRID,_GRID]."""
    both = [*rows, *((-row[0], *row[1:]) for row in rows if row[0])]
    x, y, width, height, amount = np.array(both, np.float32).T[..., None]
    across, down = amount * np.exp(-0.5 * ((_X - x) / width) ** 2), np.exp(-0.5 * ((_Y - y) / height) ** 2)
    # einsum, not @: a product of BLAS may differ in the last bit with the number of threads.
    return np.einsum("ky,kx->yx", down, across)


# Where blood colors the skin: cheeks, nose, ears.
_FLUSH = _heap([(0.43, 0.19, 0.14, 0.10, 0.08), (0.0, 0.24, 0.08, 0.07, 0.065), (0.87, 0.0, 0.06, 0.15, 0.08)])


def relight(
    sheet: Sheet, points: np.ndarray, identity: Identity, units: dict[int, float], light: Light, pose: Pose
) -> np.ndarray:
    """Light a drawn sheet."""
    middle = view_sides(points).mean(axis=0)[MIRROR].tolist()
    relief = _SKULL + _heap(_bumps(middle, identity, units))
    right, down = (cv2.Sobel(relief, cv2.CV_32F, dx, 1 - dx, scale=1 / (8 * _CELL)) for dx in (1, 0))
    lamp = (pose.rotation.T @ light.direction).astype(np.float32)
    facing = (lamp[2] - lamp[0] * right - lamp[1] * down) / np.sqrt(1 + right * right + down * down)
    facing = np.maximum(facing, 0)
    shade = light.ambient + (1.12 - light.ambient) * facing
    gloss = facing * facing * facing
    gloss *= gloss
    shade += (0.2 - 0.2 * light.ambient) * gloss * gloss
    # Light that enters skin comes out red: blue loses most in the shade.
    blue, green, red = light.tint_bgr.astype(np.float32)
    shades = [blue * shade * (0.74 + 0.26 * shade - _FLUSH), green * shade * (0.88 + 0.12 * shade - _FLUSH),
              red * shade * (1.05 - 0.05 * shade + 0.3 * _FLUSH)]  # fmt: skip
    size = sheet.image.shape[1::-1]
    folds, blur = sheet.folds, 0.011 * sheet.scale
    if blur > 0.5:
        folds = cv2.GaussianBlur(folds, (0, 0), blur)
    folds = cv2.LUT(cv2.cvtColor(folds, cv2.COLOR_GRAY2BGR), _FOLD_LIGHT)
    lit = cv2.multiply(sheet.image, folds, scale=1 / 255)
    return cv2.multiply(lit, cv2.resize(cv2.merge(shades), size), dtype=cv2.CV_8U)
