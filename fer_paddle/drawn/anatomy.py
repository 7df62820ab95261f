"""Identity of a drawn face, its 68 points at rest, and the facial action units of the seven expressions.

Everything here lives in face units: x to the viewer's right, y down, the eyes near y = -0.16, the chin near
y = 1.05, half a face about 0.78 wide. No pixel appears before `camera`.

Sources: Sagonas et al. 2013, "300 Faces in-the-Wild Challenge" (the order of the 68 points); Ekman, Friesen and Hager
2002, "Facial Action Coding System" (the action units of each expression).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fer_paddle.labels import EXPRESSIONS

# The viewer's left half of a resting face: point index -> x, y.
LEFT_HALF = {
    0: (-0.78, -0.15), 1: (-0.775, 0.08), 2: (-0.745, 0.30), 3: (-0.69, 0.52), 4: (-0.59, 0.715),
    5: (-0.455, 0.865), 6: (-0.31, 0.975), 7: (-0.155, 1.035), 8: (0.0, 1.055),
    17: (-0.605, -0.345), 18: (-0.515, -0.425), 19: (-0.40, -0.450), 20: (-0.28, -0.435), 21: (-0.16, -0.400),
    27: (0.0, -0.16), 28: (0.0, -0.03), 29: (0.0, 0.10), 30: (0.0, 0.225),
    31: (-0.135, 0.295), 32: (-0.07, 0.325), 33: (0.0, 0.34),
    36: (-0.495, -0.150), 37: (-0.405, -0.213), 38: (-0.292, -0.213), 39: (-0.20, -0.133),
    40: (-0.297, -0.103), 41: (-0.405, -0.103),
    48: (-0.27, 0.600), 49: (-0.165, 0.552), 50: (-0.06, 0.528), 51: (0.0, 0.540),
    57: (0.0, 0.712), 58: (-0.10, 0.703), 59: (-0.195, 0.664),
    60: (-0.24, 0.600), 61: (-0.09, 0.604), 62: (0.0, 0.608), 66: (0.0, 0.609), 67: (-0.09, 0.605),
}  # fmt: skip

# The twin of each point on the other side of the face.
MIRROR = np.array([*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46,
                   39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1),
                   67, 66, 65])  # fmt: skip


def both_sides(left_half: dict[int, tuple[float, float]]) -> np.ndarray:
    """Spread values of the left half over all 68 points, x negated on the right: float64 [68,2]."""
    values = np.zeros((68, 2))
    for index, (x, y) in left_half.items():
        values[MIRROR[index]] = -x, y
        values[index] = x, y
    return values


_LOWER_JAW = np.array([0, 0, 0.2, 0.5, 0.9, 1.0, 0.9, 0.5, 0, 0.5, 0.9, 1.0, 0.9, 0.5, 0.2, 0, 0])
_BROW_ARCH = np.array([-0.5, 0.6, 1.0, 0.2, -0.6, -0.6, 0.2, 1.0, 0.6, -0.5])
_FLIP = np.array([-1.0, 1.0])
_SIDES = np.array([(1.0, 1.0), (-1.0, 1.0)])


def mirror(shape: ArrayLike) -> np.ndarray:
    """Turn a shape [...,2] of the viewer's left into that of the right, and back."""
    return np.asarray(shape) * _FLIP


def view_sides(points: np.ndarray) -> np.ndarray:
    """Show both sides of a face as if each were the viewer's left: [68,2] -> [2,68,2]."""
    return np.stack([points, points[MIRROR] * _FLIP])


def unfold(shapes: np.ndarray) -> np.ndarray:
    """Bring shapes drawn from `view_sides` to their true sides: [2,...,2], same shape."""
    return shapes * _SIDES.reshape(2, *(1,) * (shapes.ndim - 2), 2)


TEMPLATE = both_sides(LEFT_HALF)

_SKIN_BGR = np.array([(188, 208, 245), (168, 195, 239), (148, 182, 230), (120, 160, 214), (90, 130, 190),
                      (72, 110, 168), (60, 92, 146), (52, 80, 126)], np.float64)  # fmt: skip
_HAIR_BGR = np.array([(18, 18, 20), (24, 28, 38), (30, 42, 66), (42, 66, 104), (70, 110, 160),
                      (120, 175, 215), (40, 62, 130), (150, 152, 155), (205, 206, 208)], np.float64)  # fmt: skip
_IRIS_BGR = np.array([(22, 36, 62), (28, 52, 92), (60, 96, 110), (90, 120, 90), (150, 120, 80),
                      (140, 140, 130)], np.float64)  # fmt: skip
_BLACK_TO_BROWN, _GRAY = 2.2, 6.5  # places in _HAIR_BGR
_DARK_TONE = 3.5  # place in _SKIN_BGR from which on hair and eyes are dark
HAIR_STYLES = ("bald", "short", "side", "long", "bun")
BEARDS = ("none", "moustache", "full")
GLASSES = ("none", "round", "rectangle")


@dataclass(frozen=True)
class Identity:
    """One drawn person: everything that stays when the expression changes."""

    skin_bgr: np.ndarray
    hair_bgr: np.ndarray
    iris_bgr: np.ndarray
    cloth_bgr: np.ndarray
    female: float
    age: float
    hair: str
    beard: str
    glasses: str
    part: float
    shape: dict[str, float]
    sides: tuple[float, float]


_SHAPES = ("width", "jaw", "chin", "eye_gap", "eye_size", "eye_tilt", "brow_height", "brow_arch", "brow_weight",
           "nose_width", "nose_length", "mouth_width", "lips", "mouth_height", "depth")  # fmt: skip


def _blend(palette: np.ndarray, at: float) -> np.ndarray:
    """Read a palette [K,3] at a place between 0 and K-1."""
    return np.array([np.interp(at, range(len(palette)), channel) for channel in palette.T])


def _pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    return str(rng.choice(names, p=np.array(weights) / sum(weights)))


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draw a person."""
    female = float(rng.random())
    age = float(rng.beta(1.6, 2.2))
    woman = female > 0.5
    tone = rng.uniform(0, len(_SKIN_BGR) - 1)
    skin = _blend(_SKIN_BGR, tone) * rng.uniform(0.96, 1.04, 3)
    hair_at = rng.uniform(0, _BLACK_TO_BROWN if tone > _DARK_TONE else 6)
    if rng.random() < age - 0.45:
        hair_at = rng.uniform(_GRAY, len(_HAIR_BGR) - 1)
    hair = _pick(rng, HAIR_STYLES, (0, 6, 9, 25, 7) if woman else (7, 35, 18, 3, 1))
    beard = "none" if woman or age < 0.15 else _pick(rng, BEARDS, (70, 12, 18))
    clipped = np.clip(rng.standard_normal(len(_SHAPES)), -2, 2) / 2
    return Identity(
        skin_bgr=np.clip(skin, 20, 250),
        hair_bgr=np.clip(_blend(_HAIR_BGR, hair_at) * rng.uniform(0.85, 1.15), 8, 225),
        iris_bgr=_blend(_IRIS_BGR, rng.uniform(0, 0.9 if tone > _DARK_TONE else len(_IRIS_BGR) - 1)),
        cloth_bgr=rng.uniform(25, 225, 3) * rng.uniform(0.5, 1),
        female=female,
        age=age,
        hair=hair,
        beard=beard,
        glasses=_pick(rng, GLASSES, (80, 9, 11)),
        part=float(rng.uniform(-1, 1)),
        shape=dict(zip(_SHAPES, clipped.tolist())),
        sides=tuple(rng.uniform(0.9, 1.08, 2).tolist()),
    )


def resting_points(identity: Identity) -> np.ndarray:
    """Shape the template to a person: float64 [68,2] in face units, without expression."""
    points = TEMPLATE.copy()
    shape = identity.shape
    side = np.sign(points[:, 0])
    man = 1 - identity.female
    points[:17, 0] *= 1 + 0.07 * shape["width"] + _LOWER_JAW * (0.10 * shape["jaw"] + 0.10 * man - 0.06)
    points[:17, 1] += np.maximum(points[:17, 1], 0) * (0.05 * shape["chin"] + 0.03 * man - 0.02)
    eyes, brows, nose, mouth = slice(36, 48), slice(17, 27), slice(27, 36), slice(48, 68)
    center = side[eyes, None] * [0.3475, 0.0] + [0.0, -0.145]
    grow = [1 + 0.09 * shape["eye_size"], 1 + 0.18 * shape["eye_size"] + 0.10 * identity.female]
    points[eyes] = center + (points[eyes] - center) * grow
    points[eyes, 0] += side[eyes] * 0.03 * shape["eye_gap"]
    points[eyes, 1] -= (np.abs(points[eyes, 0]) - 0.3475) * (0.10 * shape["eye_tilt"] + 0.05)
    points[brows, 0] += side[brows] * 0.02 * shape["eye_gap"]
    points[brows, 1] -= 0.03 * shape["brow_height"] + 0.03 * identity.female + 0.02 * _BROW_ARCH * shape["brow_arch"]
    points[nose, 0] *= 1 + 0.16 * shape["nose_width"] + 0.10 * man - 0.05
    points[nose, 1] += (points[nose, 1] + 0.16) * 0.09 * shape["nose_length"]
    points[mouth, 0] *= 1 + 0.10 * shape["mouth_width"]
    lips = 1 + 0.28 * shape["lips"] + 0.25 * identity.female - 0.15
    points[mouth, 1] = 0.606 + (points[mouth, 1] - 0.606) * lips + 0.02 * shape["mouth_height"]
    return points


# What one action unit at full strength does to the viewer's left half: point index -> dx, dy.
_LEFT_MOVES = {
    1: {21: (0.0, -0.135), 20: (0.0, -0.105), 19: (0.0, -0.045), 38: (0.0, -0.008)},
    2: {17: (-0.01, -0.075), 18: (-0.01, -0.125), 19: (0.0, -0.115), 20: (0.0, -0.05)},
    4: {21: (0.055, 0.125), 20: (0.045, 0.105), 19: (0.03, 0.075), 18: (0.015, 0.035), 17: (0.0, 0.005)},
    5: {37: (0.0, -0.055), 38: (0.0, -0.055)},
    6: {40: (0.0, -0.030), 41: (0.0, -0.034), 36: (0.005, -0.006), 37: (0.0, 0.008), 38: (0.0, 0.006)},
    7: {37: (0.0, 0.022), 38: (0.0, 0.024), 40: (0.0, -0.022), 41: (0.0, -0.018)},
    9: {31: (-0.022, -0.052), 32: (-0.008, -0.042), 33: (0.0, -0.028), 30: (0.0, -0.025), 49: (0.0, -0.035),
        50: (0.0, -0.04), 51: (0.0, -0.03), 21: (0.035, 0.085), 20: (0.025, 0.07), 19: (0.01, 0.04),
        40: (0.0, -0.022), 41: (0.0, -0.016), 38: (0.0, 0.014), 61: (0.0, -0.02), 62: (0.0, -0.02)},
    10: {49: (-0.01, -0.075), 50: (0.0, -0.092), 51: (0.0, -0.082), 61: (-0.01, -0.078), 62: (0.0, -0.072),
         31: (-0.015, -0.022), 32: (-0.005, -0.018), 48: (0.0, 0.01), 60: (0.0, 0.01)},
    12: {48: (-0.125, -0.115), 60: (-0.125, -0.112), 49: (-0.08, -0.052), 50: (-0.025, -0.002),
         51: (0.0, 0.012), 59: (-0.095, -0.055), 58: (-0.045, -0.004), 57: (0.0, 0.012),
         61: (-0.055, -0.012), 67: (-0.055, -0.012),
         62: (0.0, 0.014), 66: (0.0, 0.014), 31: (-0.018, -0.008), 4: (-0.012, -0.01), 3: (-0.015, 0.0)},
    15: {48: (-0.025, 0.115), 60: (-0.022, 0.110), 49: (-0.012, 0.035), 59: (-0.012, 0.052), 61: (0.0, 0.014),
         67: (0.0, 0.012)},
    16: {57: (0.0, 0.065), 58: (-0.02, 0.06), 59: (-0.02, 0.04), 66: (0.0, 0.075), 67: (-0.02, 0.068)},
    17: {57: (0.0, -0.045), 58: (0.0, -0.042), 59: (0.0, -0.02), 51: (0.0, -0.03), 50: (0.0, -0.03),
         61: (0.0, -0.035), 62: (0.0, -0.042), 66: (0.0, -0.042), 67: (0.0, -0.035), 8: (0.0, -0.02)},
    20: {48: (-0.125, 0.035), 60: (-0.125, 0.035), 49: (-0.085, 0.018), 59: (-0.095, 0.012), 58: (-0.05, 0.0),
         61: (-0.06, 0.0), 67: (-0.06, 0.01), 50: (-0.03, 0.008)},
    23: {48: (0.045, 0.0), 60: (0.045, 0.0), 49: (0.025, 0.028), 50: (0.005, 0.036), 51: (0.0, 0.034),
         59: (0.03, -0.028), 58: (0.01, -0.042), 57: (0.0, -0.042)},
    25: {61: (0.0, -0.018), 62: (0.0, -0.018), 66: (0.0, 0.050), 67: (0.0, 0.044), 57: (0.0, 0.045),
         58: (0.0, 0.042), 59: (0.0, 0.022)},
    26: {57: (0.0, 0.200), 58: (0.0, 0.195), 59: (0.004, 0.130), 66: (0.0, 0.200), 67: (0.002, 0.185),
         48: (0.020, 0.060), 60: (0.020, 0.065), 8: (0.0, 0.155), 7: (0.0, 0.150), 6: (0.005, 0.125),
         5: (0.010, 0.080), 4: (0.012, 0.040)},
    27: {57: (0.0, 0.360), 58: (0.005, 0.345), 59: (0.035, 0.240), 66: (0.0, 0.360), 67: (0.008, 0.335),
         48: (0.070, 0.115), 60: (0.068, 0.120), 49: (0.035, 0.005), 50: (0.010, -0.018), 51: (0.0, -0.018),
         61: (0.010, -0.018), 62: (0.0, -0.026), 8: (0.0, 0.225), 7: (0.0, 0.220), 6: (0.015, 0.190),
         5: (0.025, 0.135), 4: (0.030, 0.070), 3: (0.02, 0.02)},
    43: {37: (0.0, 0.075), 38: (0.0, 0.078)},
}  # fmt: skip

# The ways each expression is shown: action unit -> strength. One of them is drawn per face.
_RECIPES: dict[str, tuple[dict[int, float], ...]] = {
    "angry": (
        {4: 1.0, 5: 0.55, 7: 0.75, 23: 0.9, 17: 0.45},
        {4: 1.0, 5: 0.65, 7: 0.65, 23: 0.6, 17: 0.2, 9: 0.2},
        {4: 1.0, 5: 0.7, 7: 0.6, 10: 0.45, 16: 0.8, 25: 0.8, 26: 0.15, 9: 0.25},
    ),
    "disgust": (
        {9: 1.0, 10: 0.75, 4: 0.35, 7: 0.55, 15: 0.75, 17: 0.6, 6: 0.3},
        {9: 1.0, 10: 1.0, 4: 0.3, 7: 0.6, 15: 0.6, 25: 0.5, 16: 0.25, 6: 0.35},
        {9: 1.0, 10: 0.95, 4: 0.35, 7: 0.7, 15: 0.5, 25: 0.6, 26: 0.35, 6: 0.4},
    ),
    "fear": (
        {1: 1.0, 2: 0.45, 4: 0.55, 5: 1.0, 20: 1.0, 25: 0.7, 26: 0.35},
        {1: 1.0, 2: 0.5, 4: 0.6, 5: 1.0, 20: 0.9, 25: 0.6, 16: 0.8},
        {1: 1.0, 2: 0.45, 4: 0.55, 5: 1.0, 20: 1.0, 25: 0.5, 26: 0.7, 16: 0.4},
    ),
    "happy": (
        {6: 0.8, 12: 1.0},
        {6: 0.85, 12: 1.0, 25: 1.0},
        {6: 1.0, 12: 1.05, 25: 0.9, 26: 0.5},
    ),
    "sad": (
        {1: 1.0, 4: 0.5, 15: 1.0, 17: 0.5, 43: 0.22},
        {1: 1.0, 4: 0.55, 15: 1.0, 17: 0.9, 43: 0.36},
        {1: 1.0, 4: 0.45, 15: 0.9, 17: 0.3, 43: 0.28},
    ),
    "surprise": (
        {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 1.2},
        {1: 1.0, 2: 1.0, 5: 1.0, 27: 0.75},
        {1: 1.0, 2: 1.0, 5: 1.0, 27: 1.0},
    ),
    "neutral": ({},),
}

UNITS = tuple(_LEFT_MOVES)
_MOVES = np.stack([both_sides(moves) for moves in _LEFT_MOVES.values()])
_RESTLESS = (1, 2, 4, 7, 43, 12, 15, 25)
_ON_LEFT = np.array([point in LEFT_HALF for point in range(68)])


def sample_units(rng: np.random.Generator, expression: int, intensity: float) -> dict[int, float]:
    """Draw the strengths of the action units that show an expression."""
    # As many numbers for every expression: what is drawn after them does not depend on it.
    choice, *chance = rng.random(20).tolist()
    recipes = _RECIPES[EXPRESSIONS[expression]]
    recipe = recipes[int(choice * len(recipes))]
    # A resting face is never quite at rest: lids and lips differ a little from one image to the next.
    units = {unit: 0.09 * part for unit, part in zip(_RESTLESS, chance)}
    for (unit, strength), part in zip(recipe.items(), chance[len(_RESTLESS) :]):
        units[unit] = units.get(unit, 0.0) + strength * intensity * (0.88 + 0.22 * part)
    return units


def pose_muscles(at_rest: np.ndarray, identity: Identity, units: dict[int, float]) -> np.ndarray:
    """Move a person's resting points [68,2] by action units: float64 [68,2] in face units."""
    strengths = np.array([units.get(unit, 0.0) for unit in UNITS])
    moves = np.einsum("u,upd->pd", strengths, _MOVES)
    # Frontalis beats corrugator: with the inner brow raised, AU4 draws the brows together, hardly down.
    moves[:, 1] -= _MOVES[UNITS.index(4), :, 1] * units.get(4, 0.0) * 0.85 * min(units.get(1, 0.0), 1.0)
    return _keep_order(at_rest + moves * np.where(_ON_LEFT, *identity.sides)[:, None])


def _keep_order(points: np.ndarray) -> np.ndarray:
    """Keep lids and lips from crossing; changes and returns `points`."""
    for upper, lower, least in ((37, 41, 0.018), (38, 40, 0.018), (43, 47, 0.018), (44, 46, 0.018),
                                (61, 67, 0.0), (62, 66, 0.0), (63, 65, 0.0)):  # fmt: skip
        lack = points[upper, 1] + least - points[lower, 1]
        if lack > 0:
            points[[upper, lower], 1] += np.array([-lack / 2, lack / 2])
    for inner, outer in ((61, 50), (62, 51), (63, 52)):
        points[outer, 1] = min(points[outer, 1], points[inner, 1] - 0.015)
    for inner, outer in ((67, 58), (66, 57), (65, 56)):
        points[outer, 1] = max(points[outer, 1], points[inner, 1] + 0.02)
    return points
