"""The figures in the repository are current; each is shown, small, and readable in both languages."""

import re
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from PIL import ImageFont

from fer_paddle.course import figures
from fer_paddle.deployment.runtimes import RUNTIME_OF
from fer_paddle.drawing import find_chinese_font
from fer_paddle.environment import REPOSITORY
from fer_paddle.expression import recipes
from fer_paddle.models.distresnet import BLOCKS_PER_STAGE, EXPANSION, STAGE_FILTERS
from fer_paddle.quality.suspects import FOLDS
from yolo3tiny.anchors import ANCHOR_MASKS, ANCHORS, STRIDES
from yolo3tiny.boxes import iou, letterbox
from yolo3tiny.decode import nms
from yolo3tiny.keypoint.model import KeypointNetwork, receptive_field

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


def test_each_label_is_used_and_translated(drawn, monkeypatch):
    labels = figures.read_labels()
    shown = {text for name in drawn if not name.endswith(".zh.svg") for text in _texts(drawn[name])}
    assert {figures.find_key(text, labels) for text in shown if re.search("[a-z]{2}", text)} == labels.keys()
    for english, chinese in labels.items():
        assert _numbers(english) == _numbers(chinese), english
    monkeypatch.setattr(figures, "read_labels", dict)
    with pytest.raises(ValueError, match=r"expected a label of labels.csv, got 'intersection'"):
        figures.render("iou")


def _small_weights(kind, a=64):
    """The weights of a layer of the figure small_layers, from a to a channels."""
    kernels = {
        "plain": [(a, a, 3)],
        "bottleneck": [(a, a // 4, 1), (a // 4, a // 4, 3), (a // 4, a, 1)],
        "squeeze": [(a, a // 8, 1), (a // 8, a // 2, 1), (a // 8, a // 2, 3)],
        "depthwise": [(1, a, 3), (a, a, 1)],
    }
    return f"{sum(inputs * outputs * side**2 for inputs, outputs, side in kernels[kind]):,} weights"


def _letterbox(**size):
    return letterbox(np.zeros((400, 640, 3), np.uint8), **size)


STRONG = recipes.STRONG.augment
BOXES = np.array([[30, 30, 150, 150], [80, 70, 200, 190.0]])
DRAWN_SIZES = [f"{filters * EXPANSION} ch" for filters in STAGE_FILTERS]
# What the figures that are no code say in numbers, from what they tell of.
NUMBERS = {
    "anchors": [f"stride {stride}: {416 // stride} × {416 // stride} cells" for stride in STRIDES]
    + [",  ".join("{} × {}".format(*ANCHORS[anchor]) for anchor in mask) for mask in ANCHOR_MASKS],
    "augmentation_chain": [f"flip, p = {STRONG.flip}", f"rotate {STRONG.rotate_deg:g}°", f"scale × {1 + STRONG.scale}"]
    + [f"shift {100 * STRONG.shift:g} %", f"contrast ± {100 * STRONG.contrast:g} %", f"erase, p = {STRONG.erase}"],
    "distresnet": ["56 px", f"× {BLOCKS_PER_STAGE}", *DRAWN_SIZES],
    "folds": [f"model {FOLDS}"],
    "iou": [f"= {iou(BOXES[:1], BOXES[1:])[0, 0]:.2f}"],
    "letterbox": ["scale {1.scale:.2f}, top {1.top}".format(*_letterbox(size_hw=(416, 416)))]
    + ["{0.shape[1]} × {0.shape[0]}".format(*_letterbox(longest=416))],
    "receptive_fields": [
        "the whole network: one cell sees {} px, cells lie {} px apart".format(*receptive_field(KeypointNetwork()))
    ],
    "residual_block": [f"{STAGE_FILTERS[0]} channels", f"{STAGE_FILTERS[0] * EXPANSION} channels"],
    "runtimes": [suffix.replace(".param", ".param .bin") for suffix in RUNTIME_OF if suffix != ".safetensors"],
    "small_layers": [*map(_small_weights, ("plain", "bottleneck", "squeeze", "depthwise"))],
    "two_heads": [f"{416 // stride}² · {6 * len(mask)}" for stride, mask in zip(STRIDES, ANCHOR_MASKS)],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_a_figure_are_those_of_the_library(name, drawn):
    assert set(NUMBERS[name]) - {*_texts(drawn[f"{name}.svg"])} == set()


def test_nms_keeps_the_boxes_that_its_figure_keeps(drawn):
    boxes = [[42, 52, 122, 162], [54, 64, 130, 170], [34, 46, 112, 150], [164, 74, 236, 174], [174, 66, 250, 168]]
    scores = np.array([0.94, 0.71, 0.62, 0.88, 0.57])
    kept = [f"{scores[at]:.2f}" for at in nms(np.array(boxes, float), scores, 0.45)]
    assert sorted(kept * 2) == sorted(text for text in _texts(drawn["nms.svg"]) if re.fullmatch(r"0\.\d\d", text))


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


def _texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def _numbers(label):
    return sorted(re.findall(r"\d+|\{\}", re.sub(r"\{\d\}", "{}", label)))


def _extent(element):
    """Left, top, right and bottom of a line of text, by the bundled font."""
    size, x, y = (float(element.get(key)) for key in ("font-size", "x", "y"))
    width = FONT.getlength(element.text) * size / 100
    left = x - {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor")] * width
    return left, y - 0.8 * size, left + width, y + 0.2 * size
