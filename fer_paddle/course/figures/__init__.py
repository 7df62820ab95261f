"""The figures of the notebooks, drawn by code: notebooks/figures/NAME.svg, and NAME.zh.svg with Chinese labels.

Each is a function of its name that draws on a Canvas; what has numbers takes them from the library, so that a figure
cannot tell another story than the code. labels.csv holds every label in both languages.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from fer_paddle.course.figures import compression, data, detection, learning, networks, points
from fer_paddle.course.figures.canvas import Canvas, Say
from fer_paddle.files import replacing
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH

LANGUAGES = {"en": ".svg", "zh": ".zh.svg"}
FIGURES: dict[str, Callable[[Say], Canvas]] = {
    figure.__name__: figure
    for module in (data, learning, networks, detection, points, compression)
    for figure in module.FIGURES
}


def read_labels() -> dict[str, str]:
    """Read labels.csv: Chinese labels by the English ones, the names of the expressions among them."""
    with Path(__file__).with_name("labels.csv").open(encoding="utf-8", newline="") as file:
        return dict(zip(EXPRESSIONS, EXPRESSIONS_ZH)) | {row["en"]: row["zh"] for row in csv.DictReader(file)}


def render(name: str, language: str = "en") -> str:
    """Return the SVG of one figure.

    Args:
        name: One of FIGURES.
        language: `en` or `zh`.

    Raises:
        ValueError: A label of the figure does not stand in labels.csv.
    """
    labels = read_labels()

    def say(label: str) -> str:
        if label not in labels:
            raise ValueError(f"{name}: expected a label of labels.csv, got {label!r}")
        return labels[label] if language == "zh" else label

    return FIGURES[name](say).to_svg()


def render_all() -> dict[str, str]:
    """Return the SVG of every figure in both languages, by file name."""
    return {name + suffix: render(name, language) for name in FIGURES for language, suffix in LANGUAGES.items()}


def write_figures(folder: Path) -> list[Path]:
    """Write every figure in both languages into a folder, which must exist."""
    written = []
    for name, svg in render_all().items():
        with replacing(folder / name) as temporary:
            temporary.write_text(svg, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written
