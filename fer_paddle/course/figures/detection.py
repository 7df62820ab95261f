"""Figures of notebooks 12 and 14: grids, anchors, boxes and their arithmetic."""

from __future__ import annotations

import numpy as np

from fer_paddle.course.figures.canvas import BLUE, GREEN, ORANGE, RED, SMALL, SOFT, Canvas, Say
from yolo3tiny.anchors import ANCHOR_MASKS, ANCHORS, STRIDES
from yolo3tiny.boxes import iou as iou_of
from yolo3tiny.boxes import letterbox as fit
from yolo3tiny.decode import nms as suppress

_INPUT = 416
_OUTPUTS = len(ANCHOR_MASKS[0]) * 6  # of a cell: three anchors of six numbers


def two_heads(say: Say) -> Canvas:
    """Tiny YOLOv3: one body, two grids."""
    draw = Canvas(600, 280, say)
    coarse, fine = (_INPUT // stride for stride in STRIDES)
    draw.box(10, 40, 84, 84, "image", f"{_INPUT}²", color=BLUE)
    draw.arrow((95, 82), (116, 82))
    draw.box(118, 46, 112, 72, "5 conv, 4 pool", f"{fine}² · 256", size=SMALL)
    draw.arrow((231, 82), (258, 82))
    draw.box(260, 46, 112, 72, "3 conv, 2 pool", f"{coarse}² · 256", size=SMALL)
    draw.arrow((373, 82), (440, 82))
    draw.box(442, 46, 144, 72, ("head, stride {}", STRIDES[0]), f"{coarse}² · {_OUTPUTS}", color=ORANGE, size=SMALL + 1)
    draw.text(514, 28, "large faces", SMALL, SOFT)
    draw.arrow((406, 82), (406, 150), (316, 150), (316, 172))
    draw.box(260, 174, 112, 52, "1×1 conv", "up × 2", size=SMALL)
    draw.arrow((373, 200), (386, 200))
    draw.box(388, 184, 44, 32, "concat", size=13)
    draw.arrow((433, 200), (444, 200))
    draw.arrow((244, 82), (244, 250), (410, 250), (410, 218))
    draw.box(446, 164, 144, 72, ("head, stride {}", STRIDES[1]), f"{fine}² · {_OUTPUTS}", color=ORANGE, size=SMALL + 1)
    draw.text(514, 252, "small faces", SMALL, SOFT)
    draw.text(120, 200, "what: from the deep layers", SMALL, SOFT)
    draw.text(120, 222, "where: from the early ones", SMALL, SOFT)
    return draw


def anchors(say: Say) -> Canvas:
    """The two grids with their anchors, to scale."""
    draw, scale = Canvas(600, 346, say), 270 / _INPUT
    for head, (stride, mask) in enumerate(zip(STRIDES, ANCHOR_MASKS)):
        left, top, cell = 15 + 300 * head, 40, stride * scale
        count = _INPUT // stride
        draw.text(left + 135, 20, ("stride {}: {} cells", stride, f"{count} × {count}"), bold=True)
        draw.area(left, top, 270, 270, "#eef3f6")
        draw.grid(left, top, count, count, cell, "#cfd8dc")
        at = count // 2
        draw.area(left + at * cell, top + at * cell, cell, cell, "#f5b67e")
        middle = (at + 0.5) * cell
        for anchor, color in zip(mask, (GREEN, BLUE, RED)):
            width, height = (side * scale for side in ANCHORS[anchor])
            draw.frame(left + middle - width / 2, top + middle - height / 2, width, height, color)
        names = ",  ".join("{} × {}".format(*ANCHORS[anchor]) for anchor in mask)
        draw.text(left + 135, 328, names, SMALL)
    return draw


def iou(say: Say) -> Canvas:
    """Intersection over union of two boxes."""
    draw = Canvas(600, 230, say)
    first, second = np.array([[30.0, 30, 150, 150]]), np.array([[80.0, 70, 200, 190]])
    share = float(iou_of(first, second)[0, 0])
    left, top, right, bottom = 80, 70, 150, 150
    draw.area(30, 30, 120, 120, "#dbeaf7")
    draw.area(80, 70, 120, 120, "#dff0e0")
    draw.area(left, top, right - left, bottom - top, "#f5b67e")
    draw.frame(30, 30, 120, 120, BLUE)
    draw.frame(80, 70, 120, 120, GREEN)
    draw.text(46, 46, "A", color=BLUE, bold=True)
    draw.text(184, 174, "B", color=GREEN, bold=True)
    both = (right - left) * (bottom - top)
    draw.text(300, 60, "IoU =", bold=True)
    draw.text(440, 48, "intersection")
    draw.line((340, 64), (540, 64))
    draw.text(440, 82, "union")
    draw.text(300, 134, "=")
    draw.text(440, 122, f"{right - left} · {bottom - top}")
    draw.line((340, 138), (540, 138))
    draw.text(440, 156, f"120² + 120² − {both:,}")
    draw.text(320, 202, f"= {share:.2f}", bold=True)
    draw.text(470, 202, "1: equal, 0: apart", SMALL, SOFT)
    return draw


def nms(say: Say) -> Canvas:
    """Non-maximum suppression: the best box stays, those that overlap it go."""
    draw, threshold = Canvas(600, 262, say), 0.45
    boxes = np.array(
        [[42, 52, 122, 162], [54, 64, 130, 170], [34, 46, 112, 150], [164, 74, 236, 174], [174, 66, 250, 168.0]]
    )
    scores = np.array([0.94, 0.71, 0.62, 0.88, 0.57])
    kept = set(suppress(boxes, scores, threshold).tolist())
    for side, chosen in ((0, range(5)), (1, sorted(kept))):
        left = 8 + 306 * side
        draw.area(left, 34, 278, 186, "#eef3f6")
        draw.face(left + 34, 58, 96, 0.9)
        draw.face(left + 158, 82, 84, -0.4, 0.4)
        for at in chosen:
            x0, y0, x1, y1 = boxes[at]
            draw.frame(left + x0, y0, x1 - x0, y1 - y0, GREEN if at in kept else RED, 3 if at in kept else 1.5)
        for at in kept:
            draw.text(left + (boxes[at][0] + boxes[at][2]) / 2, 206, f"{scores[at]:.2f}", SMALL, GREEN, bold=True)
    draw.text(147, 18, "5 boxes that score")
    draw.text(453, 18, "2 boxes, a face each")
    draw.arrow((287, 126), (312, 126))
    draw.text(300, 242, ("red: IoU above {} with a better box", threshold), SMALL, RED)
    return draw


def letterbox(say: Say) -> Canvas:
    """A letterbox: scaled alike, padded with gray; and how boxes go back."""
    draw = Canvas(600, 290, say)
    width, height = 640, 400
    _, square = fit(np.zeros((height, width, 3), np.uint8), (_INPUT, _INPUT))
    padded, thrifty = fit(np.zeros((height, width, 3), np.uint8), longest=_INPUT)
    scale = 0.28
    draw.text(100, 22, ("photo {}", f"{width} × {height}"))
    _photo(draw, 10, 44, width * scale, height * scale)
    draw.arrow((196, 100), (226, 100))
    side = 190
    draw.text(325, 22, f"{_INPUT} × {_INPUT}")
    draw.area(230, 44, side, side, "#9e9e9e")
    inside = side * square.scale / _INPUT
    _photo(draw, 230, 44 + square.top * side / _INPUT, width * inside, height * inside)
    draw.text(325, 252, ("scale {}, top {}", f"{square.scale:.2f}", square.top), SMALL)
    draw.text(515, 22, f"{padded.shape[1]} × {padded.shape[0]}")
    ratio = 150 / padded.shape[1]
    draw.area(440, 44, 150, padded.shape[0] * ratio, "#9e9e9e")
    inside = ratio * thrifty.scale
    _photo(draw, 440, 44 + thrifty.top * ratio, width * inside, height * inside)
    draw.text(515, 172, "multiples of 32:", SMALL, SOFT)
    draw.text(515, 190, "less gray, less work", SMALL, SOFT)
    draw.text(300, 276, "and back: photo = (network − (left, top)) / scale", SMALL, SOFT)
    return draw


def _photo(draw: Canvas, x: float, y: float, width: float, height: float) -> None:
    draw.area(x, y, width, height, "#d8ebf7", SOFT)
    draw.face(x + width * 0.2, y + height * 0.2, height * 0.55, 0.8)
    draw.face(x + width * 0.6, y + height * 0.35, height * 0.45, 0)


FIGURES = (two_heads, anchors, iou, nms, letterbox)
