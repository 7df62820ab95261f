"""Figures of networks: blocks, convolutions and what they cost."""

from __future__ import annotations

from fer_paddle.course.figures.canvas import BLUE, ORANGE, RED, SMALL, SOFT, Canvas, Say
from fer_paddle.models.distresnet import BLOCKS_PER_STAGE, EXPANSION, STAGE_FILTERS
from yolo3tiny.keypoint.model import KeypointNetwork, receptive_field

_SIDE = 56  # pixels at which DistResNet ships


def residual_block(say: Say) -> Canvas:
    """The bottleneck of DistResNet and the way around it."""
    draw, few = Canvas(600, 268, say), STAGE_FILTERS[0]
    many, blocks = few * EXPANSION, BLOCKS_PER_STAGE * len(STAGE_FILTERS)
    draw.text(28, 110, "x", bold=True)
    draw.arrow((40, 110), (78, 110))
    for at, (kernel, channels) in enumerate((("1×1", few), ("3×3", few), ("1×1", many))):
        x = 80 + 114 * at
        draw.box(x, 80, 92, 60, ("conv {}", kernel), "BN" if at == 2 else "BN, ELU", color=BLUE)
        draw.arrow((x + 93, 110), (x + 112, 110))
        draw.text(x + 46, 156, ("{} channels", channels), SMALL, SOFT)
    draw.text(240, 58, "F: learns what to add", bold=True)
    draw.arrow((58, 110), (58, 212), (434, 212), (434, 126), color=ORANGE, width=2.5)
    draw.text(240, 194, "W x: a 1×1 conv where the shape changes,", SMALL, ORANGE)
    draw.text(
        240, 232, ("nothing where it does not: {0} of {1} blocks", blocks - len(STAGE_FILTERS), blocks), SMALL, ORANGE
    )
    draw.circle(434, 110, 14, ORANGE, label="+")
    draw.arrow((449, 110), (466, 110))
    draw.box(468, 88, 46, 44, "ELU")
    draw.arrow((515, 110), (530, 110))
    draw.box(532, 80, 56, 60, "BN,", "ELU")
    draw.text(530, 58, "after the block", SMALL, SOFT)
    return draw


def distresnet(say: Say) -> Canvas:
    """DistResNet: height shows the side of the maps, width the number of channels."""
    draw, side, x = Canvas(600, 262, say), _SIDE, 70.0
    draw.face(12, 84, 56, 0.8)
    draw.text(40, 160, ("{} px", _SIDE), SMALL)
    for stage, filters in enumerate((None, *STAGE_FILTERS)):
        channels = 16 if filters is None else filters * EXPANSION
        side = side if stage == 1 else -(-side // 2)  # the stem halves, and each stage after the first
        width, height = 34 + channels * 0.14, 22 + side * 4.4
        draw.arrow((x, 112), (x + 22, 112), width=1.5)
        draw.box(x + 23, 112 - height / 2, width, height, color=SOFT if filters is None else BLUE)
        draw.text(x + 23 + width / 2, 112, "stem" if filters is None else ("× {}", BLOCKS_PER_STAGE), SMALL)
        draw.text(x + 23 + width / 2, 200, ("{} px", side), SMALL)
        draw.text(x + 23 + width / 2, 220, ("{} ch", channels), SMALL, SOFT)
        x += 23 + width
    draw.arrow((x, 112), (x + 16, 112), width=1.5)
    draw.box(x + 17, 80, 60, 64, "mean,", "linear", color=ORANGE, size=SMALL)
    draw.text(x + 47, 200, "7", SMALL)
    draw.text(x + 47, 220, "logits", SMALL, SOFT)
    draw.text(300, 246, "sides of the maps above, channels below", SMALL, SOFT)
    return draw


def small_layers(say: Say) -> Canvas:
    """Four ways from a to b channels: the height of a bar is a number of channels."""
    draw, a = Canvas(600, 330, say), 64
    b = a
    squeezed = b // 8
    rows = (
        ("plain", (a, b), ("3×3",), 9 * a * b),
        ("bottleneck", (a, b // 4, b // 4, b), ("1×1", "3×3", "1×1"), a * b // 4 + 9 * b * b // 16 + b * b // 4),
        ("squeeze", (a, squeezed, b), ("1×1", "1×1, 3×3"), a * squeezed + 10 * squeezed * (b // 2)),
        ("depthwise separable", (a, a, b), ("3×3", "1×1"), 9 * a + a * b),
    )
    for at, (name, channels, kernels, weights) in enumerate(rows):
        left, y = 20 + 300 * (at % 2), 84 + 160 * (at // 2)
        draw.text(left + 130, y - 64, name, bold=True)
        gap = 220 / max(len(channels) - 1, 1)
        for step, count in enumerate(channels):
            x = left + 20 + gap * step
            draw.area(x - 7, y - count * 0.7, 14, count * 1.4, "#9cc7e8", BLUE)
            if step:
                draw.arrow((x - gap + 12, y), (x - 10, y), color=RED if name[0] == "d" and step == 1 else SOFT)
                draw.text(x - gap / 2, y - 14, kernels[step - 1], SMALL)
        draw.text(left + 130, y + 62, ("{} weights", f"{weights:,}"), SMALL, SOFT)
    return draw


def receptive_fields(say: Say) -> Canvas:
    """What one cell sees, through three convolutions of kernel 3 and stride 2."""
    draw, unit, middle, depth = Canvas(600, 306, say), 24, 250, 3
    seen = [1]  # cells of each level that the one at the top depends on, from the top down
    for _ in range(depth):
        seen.append(2 * seen[-1] + 1)
    for level, count in enumerate(seen[::-1]):  # level 0: pixels
        y, step = 246 - 68 * level, unit * 2**level
        edge = count // 2 * step  # from the middle to the outermost cell seen
        for at in range(-9 // 2**level, 9 // 2**level + 1):
            if abs(at * step) <= 9 * unit:
                fill = "#f5b67e" if abs(at) <= count // 2 else "#eceff1"
                draw.area(middle + at * step - 11, y - 11, 22, 22, fill, SOFT)
        if level:
            reach = edge + step / 2
            draw.line((middle - edge - 11, y + 12), (middle - reach - 11, y + 56), color=ORANGE, width=1.5)
            draw.line((middle + edge + 11, y + 12), (middle + reach + 11, y + 56), color=ORANGE, width=1.5)
        sees = "pixels" if level == 0 else ("sees {} px", 2 ** (level + 1) - 1)
        draw.text(588, y, sees, SMALL, anchor="end")
    draw.text(22, 20, "kernel 3, stride 2", SMALL, SOFT, "start")
    field, stride = receptive_field(KeypointNetwork())
    draw.text(300, 286, ("the whole network: one cell sees {} px, cells lie {} px apart", field, stride), SMALL, SOFT)
    return draw


FIGURES = (residual_block, distresnet, small_layers, receptive_fields)
