"""One drawing in the style of the course's figures: boxes, arrows, grids, plots and labels, written as SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

INK, SOFT, LINE, PAPER, SKIN = "#263238", "#546e7a", "#b0bec5", "#ffffff", "#ffe0b2"
BLUE, ORANGE, GREEN, RED, PURPLE = "#1565a0", "#c25e00", "#2e7d32", "#b71c1c", "#6a3d9a"
PALE = {SOFT: "#eceff1", BLUE: "#dbeaf7", ORANGE: "#fde8d3", GREEN: "#dff0e0", RED: "#fbdcd9", PURPLE: "#e8def3"}
FONTS = "Arial, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
SIZE, SMALL = 17, 14  # of text, at a width of 600: 10 and 8 pixels on a phone
_WORD = re.compile(r"[a-z]{2}")

Label = str | tuple[object, ...]  # a tuple: a template with {} and what fills it
Say = Callable[[str], str]
Point = tuple[float, float]


class Canvas:
    """An SVG of a fixed size in pixels; the course uses a width of 600.

    `say` translates the labels that `translate` hands it.
    """

    def __init__(self, width: int, height: int, say: Say) -> None:
        self._say = say
        size = {"width": str(width), "height": str(height)}
        self._root = ElementTree.Element(
            "svg",
            {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", **size, "font-family": FONTS},
        )
        self._add("rect", width=width, height=height, rx=8, fill="#fbfaf7")

    def to_svg(self) -> str:
        """Return the file's text."""
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def text(
        self, x: float, y: float, label: Label, size: float = SIZE, color: str = INK, anchor: str = "middle",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write one line whose middle is at height y; `anchor` is start, middle or end of it at x."""
        element = self._add("text", x=x, y=y + 0.35 * size, font_size=size, fill=color, text_anchor=anchor)
        if bold:
            element.set("font-weight", "bold")
        element.text = self._read(label)

    def box(
        self, x: float, y: float, width: float, height: float, *labels: Label, color: str = SOFT, size: float = SIZE
    ) -> None:
        """Draw a box with a line of text for each label in its middle."""
        self._add("rect", x=x, y=y, width=width, height=height, rx=6, fill=PALE[color], stroke=color, stroke_width=1.5)
        for index, label in enumerate(labels):
            middle = y + height / 2 + (index - (len(labels) - 1) / 2) * 1.25 * size
            self.text(x + width / 2, middle, label, size)

    def area(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "none") -> None:
        """Fill a rectangle with sharp corners."""
        self._add("rect", x=x, y=y, width=width, height=height, fill=fill, stroke=edge)

    def frame(self, x: float, y: float, width: float, height: float, color: str, thick: float = 2.5) -> None:
        """Draw the border of a rectangle."""
        self._add("rect", x=x, y=y, width=width, height=height, fill="none", stroke=color, stroke_width=thick)

    def circle(self, x: float, y: float, radius: float, color: str = INK, fill: str = PAPER, label: Label = "") -> None:
        """Draw a disc, with text in its middle."""
        self._add("circle", cx=x, cy=y, r=radius, fill=fill, stroke=color, stroke_width=1.5)
        if label:
            self.text(x, y, label)

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

    def grid(self, x: float, y: float, columns: int, rows: int, cell: float, color: str = LINE) -> None:
        """Draw the lines of a grid as one path."""
        across = [f"M{_n(x)} {_n(y + row * cell)}h{_n(columns * cell)}" for row in range(rows + 1)]
        down = [f"M{_n(x + column * cell)} {_n(y)}v{_n(rows * cell)}" for column in range(columns + 1)]
        self._add("path", d="".join(across + down), fill="none", stroke=color)

    def axes(self, x: float, y: float, width: float, height: float, below: Label = "", above: Label = "") -> None:
        """Draw two axes from the lower left corner (x, y), with what they count at the ends."""
        self.arrow((x, y), (x + width, y), color=SOFT, width=1.5)
        self.arrow((x, y), (x, y - height), color=SOFT, width=1.5)
        if below:
            self.text(x + width, y + 14, below, SMALL, SOFT, "end")
        if above:
            self.text(x + 8, y - height + 4, above, SMALL, SOFT, "start")

    def face(
        self, x: float, y: float, side: float, smile: float = 1, brows: float = 0, transform: str = "",
        fill: str = SKIN,
    ) -> None:  # fmt: skip
        """Draw a face inside a square at (x, y): smile from -1 to 1, inner ends of the brows down (-1) to up (1).

        `transform` is SVG's own, in a square of 100.
        """
        face = ElementTree.SubElement(self._root, "g", {"fill": "none", "stroke": INK, "stroke-width": "3.5"})
        face.set("transform", f"translate({_n(x)} {_n(y)}) scale({_n(side / 100)}) {transform}".strip())
        ElementTree.SubElement(face, "circle", {"cx": "50", "cy": "50", "r": "44", "fill": fill})
        outer, inner = _n(28 - 4 * abs(brows)), _n(28 - 6 * brows)
        eyes, lines = "M34 40v7M66 40v7", f"M25 {outer}L42 {inner}M58 {inner}L75 {outer}"
        mouth = f"M30 {_n(68 - 6 * smile)}Q50 {_n(68 + 22 * smile)} 70 {_n(68 - 6 * smile)}"
        ElementTree.SubElement(face, "path", {"d": eyes + lines + mouth, "stroke-linecap": "round"})

    def _read(self, label: Label) -> str:
        template, *values = (label,) if isinstance(label, str) else label
        text = str(template)
        return translate(text, self._say).format(*values)

    def _add(self, kind: str, **attributes: str | float) -> ElementTree.Element:
        named = {name.replace("_", "-"): _n(value) for name, value in attributes.items()}
        return ElementTree.SubElement(self._root, kind, named)


def translate(label: str, say: Say) -> str:
    """Return a label as `say` gives it; one without two small letters in a row is the same in every language."""
    return say(label) if _WORD.search(label) else label


def _n(value: str | float) -> str:
    """Write a number to a tenth: enough for an eye, and the same on every machine."""
    return value if isinstance(value, str) else f"{round(value, 1) + 0.0:g}"


def _list(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
