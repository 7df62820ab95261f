"""What the muscles of a drawn face do: facial action units, and how the seven expressions are made of them.

Source: Ekman, Friesen and Hager 2002, "Facial Action Coding System" (the action units of each expression).
"""

from __future__ import annotations

import numpy as np

from fer_paddle.drawn.anatomy import LEFT_HALF, Identity, both_sides
from fer_paddle.labels import EXPRESSIONS

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
    # A resting face is never quite at rest: lids and lips differ a little from one picture to the next.
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
