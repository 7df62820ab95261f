"""A drawn person in a picture: body, neck, head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import Identity, mirror, resting_points
from fer_paddle.drawn.camera import Light, Pose
from fer_paddle.drawn.features import draw_features
from fer_paddle.drawn.hair import (
    draw_beard,
    draw_glasses,
    draw_hair,
    draw_head_shape,
    skull_arc,
)
from fer_paddle.drawn.muscles import pose_muscles, sample_units
from fer_paddle.drawn.sheet import ORIGIN, SPAN, Sheet, blend, curve, fill_fixed, fixed, join
from fer_paddle.drawn.skin import fold_skin, relight

HEAD_REACH = 1.75  # face units around the origin that a head with hair and hat can cover
_FINENESS = 0.92  # pixels of the sheet for a pixel of the picture
_MIN_SHEET, _MAX_SHEET = 64, 1200
_FOREHEAD_SHARE = np.array([(1.0, 0.0), (0.77, 0.0), (0.2, 0.0), (0.2, 0.0), (0.77, 0.0), (1.0, 0.0)])
_FOREHEAD_LIFT = np.array([(0, -0.45), (0, -0.65), (0, -0.80), (0, -0.80), (0, -0.65), (0, -0.45)])
_HIP_Y = 15.5
_CHEST = -0.3  # depth of neck and chest against the face
_CIRCLE = np.linspace(0, 2 * np.pi, 40)
_NECK_SHADE, _NECK_DARK = np.array([0.78, 0.80, 0.86]), np.array([0.50, 0.53, 0.62])
# The outline of a trunk from neck to hip: what is fixed, what grows with the neck and with the shoulders.
_SIDE = curve([(-0.05, 1.22), (-0.30, 1.40), (0.3, 1.68), (0.0, 2.3), (0.2, 4.0), (0.45, 6.0), (0.35, _HIP_Y)])
_SIDE_BY_NECK = curve([(-1.0, 0.0), (-1.0, 0.0), *[(0.0, 0.0)] * 5])
_SIDE_BY_SHOULDERS = curve([(0.0, 0.0), (0.0, 0.0), *[(-1.0, 0.0)] * 5])
_NAPE = np.array([(0.0, 0.5)])
_NECK = np.array([(-1.0, 0.55), (-1.0, 1.05), (-1.4, 1.45), (0, 1.75), (1.4, 1.45), (1.0, 1.05), (1.0, 0.55)])
_NECK_SHADOW = curve([(-1.0, 0.55), (-1.0, 1.05), (0, 1.22), (1.0, 1.05), (1.0, 0.55)])
_SKULL = np.column_stack([0.75 * np.cos(_CIRCLE), -0.30 + 0.84 * np.sin(_CIRCLE)])


@dataclass(frozen=True)
class Person:
    """A person with an expression, not yet placed in a picture."""

    identity: Identity
    units: dict[int, float]
    points: np.ndarray
    at_rest: np.ndarray
    gaze: tuple[float, float]


def sample_person(identity: Identity, rng: np.random.Generator, expression: int, intensity: float) -> Person:
    """Draw how a person shows an expression (an index into EXPRESSIONS) at an intensity from 0 to 1."""
    units = sample_units(rng, expression, intensity)
    gaze = np.clip(rng.standard_normal(2) * (0.016, 0.006), -0.03, 0.03)
    at_rest = resting_points(identity)
    return Person(identity, units, pose_muscles(at_rest, identity, units), at_rest, tuple(gaze.tolist()))


def face_box(points: np.ndarray, pose: Pose) -> np.ndarray:
    """Return boxes of faces, forehead to chin and ear to ear."""
    # The forehead has no landmarks: its outline follows from the width of the head.
    forehead = points[..., [0, 0, 0, 16, 16, 16], :] * _FOREHEAD_SHARE + _FOREHEAD_LIFT
    seen = pose.project(np.concatenate([points, forehead], axis=-2))
    return np.concatenate([seen.min(-2), seen.max(-2)], axis=-1)


def paint_body(canvas: np.ndarray, person: Person, pose: Pose, light: Light, rng: np.random.Generator) -> None:
    """Paint what is seen behind and under a head: hair, skull, neck, shoulders and chest."""
    identity = person.identity
    # The neck stands under the middle of the skull, which lies behind the face.
    trunk = Pose(0.3 * pose.yaw_deg, 0.0, 0.25 * pose.roll_deg, pose.scale)
    shift = pose.project(_NAPE, -0.65) - trunk.project(_NAPE, -0.65 - _CHEST)
    trunk = replace(trunk, centre=tuple(shift[0].tolist()))
    glow = light.tint_bgr * (0.55 * light.ambient + 0.5)
    _paint_back(canvas, person, pose, glow)
    skin = identity.skin_bgr * glow
    neck = np.array([0.36 + 0.10 * (1 - identity.female), 1.0])
    shapes = [(_NECK * neck, skin * _NECK_SHADE), (_NECK_SHADOW * neck, skin * _NECK_DARK)]
    _paint_shapes(canvas, trunk, [*shapes, *_clothes(identity, neck[0], glow, rng)])


def _paint_shapes(
    canvas: np.ndarray, pose: Pose, shapes: list[tuple[np.ndarray, np.ndarray]], behind: float = 0.0
) -> None:
    """Fill polygons ([N,2] in face units, colour) in their order; all are projected at once."""
    pixels = fixed(pose.project(np.concatenate([shape for shape, _ in shapes]), behind))
    start = 0
    for shape, color in shapes:
        fill_fixed(canvas, pixels[start : start + len(shape)], color)
        start += len(shape)


def _paint_back(canvas: np.ndarray, person: Person, pose: Pose, glow: np.ndarray) -> None:
    """Paint the back of the head, seen beside a turned face, and the hair that hangs there."""
    identity, width = person.identity, person.points[16, 0]
    bare = {"bald": 1.0, "buzz": 0.5}.get(identity.hair, 0.0)
    color = identity.skin_bgr * bare + identity.hair_bgr * (1 - bare)
    if identity.hair in ("long", "bob"):
        low = 0.85 if identity.hair == "bob" else 1.75
        fall = [(-0.95 * width, low), (-width - 0.2, 0.5 * low), (-width - 0.2, -0.2)]
        shape = np.concatenate([curve(fall), curve(skull_arc(width, 0.13)), curve(mirror(fall[::-1]))])
        _paint_shapes(canvas, pose, [(shape, color * 0.6 * glow)], -0.45)
    _paint_shapes(canvas, pose, [(_SKULL, color * (0.7 + 0.15 * bare) * glow)], -0.85)


def _clothes(
    identity: Identity, neck: float, glow: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what is seen of a body: polygons in face units and their colors."""
    broad, collar = 1.75 + 0.35 * (1 - identity.female), rng.uniform(1.28, 1.62)
    is_shirt, lapel = rng.random() < 0.4, np.minimum(rng.uniform(120, 245) * glow, 255)
    color = identity.cloth_bgr * glow
    left = _SIDE + neck * _SIDE_BY_NECK + broad * _SIDE_BY_SHOULDERS
    half = [(-neck - 0.05, 1.22), (-0.5 * neck, 0.35 + 0.65 * collar)]
    edge = curve([*half, (0, collar), *mirror(half[::-1])])
    flank = np.array([(0.2, 1.7), (broad - 0.3, 1.75), (broad - 0.5, _HIP_Y), (0.5, _HIP_Y)])
    shapes = [(np.concatenate([edge, mirror(left), left[::-1]]), color), (flank, color * 0.9)]
    shapes.append((join(edge, edge * (1.03, 1) + (0, 0.045)), color * 0.62))
    if is_shirt:
        flap = np.array([(-neck - 0.04, 1.22), (-0.04, collar + 0.02), (-0.30, collar + 0.14), (-neck - 0.14, 1.36)])
        shapes += [(flap, lapel), (mirror(flap), lapel)]
    return shapes


def draw_head(person: Person, pose: Pose, light: Light, rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw the sheet of a head, lit: uint8 [size,size,4], BGR and how much of it is head."""
    identity, points = person.identity, person.points
    sheet = Sheet(size, identity.skin_bgr)
    draw_head_shape(sheet, points, identity)
    fold_skin(sheet, points, identity, person.units)
    draw_beard(sheet, points, identity)
    draw_features(sheet, points, identity, person.units, person.gaze)
    draw_hair(sheet, points, identity, rng)
    draw_glasses(sheet, points, identity)
    lit = relight(sheet, points, identity, person.units, light, pose)
    return cv2.merge([*cv2.split(lit), sheet.alpha])


def paint_head(canvas: np.ndarray, person: Person, pose: Pose, light: Light, rng: np.random.Generator) -> None:
    """Paint a head, bent and turned, into a picture."""
    height, width = canvas.shape[:2]
    reach = HEAD_REACH * pose.scale
    left, top = (int(max(middle - reach, 0)) for middle in pose.centre)
    right, bottom = (int(min(middle + reach + 1, end)) for middle, end in zip(pose.centre, (width, height)))
    if right <= left or bottom <= top:
        return
    size = min(max(round(_FINENESS * SPAN * pose.scale), _MIN_SHEET), _MAX_SHEET)
    head = draw_head(person, pose, light, rng, size)
    local = replace(pose, centre=(pose.centre[0] - left, pose.centre[1] - top))
    places = local.sheet_map(bottom - top, right - left, size / SPAN, ORIGIN)
    seen = cv2.remap(head, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    blend(canvas[top:bottom, left:right], cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR), cv2.extractChannel(seen, 3))
