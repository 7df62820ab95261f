"""A drawn person in an image: body, neck, head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import Identity, mirror, pose_muscles, resting_points, sample_units
from fer_paddle.drawn.camera import Light, Pose
from fer_paddle.drawn.features import draw_beard, draw_features, draw_glasses, draw_hair, draw_head_shape, skull_arc
from fer_paddle.drawn.sheet import ORIGIN, SPAN, Sheet, blend, curve, fill_fixed, fixed
from fer_paddle.drawn.skin import fold_skin, relight

HEAD_REACH = 1.75  # face units around the origin that a head with hair can cover
_FINENESS = 0.92  # pixels of the sheet for a pixel of the image
_MIN_SHEET, _MAX_SHEET = 64, 1200
_FOREHEAD_SHARE = np.array([(1.0, 0.0), (0.77, 0.0), (0.2, 0.0), (0.2, 0.0), (0.77, 0.0), (1.0, 0.0)])
_FOREHEAD_LIFT = np.array([(0, -0.45), (0, -0.65), (0, -0.80), (0, -0.80), (0, -0.65), (0, -0.45)])
_CHEST = -0.3  # depth of neck and chest against the face
_NECK_SHADE, _NECK_DARK = np.array([0.78, 0.80, 0.86]), np.array([0.50, 0.53, 0.62])
_NAPE = np.array([(0.0, 0.5)])
_NECK = np.array([(-1.0, 0.55), (-1.0, 1.05), (-1.4, 1.45), (0, 1.75), (1.4, 1.45), (1.0, 1.05), (1.0, 0.55)])
_NECK_SHADOW = curve([(-1.0, 0.55), (-1.0, 1.05), (0, 1.22), (1.0, 1.05), (1.0, 0.55)])
_SKULL = curve([(-0.75, -0.30), (0.0, -1.14), (0.75, -0.30), (0.0, 0.54)], closed=True)


@dataclass(frozen=True)
class Person:
    """A person with an expression, not yet placed in an image."""

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


def paint_body(canvas: np.ndarray, person: Person, pose: Pose, light: Light) -> None:
    """Paint what is seen behind and under a head: hair, skull, neck, shoulders and chest."""
    identity = person.identity
    # The neck stands under the middle of the skull, which lies behind the face.
    trunk = Pose(0.3 * pose.yaw_deg, 0.0, 0.25 * pose.roll_deg, pose.scale)
    shift = pose.project(_NAPE, -0.65) - trunk.project(_NAPE, -0.65 - _CHEST)
    trunk = replace(trunk, center=tuple(shift[0].tolist()))
    glow = light.tint_bgr * (0.55 * light.ambient + 0.5)
    _paint_back(canvas, person, pose, glow)
    skin = identity.skin_bgr * glow
    neck, broad = 0.46 - 0.10 * identity.female, 2.1 - 0.35 * identity.female
    side = [(-0.05 - neck, 1.22), (-0.3 - neck, 1.4), (0.3 - broad, 1.68), (-broad, 2.3), (0.2 - broad, 4.0)]
    left, collar = curve([*side, (0.45 - broad, 6.0), (0.35 - broad, 15.5)]), [side[0], (-0.5 * neck, 1.3)]
    clothes = np.concatenate([curve([*collar, (0, 1.45), *mirror(collar[::-1])]), mirror(left), left[::-1]])
    shapes = [(_NECK * (neck, 1), skin * _NECK_SHADE), (_NECK_SHADOW * (neck, 1), skin * _NECK_DARK)]
    _paint_shapes(canvas, trunk, [*shapes, (clothes, identity.cloth_bgr * glow)])


def _paint_shapes(
    canvas: np.ndarray, pose: Pose, shapes: list[tuple[np.ndarray, np.ndarray]], behind: float = 0.0
) -> None:
    """Fill polygons ([N,2] in face units, color) in their order; all are projected at once."""
    pixels = fixed(pose.project(np.concatenate([shape for shape, _ in shapes]), behind))
    ends = np.cumsum([len(shape) for shape, _ in shapes])
    for polygon, (_, color) in zip(np.split(pixels, ends[:-1]), shapes):
        fill_fixed(canvas, polygon, color)


def _paint_back(canvas: np.ndarray, person: Person, pose: Pose, glow: np.ndarray) -> None:
    """Paint the back of the head, seen beside a turned face, and the hair that hangs there."""
    identity, width = person.identity, person.points[16, 0]
    is_bald = identity.hair == "bald"
    color = identity.skin_bgr if is_bald else identity.hair_bgr
    if identity.hair == "long":
        fall = [(-0.95 * width, 1.75), (-width - 0.2, 0.875), (-width - 0.2, -0.2)]
        shape = np.concatenate([curve(fall), curve(skull_arc(width, 0.13)), curve(mirror(fall[::-1]))])
        _paint_shapes(canvas, pose, [(shape, color * 0.6 * glow)], -0.45)
    _paint_shapes(canvas, pose, [(_SKULL, color * (0.85 if is_bald else 0.7) * glow)], -0.85)


def _draw_head(person: Person, pose: Pose, light: Light, size: int) -> np.ndarray:
    """Draw the sheet of a head, lit: uint8 [size,size,4], BGR and how much of it is head."""
    identity, points = person.identity, person.points
    sheet = Sheet(size, identity.skin_bgr)
    draw_head_shape(sheet, points, identity)
    fold_skin(sheet, points, identity, person.units)
    draw_beard(sheet, points, identity)
    draw_features(sheet, points, identity, person.units, person.gaze)
    draw_hair(sheet, points, identity)
    draw_glasses(sheet, points, identity)
    lit = relight(sheet, points, identity, person.units, light, pose)
    return cv2.merge([*cv2.split(lit), sheet.alpha])


def paint_head(canvas: np.ndarray, person: Person, pose: Pose, light: Light) -> None:
    """Paint a head, bent and turned, into an image."""
    (height, width), reach = canvas.shape[:2], HEAD_REACH * pose.scale
    left, top = (int(max(middle - reach, 0)) for middle in pose.center)
    right, bottom = (int(min(middle + reach + 1, end)) for middle, end in zip(pose.center, (width, height)))
    if right <= left or bottom <= top:
        return
    size = min(max(round(_FINENESS * SPAN * pose.scale), _MIN_SHEET), _MAX_SHEET)
    head = _draw_head(person, pose, light, size)
    local = replace(pose, center=(pose.center[0] - left, pose.center[1] - top))
    places = local.sheet_map(bottom - top, right - left, size / SPAN, ORIGIN)
    seen = cv2.remap(head, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    blend(canvas[top:bottom, left:right], cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR), cv2.extractChannel(seen, 3))
