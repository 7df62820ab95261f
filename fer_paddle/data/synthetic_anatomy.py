"""Who a drawn face is and what its muscles do: identity, facial action units, the 68 points.

Everything here lives in face units: x to the viewer's right, y down, the eyes near y = -0.16, the chin near
y = 1.05, half a face about 0.78 wide. No pixel appears before `synthetic_camera`.

Source: Ekman, Friesen and Hager 2002, "Facial Action Coding System" (the action units of each expression);
Sagonas et al. 2013, "300 Faces in-the-Wild Challenge" (the order of the 68 points).
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from fer_paddle.labels import EXPRESSIONS

# The viewer's left half of a resting face: point index -> x, y.
_LEFT_HALF = {
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
    12: {48: (-0.125, -0.115), 60: (-0.125, -0.112), 49: (-0.08, -0.052), 50: (-0.025, -0.002), 51: (0.0, 0.012),
         59: (-0.095, -0.055), 58: (-0.045, -0.004), 57: (0.0, 0.012), 61: (-0.055, -0.012), 67: (-0.055, -0.012),
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


def _mirror_index() -> np.ndarray:
    """Gives, for each of the 68 points, the index of its twin on the other side of the face."""
    twin = np.arange(68)
    twin[:17] = 16 - np.arange(17)
    twin[17:27] = 43 - np.arange(17, 27)
    twin[31:36] = 66 - np.arange(31, 36)
    for left, right in ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52),
                        (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)):  # fmt: skip
        twin[left], twin[right] = right, left
    return twin


MIRROR = _mirror_index()


def _both_sides(left_half: dict[int, tuple[float, float]]) -> np.ndarray:
    """Spreads values of the left half over all 68 points, x negated on the right: float64 [68,2]."""
    values = np.zeros((68, 2))
    for index, (x, y) in left_half.items():
        values[MIRROR[index]] = -x, y
        values[index] = x, y
    return values


_ON_LEFT = np.array([point in _LEFT_HALF for point in range(68)])
_LOWER_JAW = np.array([0, 0, 0.2, 0.5, 0.9, 1.0, 0.9, 0.5, 0, 0.5, 0.9, 1.0, 0.9, 0.5, 0.2, 0, 0])
_BROW_ARCH = np.array([-0.5, 0.6, 1.0, 0.2, -0.6, -0.6, 0.2, 1.0, 0.6, -0.5])
_FLIP = np.array([-1.0, 1.0])
Side = Callable[[np.ndarray], np.ndarray]


def mirror(shape: np.ndarray) -> np.ndarray:
    """Turns a shape [N,2] of the viewer's left into that of the right, and back."""
    return np.asarray(shape) * _FLIP


def halves(points: np.ndarray) -> Iterator[tuple[np.ndarray, Side]]:
    """Shows both sides of a face as if each were the viewer's left.

    Args:
        points: The 68 points, float [68,2].

    Yields:
        The points with that side on the left, and what brings a shape drawn from them to its true side.
    """
    yield points, np.asarray
    yield mirror(points)[MIRROR], mirror


TEMPLATE = _both_sides(_LEFT_HALF)
UNITS = tuple(_LEFT_MOVES)
MOVES = np.stack([_both_sides(moves) for moves in _LEFT_MOVES.values()])

_SKIN_BGR = np.array([(188, 208, 245), (168, 195, 239), (148, 182, 230), (120, 160, 214), (90, 130, 190),
                      (66, 102, 160), (50, 80, 130), (42, 66, 106)], np.float64)  # fmt: skip
_HAIR_BGR = np.array([(18, 18, 20), (24, 28, 38), (30, 42, 66), (42, 66, 104), (70, 110, 160), (120, 175, 215),
                      (40, 62, 130), (150, 152, 155), (205, 206, 208)], np.float64)  # fmt: skip
_IRIS_BGR = np.array([(22, 36, 62), (28, 52, 92), (60, 96, 110), (90, 120, 90), (150, 120, 80), (140, 140, 130)],
                     np.float64)  # fmt: skip
HAIR_STYLES = ("bald", "buzz", "short", "side", "fringe", "long", "bob", "curly", "bun")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "rectangle")
HATS = ("none", "beanie", "cap", "scarf")


@dataclass(frozen=True)
class Identity:
    """One drawn person: everything that stays when the expression changes.

    Attributes:
        skin_bgr: Colour of the lit skin, float64 [3], 0 to 255.
        hair_bgr: Colour of hair, brows and beard, float64 [3].
        iris_bgr: Colour of the iris, float64 [3].
        cloth_bgr: Colour of clothes and hats, float64 [3].
        female: 0 to 1; softer brows and jaw, fuller lips, no beard from 0.5 on.
        age: 0 to 1; deepens the lines.
        hair: One of HAIR_STYLES. beard: one of BEARDS. glasses: one of GLASSES. hat: one of HATS.
        part: Where the hair parts, -1 to 1.
        shape: Factors and shifts of the face's shape by name, about -1 to 1 (see `resting_points`).
        sides: Strength of the action units on the viewer's left and right, near 1.
    """

    skin_bgr: np.ndarray
    hair_bgr: np.ndarray
    iris_bgr: np.ndarray
    cloth_bgr: np.ndarray
    female: float
    age: float
    hair: str
    beard: str
    glasses: str
    hat: str
    part: float
    shape: dict[str, float]
    sides: tuple[float, float]


_SHAPES = ("width", "jaw", "chin", "eye_gap", "eye_size", "eye_tilt", "brow_height", "brow_arch", "brow_weight",
           "nose_width", "nose_length", "mouth_width", "lips", "mouth_height", "depth")  # fmt: skip


def _blend(palette: np.ndarray, at: float) -> np.ndarray:
    """Reads a palette [K,3] at a place between 0 and K-1."""
    low = min(int(at), len(palette) - 2)
    return palette[low] + (palette[low + 1] - palette[low]) * (at - low)


def _pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    totals = list(accumulate(weights))
    return names[bisect(totals, rng.random() * totals[-1])]


def sample_identity(rng: np.random.Generator) -> Identity:
    """Draws a person."""
    female = float(rng.random())
    age = float(rng.beta(1.6, 2.2))
    woman = female > 0.5
    tone = rng.uniform(0, len(_SKIN_BGR) - 1)
    skin = _blend(_SKIN_BGR, tone) * rng.uniform(0.96, 1.04, 3)
    hair_at = rng.uniform(6.5, 8) if rng.random() < age - 0.45 else rng.uniform(0, 2.2 if tone > 3.5 else 6)
    hair = _pick(rng, HAIR_STYLES, (0, 1, 4, 6, 8, 14, 8, 5, 6) if woman else (6, 10, 22, 16, 6, 3, 1, 6, 1))
    hat = _pick(rng, HATS, (86, 4, 3, 7 if woman else 0))
    if hat != "none" and hair in ("curly", "bun", "fringe"):
        hair = "short"
    beard = "none" if woman or age < 0.15 else _pick(rng, BEARDS, (50, 18, 9, 10, 13))
    clipped = np.clip(rng.standard_normal(len(_SHAPES)), -2, 2) / 2
    return Identity(
        skin_bgr=np.clip(skin, 20, 250),
        hair_bgr=np.clip(_blend(_HAIR_BGR, hair_at) * rng.uniform(0.85, 1.15), 8, 225),
        iris_bgr=_blend(_IRIS_BGR, rng.uniform(0, 0.9 if tone > 3.5 else len(_IRIS_BGR) - 1)),
        cloth_bgr=rng.uniform(25, 225, 3) * rng.uniform(0.5, 1),
        female=female,
        age=age,
        hair="bald" if hat == "scarf" else hair,
        beard=beard,
        glasses=_pick(rng, GLASSES, (80, 9, 11)),
        hat=hat,
        part=float(rng.uniform(-1, 1)),
        shape=dict(zip(_SHAPES, clipped.tolist())),
        sides=tuple(rng.uniform(0.9, 1.08, 2).tolist()),
    )


def sample_units(rng: np.random.Generator, expression: int, intensity: float) -> dict[int, float]:
    """Draws the strengths of the action units that show an expression.

    Args:
        rng: Source of chance.
        expression: Index into EXPRESSIONS.
        intensity: 0 (a resting face) to 1 (as strong as people show it).

    Returns:
        Action unit -> strength, 0 and above.
    """
    recipes = _RECIPES[EXPRESSIONS[expression]]
    recipe = recipes[int(rng.integers(len(recipes)))]
    # A resting face is never quite at rest: lids and lips differ a little from one picture to the next.
    units = dict(zip((1, 2, 4, 7, 43, 12, 15, 25), (rng.random(8) * 0.09).tolist()))
    for (unit, strength), factor in zip(recipe.items(), rng.uniform(0.88, 1.1, len(recipe)).tolist()):
        units[unit] = units.get(unit, 0.0) + strength * intensity * factor
    return units


def resting_points(identity: Identity) -> np.ndarray:
    """Shapes the template to a person: float64 [68,2] in face units, without expression."""
    points = TEMPLATE.copy()
    shape = identity.shape
    side = np.sign(points[:, 0])
    man = 1 - identity.female
    points[:17, 0] *= 1 + 0.07 * shape["width"] + _LOWER_JAW * (0.10 * shape["jaw"] + 0.10 * man - 0.06)
    points[:17, 1] += np.maximum(points[:17, 1], 0) * (0.05 * shape["chin"] + 0.03 * man - 0.02)
    eyes, brows, nose, mouth = slice(36, 48), slice(17, 27), slice(27, 36), slice(48, 68)
    centre = side[eyes, None] * [0.3475, 0.0] + [0.0, -0.145]
    grow = [1 + 0.09 * shape["eye_size"], 1 + 0.18 * shape["eye_size"] + 0.10 * identity.female]
    points[eyes] = centre + (points[eyes] - centre) * grow
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


def pose_muscles(at_rest: np.ndarray, identity: Identity, units: dict[int, float]) -> np.ndarray:
    """Moves a person's resting points [68,2] by action units: float64 [68,2] in face units."""
    strengths = np.array([units.get(unit, 0.0) for unit in UNITS])
    moves = np.einsum("u,upd->pd", strengths, MOVES)
    # Frontalis beats corrugator: with the inner brow raised, AU4 draws the brows together, hardly down.
    moves[:, 1] -= MOVES[UNITS.index(4), :, 1] * units.get(4, 0.0) * 0.85 * min(units.get(1, 0.0), 1.0)
    return _keep_order(at_rest + moves * np.where(_ON_LEFT, *identity.sides)[:, None])


def _keep_order(points: np.ndarray) -> np.ndarray:
    """Keeps lids and lips from crossing; changes and returns `points`."""
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
