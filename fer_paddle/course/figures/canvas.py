"""One drawing in the style of the course's figures: lines, arrows, plots and labels, written as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

INK, SOFT, LINE = "#263238", "#546e7a", "#b0bec5"
BLUE, ORANGE, GREEN, RED, PURPLE = "#1565a0", "#c25e00", "#2e7d32", "#b71c1c", "#6a3d9a"
FONTS = "Arial, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
SIZE, SMALL = 17, 14  # of text, at a width of 600: 10 and 8 pixels on a phone

Point = tuple[float, float]


class Canvas:
    """An SVG, `root`, of a fixed size in pixels; the course uses a width of 600."""

    def __init__(self, width: int, height: int) -> None:
        size = {"width": str(width), "height": str(height)}
        self.root = ElementTree.Element(
            "svg",
            {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", **size, "font-family": FONTS},
        )
        self._add("rect", width=width, height=height, rx=8, fill="#fbfaf7")

    def text(
        self, x: float, y: float, label: str, size: float = SIZE, color: str = INK, anchor: str = "middle",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write one line whose middle is at height y; `anchor` is start, middle or end of it at x."""
        element = self._add("text", x=x, y=y + 0.35 * size, font_size=size, fill=color, text_anchor=anchor)
        if bold:
            element.set("font-weight", "bold")
        element.text = label

    def area(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "none") -> None:
        """Fill a rectangle with sharp corners."""
        self._add("rect", x=x, y=y, width=width, height=height, fill=fill, stroke=edge)

    def frame(self, x: float, y: float, width: float, height: float, color: str, thick: float = 2.5) -> None:
        """Draw the border of a rectangle."""
        self._add("rect", x=x, y=y, width=width, height=height, fill="none", stroke=color, stroke_width=thick)

    def circle(self, x: float, y: float, radius: float, color: str) -> None:
        """Draw a disc."""
        self._add("circle", cx=x, cy=y, r=radius, fill=color, stroke=color, stroke_width=1.5)

    def line(self, *points: Point, color: str = INK, width: float = 2) -> None:
        """Draw straight pieces through points."""
        element = self._add("polyline", points=_list(points), fill="none", stroke=color, stroke_width=width)
        element.set("stroke-linejoin", "round")

    def polygon(self, points: Sequence[Point], fill: str) -> None:
        """Fill a polygon."""
        self._add("polygon", points=_list(points), fill=fill, stroke="none")

    def arrow(self, *points: Point, color: str = INK, width: float = 2) -> None:
        """Draw straight pieces through points, with a head at the last."""
        (x0, y0), (x, y) = points[-2:]
        length = math.hypot(x - x0, y - y0)
        dx, dy = (x - x0) / length * 9, (y - y0) / length * 9
        self.line(*points[:-1], (x - dx * 0.8, y - dy * 0.8), color=color, width=width)
        self.polygon([(x, y), (x - dx + dy / 2, y - dy - dx / 2), (x - dx - dy / 2, y - dy + dx / 2)], color)

    def axes(self, x: float, y: float, width: float, height: float, below: str, above: str) -> None:
        """Draw two axes from the lower left corner (x, y), with what they count at the ends."""
        self.arrow((x, y), (x + width, y), color=SOFT, width=1.5)
        self.arrow((x, y), (x, y - height), color=SOFT, width=1.5)
        self.text(x + width, y + 14, below, SMALL, SOFT, "end")
        self.text(x + 8, y - height + 4, above, SMALL, SOFT, "start")

    def _add(self, kind: str, **attributes: str | float) -> ElementTree.Element:
        named = {name.replace("_", "-"): _n(value) for name, value in attributes.items()}
        return ElementTree.SubElement(self.root, kind, named)


def _n(value: str | float) -> str:
    """Write a number to a tenth: enough for an eye, and the same on every machine."""
    return value if isinstance(value, str) else f"{round(value, 1) + 0.0:g}"


def _list(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
