"""Figures of chapter 1 and of notebook 00: how images come, are judged, changed and read."""

from __future__ import annotations

from fer_paddle.course.figures.canvas import (
    BLUE,
    INK,
    LINE,
    ORANGE,
    SKIN,
    SMALL,
    SOFT,
    Canvas,
    Label,
    Say,
)
from fer_paddle.expression.recipes import STRONG
from fer_paddle.quality.suspects import FOLDS


def folds(say: Say) -> Canvas:
    """Cross-validation: each image is judged by a model that did not learn from it."""
    draw = Canvas(600, 70 + 40 * FOLDS, say)
    for fold in range(FOLDS):
        draw.text(132 + 60 * fold, 22, ("part {}", fold + 1), SMALL)
    for model in range(FOLDS):
        y = 40 + 40 * model
        draw.text(52, y + 15, ("model {}", model + 1))
        for fold in range(FOLDS):
            draw.box(106 + 60 * fold, y, 52, 30, color=ORANGE if fold == model else BLUE)
        draw.arrow((106 + 60 * FOLDS, y + 15), (450, y + 15), color=SOFT)
        draw.text(458, y + 15, ("probabilities of {}", model + 1), SMALL, anchor="start")
    y = 54 + 40 * FOLDS
    draw.area(106, y - 7, 14, 14, "#9cc7e8")
    draw.text(126, y, "learned from", SMALL, anchor="start")
    draw.area(260, y - 7, 14, 14, "#f5b67e")
    draw.text(280, y, "judged, not learned from", SMALL, anchor="start")
    return draw


def augmentation_chain(say: Say) -> Canvas:
    """The changes of the recipe `strong`, one after the other; the geometric ones are one matrix."""
    draw, strong = Canvas(600, 322, say), STRONG.augment
    turn, zoom = strong.rotate_deg, 1 + strong.scale
    shift = f"{100 * strong.shift:g}"
    around = f"translate(50 50) rotate({turn:g}) "
    at_last = f"translate({shift} {shift}) {around}scale({zoom:g}) translate(-50 -50)"
    panels: tuple[tuple[Label, str, str], ...] = (
        ("the face", INK, "rotate(0)"),
        (("flip, p = {}", strong.flip), ORANGE, "translate(100 0) scale(-1 1)"),
        (("rotate {}°", f"{turn:g}"), ORANGE, around + "translate(-50 -50)"),
        (("scale {}", f"× {zoom:g}"), ORANGE, f"{around}scale({zoom:g}) translate(-50 -50)"),
        (("shift {} %", shift), ORANGE, at_last),
        (("contrast ± {} %", f"{100 * strong.contrast:g}"), BLUE, at_last),
        (("erase, p = {}", strong.erase), BLUE, at_last),
    )
    for at, (label, color, transform) in enumerate(panels):
        x, y = (14 + 148 * at, 14) if at < 4 else (14 + 148 * (at - 4), 172)
        draw.area(x, y, 116, 116, "#b9c6cc" if color == BLUE else "#e3eef5", LINE)
        draw.face(x + 14, y + 14, 88, 1, 0.3, transform, "#e0c9a6" if color == BLUE else SKIN)
        draw.text(x + 58, y + 130, label, SMALL, color)
        if at not in (3, 6):
            draw.arrow((x + 119, y + 58), (x + 145, y + 58))
    draw.area(372, 194, 40, 38, "#78909c")
    for row, (label, color) in enumerate((("geometry:", ORANGE), ("one matrix", ORANGE), ("then light", BLUE))):
        draw.text(510, 200 + 24 * row, label, color=color)
    return draw


FIGURES = (folds, augmentation_chain)
