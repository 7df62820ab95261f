"""Who a drawn face is: identity and the 68 points at rest.

Everything here lives in face units: x to the viewer's right, y down, the eyes near y = -0.16, the chin near
y = 1.05, half a face about 0.78 wide. No pixel appears before `camera`.

Source: Sagonas et al. 2013, "300 Faces in-the-Wild Challenge" (the order of the 68 points).
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

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


def _mirror_index() -> np.ndarray:
    """Gives, for each of the 68 points, the index of its twin on the other side of the face."""
    twin = np.arange(68)
    twin[:17] = 16 - np.arange(17)
    twin[17:27] = 43 - np.arange(17, 27)
    twin[31:36] = 66 - np.arange(31, 36)
    pairs = ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52),
             (59, 55), (58, 56), (60, 64), (61, 63), (67, 65))  # fmt: skip
    for left, right in pairs:
        twin[left], twin[right] = right, left
    return twin


MIRROR = _mirror_index()


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
                      (120, 175, 215), (40, 62, 130), (150, 152, 155), (205, 206, 208)],
                     np.float64)  # fmt: skip
_IRIS_BGR = np.array([(22, 36, 62), (28, 52, 92), (60, 96, 110), (90, 120, 90), (150, 120, 80),
                      (140, 140, 130)], np.float64)  # fmt: skip
_BLACK_TO_BROWN, _GRAY = 2.2, 6.5  # places in _HAIR_BGR
_DARK_TONE = 3.5  # place in _SKIN_BGR from which on hair and eyes are dark
HAIR_STYLES = ("bald", "buzz", "short", "side", "long", "bob", "bun")
BEARDS = ("none", "stubble", "moustache", "full")
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


_SHAPES = ("width", "jaw", "chin", "eye_gap", "eye_size", "eye_tilt", "brow_height", "brow_arch",
           "brow_weight", "nose_width", "nose_length", "mouth_width", "lips", "mouth_height",
           "depth")  # fmt: skip


def _blend(palette: np.ndarray, at: float) -> np.ndarray:
    """Read a palette [K,3] at a place between 0 and K-1."""
    low = min(int(at), len(palette) - 2)
    return palette[low] + (palette[low + 1] - palette[low]) * (at - low)


def _pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    totals = list(accumulate(weights))
    return names[bisect(totals, rng.random() * totals[-1])]


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
    hair = _pick(rng, HAIR_STYLES, (0, 1, 5, 9, 16, 9, 7) if woman else (6, 10, 25, 18, 3, 1, 1))
    beard = "none" if woman or age < 0.15 else _pick(rng, BEARDS, (54, 20, 11, 15))
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
