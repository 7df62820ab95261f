"""Identity of a drawn face, its 68 points at rest, and the facial action units of the seven expressions.

Everything here lives in face units: x to the viewer's right, y down, the eyes near y = -0.16, the chin near
y = 1.05, half a face about 0.78 wide. No pixel appears before `camera`.

Sources: Sagonas et al. 2013, "300 Faces in-the-Wild Challenge" (the order of the 68 points); Ekman, Friesen and Hager
2002, "Facial Action Coding System" (the action units of each expression).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fer_paddle.labels import EXPRESSIONS


def _read_numbers(table: dict[str, Any]) -> dict[str | int, Any]:
    return {int(key) if key.isdigit() else key: value for key, value in table.items()}


# Points at rest, palettes from light to dark, what action units move, action units of expressions, folds of the skin.
_TABLES = json.loads(Path(__file__).with_name("anatomy.json").read_text(encoding="utf-8"), object_hook=_read_numbers)
# The viewer's left half of a resting face: point index -> x, y.
LEFT_HALF: dict[int, tuple[float, float]] = _TABLES["left_half"]
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

_SKIN_BGR, _HAIR_BGR, _IRIS_BGR = (np.array(_TABLES[f"{name}_bgr"], np.float64) for name in ("skin", "hair", "iris"))
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
    place = min(int(at), len(palette) - 2)
    low, high = palette[place : place + 2]
    return low + (at - place) * (high - low)


def _pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    return names[int(np.searchsorted(np.cumsum(weights) / sum(weights), rng.random(), side="right"))]


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
_LEFT_MOVES: dict[int, dict[int, tuple[float, float]]] = _TABLES["action_units"]
# The ways each expression is shown: action unit -> strength. One of them is drawn per face.
_RECIPES: dict[str, list[dict[int, float]]] = _TABLES["expressions"]
UNITS = tuple(_LEFT_MOVES)
FOLDS: list[dict[str, Any]] = _TABLES["folds"]
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
