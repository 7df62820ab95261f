"""Eyes, brows, nose and mouth of a drawn face."""

from __future__ import annotations

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import Identity, unfold, view_sides
from fer_paddle.drawn.sheet import (
    Sheet,
    blend,
    curve,
    fill_pixels,
    fixed,
    join,
    plain,
    stroke_pixels,
)

_TEETH_BGR = np.array([210.0, 226.0, 232.0])
_MOUTH_BGR = np.array([28.0, 24.0, 62.0])
_TONGUE_BGR = np.array([88.0, 82.0, 172.0])
_WHITE_BGR = np.array([232.0, 235.0, 238.0])
_LID_SHADE, _LINE_SHADE = np.array([0.82, 0.84, 0.90]), np.array([0.52, 0.50, 0.63])
_DARK_SHADE = np.array([0.24, 0.22, 0.31])
_LIP_SHADE, _LIP_PAINT = np.array([0.84, 0.80, 0.95]), np.array([88.0, 72.0, 176.0])
_IRIS_RADIUS = 0.080
_OUTER_LIPS = np.array([(48, 49, 50, 51, 52, 53, 54), (48, 59, 58, 57, 56, 55, 54)])
_INNER_LIPS = np.array([(60, 61, 62, 63, 64), (60, 67, 66, 65, 64)])
_WING = curve([(0.015, -0.095), (-0.018, -0.05), (-0.012, 0.0), (0.03, 0.012)])
_NOSTRIL = curve([(-0.018, -0.002), (0.008, -0.024), (0.048, -0.012), (0.044, 0.004), (0.008, 0.006)], closed=True)
_GLEAM = curve([(-1.0, -0.004), (0.0, -0.016), (1.0, -0.004), (0.0, 0.014)], closed=True)
_SPOT = np.array([(-0.02, 0.0), (0.0, -0.013), (0.02, 0.0), (0.0, 0.013)])
_LID_FOLD = np.array([(0.0, -0.26), (0.005, -0.22), (0.0, -0.22), (0.02, -0.20)])
_LIDS = np.array([(36, 37, 38, 39), (36, 41, 40, 39), (36, 37, 38, 39)])
_PUPIL_SHIFT = np.array([0.0, -0.018])
_BROW_PROFILE = np.zeros((21, 2))
_BROW_PROFILE[:, 1] = np.interp(np.linspace(0, 1, 21), [0, 0.25, 0.6, 0.9, 1], [0.35, 0.75, 1.0, 1.1, 0.9])
_TONGUE = curve([(-0.3, 0.1), (-0.2, -0.22), (0.0, -0.28), (0.2, -0.22), (0.3, 0.1)])
_TOOTH_SCALE = 45.0  # the same for single teeth
_HAIR_SCALE = 60.0  # pixels of a face unit from which on single hairs of a brow are seen


def draw_features(
    sheet: Sheet, points: np.ndarray, identity: Identity, units: dict[int, float], gaze: tuple[float, float]
) -> None:
    """Draw brows, eyes, nose and mouth."""
    views = view_sides(points)
    _draw_eyes(sheet, views, identity, gaze)
    _draw_brows(sheet, views, identity)
    _draw_nostrils(sheet, views, identity)
    _draw_mouth(sheet, points, identity, units)


def _draw_eyes(sheet: Sheet, views: np.ndarray, identity: Identity, gaze: tuple[float, float]) -> None:
    edges = views[:, _LIDS]
    # The fold above the lid sinks under a lowered brow and opens with raised lids.
    room = np.maximum(views[:, 36:40, 1].sum(1) - views[:, 18:22, 1].sum(1), 0.2) / 4
    edges[:, 2] += _LID_FOLD * room[:, None, None]
    upper, lower, fold = unfold(curve(edges)).swapaxes(0, 1)
    window, mask, corner = sheet.open_window(join(upper, lower))
    centres = sheet.pixels(unfold((views[:, 36:37] + views[:, 39:40]) / 2) + gaze + _PUPIL_SHIFT) - corner
    blend(window, _eyeballs(mask.shape, fixed(centres[:, 0]).tolist(), sheet.scale, identity), mask)
    skin, dark = identity.skin_bgr, np.minimum(identity.hair_bgr, 60) * 0.6
    sheet.soft(join(fold, upper), skin * _LID_SHADE, 0.45)
    sheet.stroke(fold, skin * _LINE_SHADE, 0.014)
    sheet.stroke(lower, skin * _LINE_SHADE, 0.012 + 0.008 * identity.female)
    lash = unfold(views[:, 36:37] - (0.022 + 0.02 * identity.female, 0.008 + 0.012 * identity.female))
    sheet.stroke(np.concatenate([lash, upper], axis=1), dark, 0.022 + 0.014 * identity.female)


def _eyeballs(shape: tuple[int, ...], centres: list[list[int]], scale: float, identity: Identity) -> np.ndarray:
    """Draw white, irises, pupils and glints in a window: uint8 [h,w,3]; centres in cv2's fixed point."""
    balls = plain(shape[0], shape[1], _WHITE_BGR * (0.95 - 0.1 * identity.age))
    radius = 16 * _IRIS_RADIUS * (1 + 0.05 * identity.shape["eye_size"]) * scale
    iris = identity.iris_bgr
    discs = (
        ((iris * 0.45).tolist(), 1.0, 0.0, 0.0),
        (iris.tolist(), 0.84, 0.0, 0.0),
        ((iris * 1.3 + 10).tolist(), 0.60, 0.0, 0.16),
        ((9, 9, 9), 0.46, 0.0, 0.0),
        ((250, 250, 250), max(0.2, 8 / radius), -0.32, -0.34),
    )
    for x, y in centres:
        for color, size, dx, dy in discs:
            place = int(x + dx * radius), int(y + dy * radius)
            cv2.circle(balls, place, int(size * radius), color, -1, cv2.LINE_AA, 4)
    lid_shadow = balls[: max(shape[0] // 3, 1)]
    cv2.multiply(lid_shadow, (0.75, 0.75, 0.75, 0.0), dst=lid_shadow)
    return balls


def _draw_brows(sheet: Sheet, views: np.ndarray, identity: Identity) -> None:
    line = curve(views[:, 17:22])
    half = _BROW_PROFILE * (0.036 * (1.15 + 0.35 * identity.shape["brow_weight"] - 0.45 * identity.female))
    color = identity.hair_bgr * 0.62 + identity.skin_bgr * 0.08
    sheet.soft(unfold(join(line - 0.7 * half, line + 1.2 * half)), color, 0.88, 0.010)
    if sheet.scale > _HAIR_SCALE:
        share = np.linspace(0.02, 0.98, 26)
        at = (share * (line.shape[1] - 1)).astype(int)
        jitter = 0.006 * np.sin(17.0 * np.arange(26))[:, None]
        root, tip = line[:, at] + 1.1 * half[at] + (0.014, 0.0), line[:, at] - 0.7 * half[at] - (0.022, 0.0)
        tip[..., 1] += 0.018 * (1 - 2 * share)
        sheet.stroke(unfold(np.stack([root, tip], axis=2) + jitter[:, None]), color * 0.7, 0.006)


def _draw_nostrils(sheet: Sheet, views: np.ndarray, identity: Identity) -> None:
    skin, wing, base, tip = identity.skin_bgr, views[:, 31:32], views[:, 32:33], views[:, 33:34]
    sheet.stroke(unfold(wing + _WING), skin * _LINE_SHADE, 0.014)
    under = np.concatenate([wing, base, tip, tip + (0.0, 0.03), wing + (0.0, 0.02)], axis=1)
    sheet.soft(unfold(under), skin * _LINE_SHADE, 0.35, 0.013)
    sheet.soft(unfold((wing + base) / 2 + _NOSTRIL), skin * _DARK_SHADE, 0.9, 0.006)


def lip_color(identity: Identity) -> np.ndarray:
    """Return the colour of the lips: redder and a little darker than the skin, float64 [3] BGR."""
    paint = 0.22 + 0.3 * identity.female * (identity.shape["lips"] > -0.3)
    return identity.skin_bgr * (1 - paint) * _LIP_SHADE + _LIP_PAINT * paint


def _draw_mouth(sheet: Sheet, points: np.ndarray, identity: Identity, units: dict[int, float]) -> None:
    top, low = curve(points[_OUTER_LIPS])
    inner_top, inner_low = curve(points[_INNER_LIPS])
    lips = lip_color(identity)
    sheet.soft(join(top, inner_top), lips * 0.82, 0.95, 0.010)
    sheet.soft(join(inner_low, low), lips, 0.92, 0.012)
    reach = 0.22 * (points[54, 0] - points[48, 0])
    gleam = (points[57] + points[66]) / 2 + _GLEAM * (reach, 1.0)
    sheet.soft(gleam, np.minimum(lips * 1.25 + 18, 255), 0.5, 0.014)
    gap = (points[65:68, 1].sum() - points[61:64, 1].sum()) / 3
    if gap > 0.016:
        _draw_inside(sheet, points, inner_top, inner_low, gap, units)
    else:
        sheet.stroke(inner_top, lips * _DARK_SHADE, 0.017)
    sheet.soft(points[[48, 54], None] + _SPOT, lips * 0.3, 0.7, 0.010)


def _draw_inside(
    sheet: Sheet,
    points: np.ndarray,
    inner_top: np.ndarray,
    inner_low: np.ndarray,
    gap: float,
    units: dict[int, float],
) -> None:
    """Draw teeth and tongue within the lips of an open mouth."""
    window, mask, corner = sheet.open_window(join(inner_top, inner_low))
    inside = plain(mask.shape[0], mask.shape[1], _MOUTH_BGR)

    def place(shape: np.ndarray) -> np.ndarray:
        return sheet.pixels(shape) - corner

    left, right, root, low = points[[60, 64, 62, 66]]
    width, middle = right[0] - left[0], (left + right) / 2
    if gap > 0.10:
        fill_pixels(inside, place(low + _TONGUE * (width, gap)), _TONGUE_BGR)
    bared = max(units.get(12, 0.0), units.get(10, 0.0), 0.75 * units.get(20, 0.0), units.get(16, 0.0), 0.35)
    teeth = min(0.12, (0.2 + 0.75 * bared) * gap if gap < 0.16 else 0.035 + 0.075 * bared)
    # The edge of the teeth is flatter than the lip above them: it follows half of the smile's bend.
    bend = 0.5 * min(middle[1] - root[1], 0.0)
    ends = np.array([(left[0], bend), (middle[0], 0.0), (right[0], bend)])
    edge = curve(ends + (0.0, root[1] + teeth))
    fill_pixels(inside, place(join(edge - (0.0, 1.0), edge)), _TEETH_BGR)
    if sheet.scale > _TOOTH_SCALE:
        for x in middle[0] + 0.056 * np.arange(-4, 5):
            gap_line = place(np.array([(x, root[1] - 0.1), (x, root[1] + teeth - 0.01)]))
            stroke_pixels(inside, gap_line, _TEETH_BGR * 0.84, 1)
    if units.get(16, 0.0) + 0.4 * units.get(20, 0.0) > 0.3:
        edge = ends * (1.0, -1.0) + (0.0, low[1] - 0.4 * teeth)
        fill_pixels(inside, place(join(edge, edge + (0.0, 1.0))), _TEETH_BGR * 0.86)
    across = (np.arange(mask.shape[1]) + 0.5 - place(middle)[0]) / max(width * sheet.scale / 2, 1)
    dim = np.maximum(1 - 0.5 * across**2, 0.35) * np.minimum(np.linspace(0.72, 1.6, len(mask)), 1)[:, None]
    blend(window, (inside * dim[..., None]).astype(np.uint8), mask)
