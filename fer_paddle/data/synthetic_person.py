"""A drawn person in a picture: body, neck, head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from fer_paddle.data.synthetic_anatomy import Identity, mirror, pose_muscles, sample_identity, sample_units
from fer_paddle.data.synthetic_camera import Light, Pose
from fer_paddle.data.synthetic_features import draw_features
from fer_paddle.data.synthetic_hair import draw_beard, draw_glasses, draw_hair, draw_hat, draw_head_shape, skull_arc
from fer_paddle.data.synthetic_sheet import ORIGIN, SPAN, Sheet, blend, curve, fill_pixels, stroke_pixels
from fer_paddle.data.synthetic_skin import fold_skin, relight

HEAD_REACH = 1.75  # face units around the origin that a head with hair and hat can cover
_FOREHEAD_Y = -0.80
_WAIST_Y = 4.2
_CHEST = -0.3  # depth of neck and chest against the face
_CIRCLE = np.linspace(0, 2 * np.pi, 40)
_SKULL = np.column_stack([0.78 * np.cos(_CIRCLE), -0.30 + 0.88 * np.sin(_CIRCLE)])


@dataclass(frozen=True)
class Person:
    """A person with an expression, not yet placed in a picture.

    Attributes:
        identity: Who.
        units: Action unit -> strength.
        points: The 68 points in face units, float64 [68,2].
        gaze: Shift of the irises in face units.
    """

    identity: Identity
    units: dict[int, float]
    points: np.ndarray
    gaze: tuple[float, float]


def sample_person(
    who: np.random.Generator, what: np.random.Generator, expression: int, intensity: float
) -> Person:
    """Draws a person and how the expression shows: `who` decides the first, `what` the second."""
    identity = sample_identity(who)
    units = sample_units(what, expression, intensity)
    gaze = np.clip(what.standard_normal(2) * (0.016, 0.006), -0.03, 0.03)
    return Person(identity, units, pose_muscles(identity, units), (float(gaze[0]), float(gaze[1])))


def face_box(points: np.ndarray, pose: Pose) -> np.ndarray:
    """Gives the box of the face, forehead to chin and ear to ear, in pixels: float64 [4] x1 y1 x2 y2."""
    width = points[16, 0]
    forehead = np.array([(-width, -0.45), (-0.6, -0.65), (0.0, _FOREHEAD_Y), (0.6, -0.65), (width, -0.45)])
    seen = pose.project(np.concatenate([points, forehead]))
    return np.concatenate([seen.min(0), seen.max(0)])


def paint_body(canvas: np.ndarray, person: Person, pose: Pose, light: Light, rng: np.random.Generator) -> None:
    """Paints what is seen behind and under a head: hair, skull, neck, shoulders and chest.

    Args:
        canvas: uint8 [H,W,3] BGR, changed in place.
        person: Who and how.
        pose: Where, how large and how turned the head is.
        light: The light of the picture.
        rng: Source of chance for the cloth.
    """
    identity = person.identity
    # The neck stands under the middle of the skull, which lies behind the face.
    trunk = Pose(0.3 * pose.yaw_deg, 0.0, 0.25 * pose.roll_deg, pose.scale)
    anchor = np.array([(0.0, 0.5)])
    shift = pose.project(anchor, behind=-0.65) - trunk.project(anchor, behind=-0.65)
    trunk = replace(trunk, centre=tuple(shift[0].tolist()))
    glow = light.tint_bgr * (0.55 * light.ambient + 0.5)
    _paint_back(canvas, person, pose, glow)
    neck = 0.36 + 0.10 * (1 - identity.female)
    skin = identity.skin_bgr * glow
    column = [(-neck, 0.55), (-neck, 1.05), (-neck - 0.16, 1.45), (0, 1.75), (neck + 0.16, 1.45), (neck, 1.05), (neck, 0.55)]
    fill_pixels(canvas, trunk.project(np.array(column), _CHEST), skin * (0.78, 0.80, 0.86))
    shadow = curve([(-neck, 0.55), (-neck, 1.05), (0, 1.22), (neck, 1.05), (neck, 0.55)])
    fill_pixels(canvas, trunk.project(shadow, _CHEST), skin * (0.50, 0.53, 0.62))
    _paint_clothes(canvas, identity, trunk, neck, glow, rng)


def _paint_back(canvas: np.ndarray, person: Person, pose: Pose, glow: np.ndarray) -> None:
    """Paints the back of the head, seen beside a turned face, and the hair that hangs there."""
    identity, width = person.identity, person.points[16, 0]
    bare = {"bald": 1.0, "buzz": 0.5}.get(identity.hair, 0.0)
    color = identity.skin_bgr * bare + identity.hair_bgr * (1 - bare)
    if identity.hat != "none":
        color = identity.cloth_bgr
    if identity.hair in ("long", "bob") or identity.hat == "scarf":
        low = 0.85 if identity.hair == "bob" else 1.75
        fall = [(-0.95 * width, low), (-width - 0.2, 0.5 * low), (-width - 0.2, -0.2)]
        shape = np.concatenate([curve(fall), curve(skull_arc(width, 0.13)), curve(mirror(fall[::-1]))])
        fill_pixels(canvas, pose.project(shape, -0.45), color * 0.6 * glow)
    fill_pixels(canvas, pose.project(_SKULL, -0.85), color * 0.7 * glow)


def _paint_clothes(
    canvas: np.ndarray, identity: Identity, trunk: Pose, neck: float, glow: np.ndarray, rng: np.random.Generator
) -> None:
    broad, collar = 1.40 + 0.22 * (1 - identity.female), rng.uniform(1.28, 1.62)
    left = [(-neck - 0.05, 1.24), (-neck - 0.28, 1.40), (-broad + 0.1, 1.62), (-broad, 1.95), (-broad - 0.1, _WAIST_Y)]
    half = [(-neck - 0.05, 1.24), (-0.5 * neck, 0.35 + 0.65 * collar)]
    edge = curve([*half, (0, collar), *mirror(half[::-1])])
    shape = np.concatenate([edge, curve(mirror(left)), curve(left[::-1])])
    color = identity.cloth_bgr * glow
    fill_pixels(canvas, trunk.project(shape, _CHEST), color)
    flank = np.array([(0.2, 1.7), (broad - 0.1, 1.75), (broad + 0.1, _WAIST_Y), (0.5, _WAIST_Y)])
    fill_pixels(canvas, trunk.project(flank, _CHEST), color * 0.88)
    width_px = max(round(0.035 * trunk.scale), 1)
    stroke_pixels(canvas, trunk.project(edge, _CHEST), color * 0.62, width_px)
    kind, lapel = rng.integers(3), rng.uniform(120, 245) * glow
    if kind == 0:
        flap = np.array([(-neck - 0.04, 1.22), (-0.04, collar + 0.02), (-0.30, collar + 0.14), (-neck - 0.14, 1.36)])
        for side in (flap, mirror(flap)):
            fill_pixels(canvas, trunk.project(side, _CHEST), np.minimum(lapel, 255))
    elif kind == 1:
        for y in np.arange(collar + 0.2, 3.2, 0.22):
            line = np.array([(-broad + 0.12, y), (0, y + 0.04), (broad - 0.12, y)])
            stroke_pixels(canvas, trunk.project(line, _CHEST), color * 0.7, 2 * width_px)


def draw_head(
    person: Person, pose: Pose, light: Light, rng: np.random.Generator, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the sheet of a head, lit: uint8 [size,size,3] BGR and where it is, uint8 [size,size]."""
    identity, points = person.identity, person.points
    sheet = Sheet(size, identity.skin_bgr)
    draw_head_shape(sheet, points, identity)
    fold_skin(sheet, points, identity, person.units)
    draw_beard(sheet, points, identity)
    draw_features(sheet, points, identity, person.units, person.gaze)
    draw_hair(sheet, points, identity, rng)
    draw_glasses(sheet, points, identity)
    draw_hat(sheet, points, identity, rng)
    return relight(sheet, points, identity, person.units, light, pose), sheet.alpha


def paint_head(canvas: np.ndarray, person: Person, pose: Pose, light: Light, rng: np.random.Generator) -> None:
    """Paints a head, bent and turned, into a picture.

    Args:
        canvas: uint8 [H,W,3] BGR, changed in place.
        person: Who and how.
        pose: Where, how large and how turned.
        light: The light of the picture.
        rng: Source of chance for single hairs.
    """
    height, width = canvas.shape[:2]
    reach = HEAD_REACH * pose.scale
    left, top = (int(max(middle - reach, 0)) for middle in pose.centre)
    right, bottom = (int(min(middle + reach + 1, end)) for middle, end in zip(pose.centre, (width, height)))
    if right <= left or bottom <= top:
        return
    size = int(np.clip(round(0.92 * SPAN * pose.scale), 64, 900))
    color, alpha = draw_head(person, pose, light, rng, size)
    local = replace(pose, centre=(pose.centre[0] - left, pose.centre[1] - top))
    places = local.sheet_map(bottom - top, right - left)
    places = (places - np.float32(ORIGIN)) * np.float32(size / SPAN) - np.float32(0.5)
    seen = cv2.remap(color, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.remap(alpha, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    blend(canvas[top:bottom, left:right], seen, mask)
