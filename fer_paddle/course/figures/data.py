"""Figures of chapter 1 and of notebook 00: how images come, are judged, changed and read."""

from __future__ import annotations

from fer_paddle.course.figures.canvas import (
    BLUE,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PAPER,
    SKIN,
    SMALL,
    SOFT,
    Canvas,
    Label,
    Say,
)
from fer_paddle.expression.recipes import STRONG
from fer_paddle.quality.suspects import FOLDS

_PEOPLE = ((16, 48, 46, 1.0, 0.0), (82, 22, 40, -0.8, 0.6), (138, 56, 50, 0.0, 0.0))  # x, y, side, smile, brows


def pipeline(say: Say) -> Canvas:
    """From a photo to names: find, cut, batch, classify, softmax."""
    draw = Canvas(600, 330, say)
    for left, step in ((0, "a photo"), (204, "1 find the boxes"), (408, "2 cut squares")):
        draw.text(102 + left, 22, step)
    for left in (0, 204):
        draw.area(8 + left, 38, 188, 110, "#e3eef5", LINE)
        for x, y, side, smile, brows in _PEOPLE:
            draw.face(6 + left + x, 20 + y, side, smile, brows)
            if left:
                draw.frame(6 + left + x, 20 + y, side, side, BLUE)
    for row, (_, _, _, smile, brows) in enumerate(_PEOPLE):
        draw.area(418 + 60 * row, 62, 54, 54, "#e3eef5", BLUE)
        draw.face(421 + 60 * row, 65, 48, smile, brows)
        draw.area(20 + 22 * row, 220 + 22 * row, 54, 54, "#cfd8dc", INK)
        draw.face(23 + 22 * row, 223 + 22 * row, 48, smile, brows)
    draw.arrow((197, 93), (210, 93))
    draw.arrow((401, 93), (416, 93))
    draw.arrow((505, 122), (505, 170), (75, 170), (75, 210))
    draw.text(290, 188, "3 one gray batch of one size", SMALL, SOFT)
    draw.arrow((128, 258), (168, 258))
    draw.box(170, 226, 140, 64, "4 expression", "network", color=ORANGE)
    draw.arrow((312, 258), (388, 258))
    draw.text(346, 242, "softmax", SMALL, SOFT)
    for row, (name, share) in enumerate((("happy", 0.92), ("sad", 0.71), ("neutral", 0.83))):
        draw.area(394, 226 + 26 * row, 100 * share, 16, "#9cc7e8")
        draw.text(500, 234 + 26 * row, name, anchor="start")
    draw.text(460, 314, "5 probabilities and a name", SMALL, SOFT)
    return draw


def collect_flow(say: Say) -> Canvas:
    """From pages and films to a folder of faces, with a manifest of all of it."""
    draw = Canvas(600, 268, say)
    draw.box(14, 20, 120, 48, "web pages", color=BLUE)
    draw.box(14, 92, 120, 48, "films", color=BLUE)
    draw.box(170, 20, 120, 48, "fetch politely")
    draw.box(170, 92, 120, 48, "sharpest frames", size=SMALL)
    for y in (44, 116):
        draw.arrow((135, y), (168, y))
        draw.line((291, y), (310, y), (310, 80))
    draw.arrow((310, 80), (328, 80))
    draw.box(330, 44, 116, 72, "one folder:", "names, format", color=GREEN, size=SMALL + 1)
    draw.arrow((447, 80), (470, 80))
    draw.box(472, 44, 114, 72, "no copies:", "dHash", color=GREEN, size=SMALL + 1)
    draw.arrow((529, 117), (529, 158))
    draw.box(472, 160, 114, 46, "keep faces", color=ORANGE)
    draw.arrow((470, 183), (448, 183))
    draw.box(330, 160, 116, 46, "cut mouths", color=ORANGE)
    draw.box(14, 160, 276, 46, "manifest: source, date, license, sha256", fill=PAPER, size=SMALL)
    draw.arrow((230, 141), (230, 158), color=SOFT, dashed=True)
    draw.text(300, 240, "originals are never changed: each step writes a new folder", SMALL, SOFT)
    return draw


def quality_flow(say: Say) -> Canvas:
    """The quality report: measures and judges that point at images, and a person who decides."""
    draw = Canvas(600, 290, say)
    draw.box(14, 110, 92, 60, "images,", "labels", color=BLUE)
    checks = ("light and sharpness", "copies, near copies", "likely wrong labels", "no face in it", "the crowd's votes")
    for row, check in enumerate(checks):
        y = 22 + 48 * row
        draw.arrow((107, 140), (128, 140), (128, y + 19), (146, y + 19))
        draw.box(148, y, 176, 38, check, size=SMALL + 2)
        draw.line((325, y + 19), (346, y + 19), (346, 140))
    draw.arrow((346, 140), (366, 140))
    draw.box(368, 96, 100, 88, "report:", "numbers,", "images", color=ORANGE)
    draw.arrow((469, 140), (492, 140))
    draw.box(494, 110, 92, 60, "a person", "decides", color=GREEN)
    draw.text(480, 270, "never by itself, never in the test set", SMALL, SOFT)
    return draw


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


FIGURES = (pipeline, collect_flow, quality_flow, folds, augmentation_chain)
