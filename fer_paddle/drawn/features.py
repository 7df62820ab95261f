"""Draw a head: its outline and ears, eyes, brows, nose, mouth, hair, beard and glasses."""

from __future__ import annotations

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import Identity, mirror, unfold, view_sides
from fer_paddle.drawn.sheet import Sheet, blend, curve, fill_fixed, fixed, join, plain

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
_SPOT = np.array([(-0.02, 0.0), (0.0, -0.013), (0.02, 0.0), (0.0, 0.013)])
_LID_FOLD = np.array([(0.0, -0.26), (0.005, -0.22), (0.0, -0.22), (0.02, -0.20)])
_LIDS = np.array([(36, 37, 38, 39), (36, 41, 40, 39), (36, 37, 38, 39)])
_BROW_PROFILE = curve([(0, 0.35), (0, 0.75), (0, 1.0), (0, 1.1), (0, 0.9)])  # half its thickness along a brow
_TONGUE = curve([(-0.3, 0.1), (-0.2, -0.22), (0.0, -0.28), (0.2, -0.22), (0.3, 0.1)])
_ARC = np.column_stack([np.cos(np.linspace(np.pi, 0, 9)), -np.sin(np.linspace(np.pi, 0, 9))])
_CROWN = np.array([0.0, -0.15])
_EAR = curve([(0.03, -0.20), (-0.06, -0.24), (-0.115, -0.12), (-0.085, 0.08), (-0.03, 0.19), (0.03, 0.17)], closed=True)
_EAR_SHADE = np.array([0.86, 0.84, 0.95])
_CIRCLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])


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
    centers = sheet.pixels(unfold((views[:, 36:37] + views[:, 39:40]) / 2) + gaze - (0.0, 0.018)) - corner
    blend(window, _eyeballs(mask.shape, fixed(centers[:, 0]).tolist(), sheet.scale, identity), mask)
    skin, dark = identity.skin_bgr, np.minimum(identity.hair_bgr, 60) * 0.6
    sheet.soft(join(fold, upper), skin * _LID_SHADE, 0.45)
    sheet.stroke(fold, skin * _LINE_SHADE, 0.014)
    sheet.stroke(lower, skin * _LINE_SHADE, 0.012 + 0.008 * identity.female)
    lash = unfold(views[:, 36:37] - (0.022 + 0.02 * identity.female, 0.008 + 0.012 * identity.female))
    sheet.stroke(np.concatenate([lash, upper], axis=1), dark, 0.022 + 0.014 * identity.female)


def _eyeballs(shape: tuple[int, ...], centers: list[list[int]], scale: float, identity: Identity) -> np.ndarray:
    """Draw white, irises, pupils and glints in a window: uint8 [h,w,3]; centers in cv2's fixed point."""
    balls = plain(shape[0], shape[1], _WHITE_BGR * (0.95 - 0.1 * identity.age))
    radius = 16 * _IRIS_RADIUS * (1 + 0.05 * identity.shape["eye_size"]) * scale
    iris = identity.iris_bgr
    discs = (
        (iris * 0.45, 1.0, 0.0, 0.0),
        (iris, 0.84, 0.0, 0.0),
        (iris * 1.3 + 10, 0.60, 0.0, 0.16),
        ((9, 9, 9), 0.46, 0.0, 0.0),
        ((250, 250, 250), max(0.2, 8 / radius), -0.32, -0.34),
    )
    for x, y in centers:
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


def _draw_nostrils(sheet: Sheet, views: np.ndarray, identity: Identity) -> None:
    skin, wing, base = identity.skin_bgr, views[:, 31:32], views[:, 32:33]
    sheet.stroke(unfold(wing + _WING), skin * _LINE_SHADE, 0.014)
    sheet.soft(unfold((wing + base) / 2 + _NOSTRIL), skin * _DARK_SHADE, 0.9, 0.006)


def _draw_mouth(sheet: Sheet, points: np.ndarray, identity: Identity, units: dict[int, float]) -> None:
    top, low = curve(points[_OUTER_LIPS])
    inner_top, inner_low = curve(points[_INNER_LIPS])
    paint = 0.22 + 0.3 * identity.female * (identity.shape["lips"] > -0.3)
    lips = identity.skin_bgr * (1 - paint) * _LIP_SHADE + _LIP_PAINT * paint
    sheet.soft(join(top, inner_top), lips * 0.82, 0.95, 0.010)
    sheet.soft(join(inner_low, low), lips, 0.92, 0.012)
    gap = (points[65:68, 1].sum() - points[61:64, 1].sum()) / 3
    if gap > 0.016:
        _draw_inside(sheet, points, join(inner_top, inner_low), gap, units)
    else:
        sheet.stroke(inner_top, lips * _DARK_SHADE, 0.017)
    sheet.soft(points[[48, 54], None] + _SPOT, lips * 0.3, 0.7, 0.010)


def _draw_inside(sheet: Sheet, points: np.ndarray, lips: np.ndarray, gap: float, units: dict[int, float]) -> None:
    """Draw teeth and tongue within the lips of an open mouth."""
    window, mask, corner = sheet.open_window(lips)
    inside = plain(mask.shape[0], mask.shape[1], _MOUTH_BGR)

    def fill(shape: np.ndarray, color: np.ndarray) -> None:
        fill_fixed(inside, fixed(sheet.pixels(shape) - corner), color)

    left, right, root, low = points[[60, 64, 62, 66]]
    width, middle = right[0] - left[0], (left + right) / 2
    if gap > 0.10:
        fill(low + _TONGUE * (width, gap), _TONGUE_BGR)
    bared = max(units.get(12, 0.0), units.get(10, 0.0), 0.75 * units.get(20, 0.0), units.get(16, 0.0), 0.35)
    teeth = min(0.12, (0.2 + 0.75 * bared) * gap if gap < 0.16 else 0.035 + 0.075 * bared)
    # The edge of the teeth is flatter than the lip above them: it follows half of the smile's bend.
    bend = 0.5 * min(middle[1] - root[1], 0.0)
    ends = np.array([(left[0], bend), (middle[0], 0.0), (right[0], bend)])
    edge = curve(ends + (0.0, root[1] + teeth))
    fill(join(edge - (0.0, 1.0), edge), _TEETH_BGR)
    blend(window, inside, mask)


def skull_arc(width: float, extra: float = 0.0, low: float = -0.15) -> np.ndarray:
    """Return the head's upper outline from the viewer's left to the right: float64 [9,2] in face units."""
    arc = _ARC * (width * 1.03 + extra, 1.04 + extra) + _CROWN
    arc[0, 1] = arc[-1, 1] = low
    return arc


def draw_head_shape(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Mark the head and its ears on the sheet."""
    skin, width = identity.skin_bgr, points[16, 0]
    sheet.fill(unfold(np.stack([_EAR, _EAR]) - (width, 0.0)), skin * _EAR_SHADE, head=True)
    sheet.fill(join(curve(points[:17]), curve(skull_arc(width))), skin, head=True)


def draw_hair(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Draw the hair that lies before and on the head."""
    if identity.hair in ("side", "long"):
        _draw_parted(sheet, points[16, 0], identity)
    elif identity.hair != "bald":
        _draw_cap(sheet, points[16, 0], identity)


def _draw_cap(sheet: Sheet, width: float, identity: Identity) -> None:
    """Draw hair that grows from the hairline back over the head."""
    color = identity.hair_bgr
    bare = 0.16 * identity.age * (1 - identity.female)
    right = [(width + 0.005, -0.02), (width - 0.06, -0.34), (0.60, -0.62 - bare), (0.36, -0.80 - bare)]
    top = (0.3 * identity.part, -0.83 - 0.5 * bare)
    inner = curve(np.concatenate([mirror(right), [top], right[::-1]]))
    outer = curve(skull_arc(width, 0.08, inner[0, 1]))
    if identity.hair == "bun":
        sheet.fill(_RING * (0.25, 0.22) + (0.12 * identity.part, -1.33), color * 0.8, head=True)
    sheet.fill(join(inner, outer), color * 0.9, head=True)
    sheet.soft(join(inner - (0, 0.03), inner + (0, 0.02)), color * 0.75, 0.7, 0.014)


def _draw_parted(sheet: Sheet, width: float, identity: Identity) -> None:
    """Draw hair that falls to both sides from a parting; long hair past the face."""
    color, low, puff = identity.hair_bgr, *((-0.04, 0.10) if identity.hair == "side" else (1.40, 0.15))
    bare = 0.12 * identity.age * (1 - identity.female)
    edges: list[list[list[tuple[float, float]]]] = [[], []]  # near the face and far from it, both sides as the left one
    for part in (0.42 * identity.part, -0.42 * identity.part):
        near = [(part, -0.86 - bare), ((part - 0.62) * 0.5, -0.80 - bare), (-0.60, -0.56 - 0.6 * bare)]
        far = [(part, -1.20 - puff), (part * 0.5 - 0.42, -1.14 - puff), (-0.80 - 0.7 * puff, -0.72)]
        near.append((-width + 0.06, -0.28))
        far.append((-width - puff - 0.03, -0.28))
        if low < 0:
            near.append((-width + 0.02, low))
            far.append((-width - 0.03, low))
        for share, sway in ((0.3, 1.0), (0.65, -1.0), (1.0, 0.5)) if low > 0 else ():
            x, y = -width + 0.035 * identity.part * sway, -0.28 + share * (low + 0.28)
            near.append((x + 0.04 + 0.02 * share, y))
            far.append((x - puff - 0.07 + 0.05 * share, y))
        edges[0].append(near)
        edges[1].append(far)
    inner, outer = curve(edges)
    sheet.soft(unfold(join(inner, inner + (0.02, 0.05))), identity.skin_bgr * 0.4, 0.45, 0.02)
    locks = unfold(join(inner, outer))
    sheet.fill(locks, color * 0.88, head=True)
    shine = (0.5 * inner + 0.5 * outer)[:, inner.shape[1] // 6 : inner.shape[1] // 2]
    sheet.soft(unfold(join(shine, shine * 1.07)), color * 1.45 + 16, 0.35, 0.025)


def draw_beard(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Draw a beard; to be called before the mouth is drawn."""
    if identity.beard == "none":
        return
    nose_y, top_y, low_y = points[[33, 51, 57], 1]
    out, corner_y = points[54]
    moustache = curve([(-out - 0.05, corner_y + 0.03), (-0.13, nose_y + 0.07), (0, nose_y + 0.06),
                       (0.13, nose_y + 0.07), (out + 0.05, corner_y + 0.03), (0.0, top_y + 0.02)],
                      closed=True)  # fmt: skip
    color = identity.hair_bgr * 0.8
    if identity.beard == "full":
        jaw = curve(points[1:16] * (1.0, 1.05))
        cheek = curve([(-0.66, 0.28), (-0.50, 0.46), (-out - 0.10, corner_y - 0.05), (0.0, low_y - 0.02),
                       (out + 0.10, corner_y - 0.05), (0.50, 0.46), (0.66, 0.28)])  # fmt: skip
        sheet.fill(join(jaw, jaw - (0.0, 0.12)), color, head=True)
        sheet.soft(join(jaw, cheek), color, 0.94, 0.04)
    sheet.soft(moustache, color, 0.88, 0.02)


def draw_glasses(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Draw glasses over finished eyes."""
    if identity.glasses == "none":
        return
    frame = np.minimum(identity.cloth_bgr * 0.35, 70)
    half, power = ((0.205, 0.135), 0.5) if identity.glasses == "rectangle" else ((0.185, 0.175), 1.0)
    lens = np.sign(_RING) * np.abs(_RING) ** power * half
    views = view_sides(points)
    center = np.stack([views[:, 36:42, 0].mean(1), np.full(2, -0.125)], axis=1)[:, None]
    rims = unfold(center + lens)
    sheet.soft(rims, (255, 250, 245), 0.07)
    sheet.stroke(rims, frame, 0.03, closed=True)
    arms = np.concatenate([center - (half[0], 0.03), views[:, :1] * (1.0, 0.0) - (0.0, 0.17)], axis=1)
    bridge = np.concatenate([center + (half[0], -0.02), center * (0.0, 1.0) - (0.0, 0.05)], axis=1)
    sheet.stroke(unfold(np.stack([arms, bridge], axis=1)), frame, 0.03)
