"""Outline and ears of a drawn head, its hair, beard and glasses."""

from __future__ import annotations

import numpy as np

from fer_paddle.drawn.anatomy import Identity, mirror, unfold, view_sides
from fer_paddle.drawn.sheet import Sheet, curve, join

_ARC = np.column_stack([np.cos(np.linspace(np.pi, 0, 9)), -np.sin(np.linspace(np.pi, 0, 9))])
_CROWN = np.array([0.0, -0.15])
_EAR = curve([(0.03, -0.20), (-0.06, -0.24), (-0.115, -0.12), (-0.085, 0.08), (-0.03, 0.19), (0.03, 0.17)], closed=True)
_EAR_HOLLOW = curve([(-0.03, -0.195), (-0.08, -0.105), (-0.05, 0.045), (0.0, 0.128)])
_EAR_SHADE, _LINE_SHADE = np.array([0.86, 0.84, 0.95]), np.array([0.5, 0.5, 0.6])
_GLARE = np.array([(-0.12, 0.05), (-0.02, -0.09), (0.01, -0.09), (-0.09, 0.06)])
_CIRCLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_RING = np.column_stack([np.cos(_CIRCLE), np.sin(_CIRCLE)])


def skull_arc(width: float, extra: float = 0.0, low: float = -0.15) -> np.ndarray:
    """Return the head's upper outline from the viewer's left to the right: float64 [9,2] in face units."""
    arc = _ARC * (width * 1.03 + extra, 1.04 + extra) + _CROWN
    arc[0, 1] = arc[-1, 1] = low
    return arc


def draw_head_shape(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Mark the head and its ears on the sheet."""
    skin, width = identity.skin_bgr, points[16, 0]
    sheet.fill(unfold(np.stack([_EAR, _EAR]) - (width, 0.0)), skin * _EAR_SHADE, head=True)
    sheet.stroke(unfold(np.stack([_EAR_HOLLOW, _EAR_HOLLOW]) - (width, 0.0)), skin * _LINE_SHADE, 0.028)
    sheet.fill(join(curve(points[:17]), curve(skull_arc(width))), skin, head=True)


def draw_hair(sheet: Sheet, points: np.ndarray, identity: Identity, rng: np.random.Generator) -> None:
    """Draw the hair that lies before and on the head."""
    style, width = identity.hair, points[16, 0]
    if style in ("side", "long", "bob"):
        _draw_parted(sheet, width, identity, rng)
    elif style != "bald":
        _draw_cap(sheet, width, identity, rng)


def _draw_cap(sheet: Sheet, width: float, identity: Identity, rng: np.random.Generator) -> None:
    """Draw hair that grows from the hairline back over the head."""
    color, style = identity.hair_bgr, identity.hair
    bare = 0.16 * identity.age * (1 - identity.female)
    right = [(width + 0.005, -0.02), (width - 0.06, -0.34), (0.60, -0.62 - bare), (0.36, -0.80 - bare)]
    top = (0.3 * identity.part, -0.83 - 0.5 * bare)
    inner = curve(np.concatenate([mirror(right), [top], right[::-1]]))
    thickness = {"buzz": 0.02, "short": 0.08, "bun": 0.05}[style]
    outer = curve(skull_arc(width, thickness, inner[0, 1]))
    if style == "buzz":
        sheet.soft(join(inner, outer), color, 0.72, 0.03)
        return
    if style == "bun":
        sheet.fill(_RING * (0.25, 0.22) + (0.12 * identity.part, -1.33), color * 0.8, head=True)
    sheet.smooth_skin(join(inner, outer))
    sheet.fill(join(inner, outer), color * 0.9, head=True)
    sheet.soft(join(inner - (0, 0.03), inner + (0, 0.02)), color * 0.75, 0.7, 0.014)
    count = _hairs(sheet, 0.7)
    at = rng.integers(0, len(inner), count)
    share = rng.uniform(-0.05, 0.68, (count, 1)) + np.array([0.0, 0.19, 0.37])
    lines = inner[at, None] + (outer - inner)[at, None] * share[..., None]
    lines[:, 1:, 0] += 0.10 * identity.part * np.array([0.5, 1.0])
    sheet.strands(lines, color, rng.uniform(0.6, 1.4, count), head=True)


def _hairs(sheet: Sheet, density: float) -> int:
    """Return how many single hairs a sheet can show."""
    return int(min(max(sheet.scale * density, 16), 140))


def _draw_parted(sheet: Sheet, width: float, identity: Identity, rng: np.random.Generator) -> None:
    """Draw hair that falls to both sides from a parting; for the long styles past the face."""
    low, puff = {"side": (-0.04, 0.10), "bob": (0.72, 0.16), "long": (1.40, 0.15)}[identity.hair]
    bare = 0.12 * identity.age * (1 - identity.female)
    near, far = [], []
    for part in (0.42 * identity.part, -0.42 * identity.part):
        near.append([(part, -0.86 - bare), ((part - 0.62) * 0.5, -0.80 - bare), (-0.60, -0.56 - 0.6 * bare),
                     (-width + 0.06, -0.28)])  # fmt: skip
        far.append([(part, -1.20 - puff), (part * 0.5 - 0.42, -1.14 - puff), (-0.80 - 0.7 * puff, -0.72),
                    (-width - puff - 0.03, -0.28)])  # fmt: skip
        if low < 0:
            near[-1].append((-width + 0.02, low))
            far[-1].append((-width - 0.03, low))
        for share, sway in ((0.3, 1.0), (0.65, -1.0), (1.0, 0.5)) if low > 0 else ():
            x, y = -width + 0.035 * identity.part * sway, -0.28 + share * (low + 0.28)
            near[-1].append((x + 0.04 + 0.02 * share, y))
            far[-1].append((x - puff - 0.07 + 0.05 * share, y))
    _draw_locks(sheet, curve(near), curve(far), identity, rng)


def _draw_locks(sheet: Sheet, near: np.ndarray, far: np.ndarray, identity: Identity, rng: np.random.Generator) -> None:
    """Draw hair combed along two edges [2,M,2], `near` the face and `far` from it, both as on the left."""
    color, steps = identity.hair_bgr, near.shape[1]
    sheet.soft(unfold(join(near, near + (0.02, 0.05))), identity.skin_bgr * 0.4, 0.45, 0.02)
    locks = unfold(join(near, far))
    sheet.smooth_skin(locks)
    sheet.fill(locks, color * 0.88, head=True)
    shine = (0.5 * near + 0.5 * far)[:, steps // 6 : steps // 2]
    sheet.soft(unfold(join(shine, shine * 1.07)), color * 1.45 + 16, 0.35, 0.025)
    count = _hairs(sheet, 0.5)
    first = (rng.uniform(0, 0.7, count) * steps).astype(int)[:, None] + np.arange(0, max(steps // 3, 3), 2)
    first = np.minimum(first, steps - 1)
    lines = near[:, first] + (far - near)[:, first] * rng.uniform(0, 1.02, (2, count, 1, 1))
    lines = unfold(lines).reshape(-1, *lines.shape[2:])
    sheet.strands(lines, color, rng.uniform(0.55, 1.35, 2 * count))


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
    if identity.beard in ("full", "stubble"):
        full = identity.beard == "full"
        jaw = curve(points[1:16] * (1.0, 1.05 if full else 1.0))
        cheek = curve([(-0.66, 0.28), (-0.50, 0.46), (-out - 0.10, corner_y - 0.05), (0.0, low_y - 0.02),
                       (out + 0.10, corner_y - 0.05), (0.50, 0.46), (0.66, 0.28)])  # fmt: skip
        if full:
            sheet.fill(join(jaw, jaw - (0.0, 0.12)), color, head=True)
        tone = color if full else identity.skin_bgr * 0.45 + 0.4 * color
        sheet.soft(join(jaw, cheek), tone, 0.94 if full else 0.38, 0.04)
        sheet.soft(moustache, tone, 0.85 if full else 0.38, 0.025)
    else:
        sheet.soft(moustache, color, 0.9, 0.02)


def draw_glasses(sheet: Sheet, points: np.ndarray, identity: Identity) -> None:
    """Draw glasses over finished eyes."""
    if identity.glasses == "none":
        return
    frame = np.minimum(identity.cloth_bgr * 0.35, 70)
    half, power = ((0.205, 0.135), 0.5) if identity.glasses == "rectangle" else ((0.185, 0.175), 1.0)
    lens = np.sign(_RING) * np.abs(_RING) ** power * half
    views = view_sides(points)
    centre = np.stack([views[:, 36:42, 0].mean(1), np.full(2, -0.125)], axis=1)[:, None]
    rims = unfold(centre + lens)
    sheet.soft(rims, (255, 250, 245), 0.07)
    sheet.soft(unfold(centre + _GLARE), (255, 255, 255), 0.2)
    sheet.stroke(rims, frame, 0.03, closed=True)
    arms = np.concatenate([centre - (half[0], 0.03), views[:, :1] * (1.0, 0.0) - (0.0, 0.17)], axis=1)
    bridge = np.concatenate([centre + (half[0], -0.02), centre * (0.0, 1.0) - (0.0, 0.05)], axis=1)
    sheet.stroke(unfold(np.stack([arms, bridge], axis=1)), frame, 0.03)
