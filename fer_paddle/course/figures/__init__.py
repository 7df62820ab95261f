"""The figures of the notebooks: notebooks/figures/NAME.svg, and NAME.zh.svg with Chinese labels by labels.csv.

What has numbers is a function of its name that draws on a Canvas and takes them from the library, so that a figure
cannot tell another story than the code. The others are the English SVG files themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from fer_paddle.course.figures import compression, data, detection, learning, networks, points
from fer_paddle.course.figures.canvas import Canvas, Say, translate
from fer_paddle.environment import REPOSITORY
from fer_paddle.files import replacing
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH

FOLDER = REPOSITORY / "notebooks" / "figures"
LANGUAGES = {"en": ".svg", "zh": ".zh.svg"}
_SVG = "http://www.w3.org/2000/svg"
FIGURES: dict[str, Callable[[Say], Canvas]] = {
    figure.__name__: figure
    for module in (data, learning, networks, detection, points, compression)
    for figure in module.FIGURES
}


def names() -> list[str]:
    """Return the names of all figures."""
    return sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.svg")} | FIGURES.keys())


def draw(name: str, say: Say) -> str:
    """Return the SVG of a figure with the labels that `say` gives for the English ones."""
    if name in FIGURES:
        return FIGURES[name](say).to_svg()
    ElementTree.register_namespace("", _SVG)
    drawing = ElementTree.parse(FOLDER / f"{name}.svg").getroot()
    for text in drawing.iter(f"{{{_SVG}}}text"):
        text.text = translate(text.text or "", say)
    return ElementTree.tostring(drawing, encoding="unicode") + "\n"


def read_labels() -> dict[str, str]:
    """Read labels.csv: Chinese labels by the English ones, the names of the expressions among them."""
    with Path(__file__).with_name("labels.csv").open(encoding="utf-8", newline="") as file:
        return dict(zip(EXPRESSIONS, EXPRESSIONS_ZH)) | {row["en"]: row["zh"] for row in csv.DictReader(file)}


def render(name: str, language: str = "en") -> str:
    """Return the SVG of a figure; ValueError: a label of it does not stand in labels.csv."""
    labels = read_labels()

    def say(label: str) -> str:
        if label not in labels:
            raise ValueError(f"{name}: expected a label of labels.csv, got {label!r}")
        return labels[label] if language == "zh" else label

    return draw(name, say)


def render_all() -> dict[str, str]:
    """Return the SVG of every figure in both languages, by file name."""
    return {name + suffix: render(name, language) for name in names() for language, suffix in LANGUAGES.items()}


def write_figures(folder: Path) -> list[Path]:
    """Write every figure in both languages into a folder, which must exist."""
    written = []
    for name, svg in render_all().items():
        with replacing(folder / name) as temporary:
            temporary.write_text(svg, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written
