"""Figures of chapters 5 to 7: filters that go together, integers for real numbers, files and engines."""

from __future__ import annotations

import numpy as np

from fer_paddle.compression.quant_params import asymmetric
from fer_paddle.course.figures.canvas import BLUE, GREEN, INK, ORANGE, RED, SMALL, SOFT, Canvas, Say
from fer_paddle.deployment.runtimes import RUNTIME_OF


def number_line(say: Say) -> Canvas:
    """A real number, its integer and back, between -1 (ELU's floor) and 4; sixteen steps are drawn."""
    draw, low, high = Canvas(600, 270, say), -1.0, 4.0
    few, full = asymmetric(low, high, bits=4), asymmetric(low, high)
    real = 2.1
    integer = int(few.quantize(np.array(real)))
    back = float(few.dequantize(np.array(integer)))

    def place(value: float | np.ndarray) -> float:
        return 90 + (float(value) - low) * 88

    draw.arrow((30, 76), (580, 76), color=SOFT)
    draw.area(place(low), 71, place(high) - place(low), 10, "#9cc7e8")
    for value in range(-1, 5):
        draw.line((place(value), 70), (place(value), 82))
        draw.text(place(value), 54, f"{value}".replace("-", "−"), SMALL)
    draw.text(24, 24, "real r", bold=True, anchor="start")
    draw.text(24, 196, "integer q", bold=True, anchor="start")
    for step in range(few.low, few.high + 1):
        x = place(few.dequantize(np.array(step)))
        special = step in (integer, int(few.zero_point))
        draw.line((x, 140), (x, 156), color=ORANGE if special else INK, width=3 if special else 1.5)
        if special or step in (few.low, few.high):
            draw.text(x, 170, f"{step}".replace("-", "−"), SMALL)
    ends = (place(few.dequantize(np.array(step))) for step in (few.low, few.high))
    draw.line(*((x, 148) for x in ends), color=SOFT)
    draw.circle(place(real), 76, 5, RED, RED)
    draw.arrow((place(real), 84), (place(back), 138), color=RED)
    draw.text(place(real) + 20, 108, f"r = {real}  →  q = {integer}  →  r̂ = {back:.2f}", SMALL, RED, "start")
    draw.arrow((place(0), 84), (place(0), 138), color=ORANGE)
    draw.text(place(0) - 8, 108, "0 is exact", SMALL, ORANGE, "end")
    draw.text(place(0), 196, "zero point z", SMALL, ORANGE)
    draw.text(place(high) + 4, 24, "beyond: cut off", SMALL, SOFT, "middle")
    draw.text(300, 226, ("4 bits: s = {}; the error is at most s / 2", f"{float(few.scale):.3f}"), SMALL)
    values = (f"{float(full.scale):.4f}", f"{int(full.zero_point)}".replace("-", "−"))
    draw.text(300, 250, ("8 bits, 256 steps: s = {}, z = {}", *values), SMALL)
    return draw


def runtimes(say: Say) -> Canvas:
    """One network, the files it becomes, and the engines that read them."""
    draw = Canvas(600, 330, say)
    suffix = {runtime: ending for ending, runtime in RUNTIME_OF.items()}
    draw.box(12, 120, 96, 64, ("{}", "Paddle"), "network", color=BLUE)
    rows: tuple[tuple[str, int, tuple[str, ...]], ...] = (
        (suffix["paddle"], 30, ("Paddle Inference",)),
        (suffix["onnx"], 110, ("ONNX Runtime,", "OpenVINO, TensorRT")),
        (suffix["ncnn"] + " .bin", 180, ("ncnn",)),
        (suffix["mnn"], 232, ("MNN",)),
        (suffix["litert"], 284, ("LiteRT",)),
    )
    for endings, y, engines in rows:
        x, height, head = (160, 60, ("graph",)) if endings == suffix["onnx"] else (290, 36, ())
        draw.box(x, y - height / 2, 100, height, *head, ("{}", endings), size=SMALL + 1)
        draw.arrow((x + 102, y), (428, y))
        draw.box(430, y - height / 2, 158, height, *(("{}", engine) for engine in engines), color=GREEN, size=SMALL)
    draw.arrow((60, 119), (60, 30), (288, 30))
    draw.arrow((109, 152), (130, 152), (130, 110), (158, 110))
    draw.line((210, 141), (210, 284))
    for y in (180, 232, 284):
        draw.arrow((210, y), (288, y))
    draw.text(100, 236, "merged: BN into conv;", SMALL, SOFT)
    draw.text(100, 256, "checked: equal answers", SMALL, SOFT)
    return draw


FIGURES = (number_line, runtimes)
