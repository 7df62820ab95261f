"""The figures of the notebooks: notebooks/figures/NAME.svg, and NAME.zh.svg with Chinese labels by labels.csv.

What shows a computation is a function of its name in `drawings`, so that it cannot tell another story than the code.
The others are the English SVG files themselves; the suite compares their numbers with the library's.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

from fer_paddle.course.figures import drawings
from fer_paddle.environment import REPOSITORY
from fer_paddle.files import replacing
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH

FOLDER = REPOSITORY / "notebooks" / "figures"
FIGURES = {figure.__name__: figure for figure in drawings.FIGURES}
_SVG = "http://www.w3.org/2000/svg"
_WORD = re.compile(r"[a-z]{2}")  # a label without one is the same in every language
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?: ?× ?\d+)*")


def names() -> list[str]:
    """Return the names of all figures."""
    return sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.svg")} | FIGURES.keys())


def read_labels() -> dict[str, str]:
    """Read labels.csv: Chinese labels by the English ones, the names of the expressions among them."""
    with Path(__file__).with_name("labels.csv").open(encoding="utf-8", newline="") as file:
        return dict(zip(EXPRESSIONS, EXPRESSIONS_ZH)) | {row["en"]: row["zh"] for row in csv.DictReader(file)}


def find_key(label: str, labels: dict[str, str]) -> str:
    """Return how labels.csv has an English label: as it is, or with {} for each number; ValueError: not at all."""
    key = label if label in labels else _NUMBER.sub("{}", label)
    if key not in labels:
        raise ValueError(f"expected a label of labels.csv, got {label!r}")
    return key


def render(name: str) -> dict[str, str]:
    """Return the SVG of a figure in both languages, by file name."""
    ElementTree.register_namespace("", _SVG)
    drawn = FIGURES[name]().root if name in FIGURES else ElementTree.parse(FOLDER / f"{name}.svg").getroot()
    english = ElementTree.tostring(drawn, encoding="unicode")
    chinese, labels = ElementTree.fromstring(english), read_labels()
    for text in chinese.iter(f"{{{_SVG}}}text"):
        if _WORD.search(label := text.text or ""):
            key = find_key(label, labels)
            text.text = labels[key].format(*_NUMBER.findall(label)) if key != label else labels[key]
    return {f"{name}.svg": f"{english}\n", f"{name}.zh.svg": ElementTree.tostring(chinese, encoding="unicode") + "\n"}


def render_all() -> dict[str, str]:
    """Return the SVG of every figure in both languages, by file name."""
    return {file: svg for name in names() for file, svg in render(name).items()}


def write_figures(folder: Path) -> list[Path]:
    """Write every figure in both languages into a folder, which must exist."""
    written = []
    for name, svg in render_all().items():
        with replacing(folder / name) as temporary:
            temporary.write_text(svg, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written
