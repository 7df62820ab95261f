"""The figures in the repository are current; each is shown, small, and readable in both languages."""

import re
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from PIL import ImageFont

from fer_paddle.course import figures
from fer_paddle.drawing import find_chinese_font
from fer_paddle.environment import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
FOLDER = NOTEBOOKS / "figures"
NAMES = sorted(path.name for path in FOLDER.iterdir())
MAX_BYTES = 15_000
FONT = ImageFont.truetype(str(find_chinese_font()), 100)
SHOWN = re.compile(r"!\[([^\]]+)\]\((?:\.\./)?figures/(\S+?)\)")


@pytest.fixture(scope="module")
def drawn():
    return figures.render_all()


def test_the_files_are_current(drawn):
    """After a change: `python -m fer_paddle course figures`."""
    assert sorted(drawn) == NAMES
    assert [name for name, svg in drawn.items() if (FOLDER / name).read_bytes() != svg.encode()] == []
    assert {name: len(svg) for name, svg in drawn.items() if len(svg) > MAX_BYTES} == {}


def test_each_figure_is_shown_in_a_notebook_and_described():
    shown = {}
    for path in sorted([*NOTEBOOKS.glob("*.ipynb"), *(NOTEBOOKS / "solutions").glob("*.ipynb")]):
        cells = nbformat.read(path, as_version=4).cells
        for cell in cells:
            if cell.cell_type == "markdown":
                shown |= {name: alt for alt, name in SHOWN.findall(cell.source)}
    assert sorted(shown) == [f"{name}.svg" for name in figures.names()]
    assert {name: alt for name, alt in shown.items() if len(alt) < 20} == {}


def test_each_label_is_used_and_translated(monkeypatch):
    used = set()
    labels = figures.read_labels()
    for name in figures.names():
        figures.draw(name, lambda label: used.add(label) or label)
    assert used <= labels.keys()
    assert {label for label in labels if label not in used} == set()
    for english, chinese in labels.items():
        assert _numbers(english) == _numbers(chinese), english
    monkeypatch.setattr(figures, "read_labels", dict)
    with pytest.raises(ValueError, match=r"iou: expected a label of labels.csv, got 'intersection'"):
        figures.render("iou")


@pytest.mark.parametrize("name", NAMES)
def test_no_label_leaves_the_figure_or_covers_another(name, drawn):
    root = ElementTree.fromstring(drawn[name])
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = [(element.text, *_extent(element)) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for text, left, top, right, bottom in boxes:
        assert left >= 2 and top >= 0 and right <= width - 2 and bottom <= height, text
    for at, (text, left, top, right, bottom) in enumerate(boxes):
        for other, left2, top2, right2, bottom2 in boxes[:at]:
            assert min(right, right2) <= max(left, left2) or min(bottom, bottom2) <= max(top, top2), (text, other)


def test_a_command_writes_them(drawn, tmp_path):
    written = figures.write_figures(tmp_path)
    assert sorted(path.name for path in written) == sorted(drawn) == sorted(path.name for path in tmp_path.iterdir())
    assert Path(written[0]).read_text(encoding="utf-8").startswith("<svg")


def _numbers(label):
    return sorted(re.findall(r"\d+|\{\d?\}", label))


def _extent(element):
    """Left, top, right and bottom of a line of text, by the bundled font."""
    size, x, y = (float(element.get(key)) for key in ("font-size", "x", "y"))
    width = FONT.getlength(element.text) * size / 100
    left = x - {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")] * width
    return left, y - 0.8 * size, left + width, y + 0.2 * size
