"""The Chinese edition says what the English one says, with the same code."""

import io
import re
import tokenize

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fer_paddle.course import edition
from fer_paddle.course.chapters import digest_text
from fer_paddle.course.edition import Block
from fer_paddle.environment import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
GLOSSARY = edition.read_glossary(REPOSITORY / "docs" / "glossary.csv")
PAIRS = edition.find_pairs(NOTEBOOKS)
TEXT = "The learning rate is 0.1, see [04](04_train.ipynb), [data](../docs/data.md) and `fit`: $y = 2x$."
CHINESE = "学习率为 0.1，见 [04](04_train.ipynb)、[数据](../docs/data.md) 和 `fit`：$y = 2x$。"
REMARKS = '"""Doubles."""\n# twice'
CODE = 'def double(x):\n    """Doubles."""\n    return x * 2  # twice\n'


def make_notebook():
    return new_notebook(
        cells=[new_markdown_cell(TEXT, id="a"), new_code_cell(CODE, id="b"), new_code_cell("1 + 1", id="c")]
    )


def blocks_of(a=CHINESE, b='"""加倍。"""\n# 两倍'):
    return {"a": Block(digest_text(TEXT), a), "b": Block(digest_text(REMARKS), b)}


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        (blocks_of(), None),
        ({"b": blocks_of()["b"]}, "a: no block"),
        ({**blocks_of(), "z": Block("0" * 8, "多")}, "z: a block without a cell"),
        (dict(reversed(blocks_of().items())), "order of the cells"),
        ({**blocks_of(), "a": Block("0" * 8, CHINESE)}, "a: stale"),
        (blocks_of(CHINESE.replace("0.1", "0.2")), r"a: number: missing \['0.1'\], added \['0.2'\]"),
        (blocks_of(CHINESE.replace("2x", "3x")), "a: formula"),
        (blocks_of(CHINESE.replace("`fit`", "fit")), "a: code"),
        (blocks_of(CHINESE.replace("04_train.ipynb", "05_train.ipynb")), "a: link"),
        (blocks_of(CHINESE.replace("学习率", "速率")), "a: glossary: expected 学习率 for 'learning rate'"),
        (blocks_of(b='"""加倍。"""'), "b: expected 2 comments"),
        (blocks_of(b='# 两倍\n"""加倍。"""'), "b: expected 2 comments"),
    ],
)
def test_faults_are_named(blocks, fault):
    found = edition.find_faults(make_notebook(), blocks, {"learning rate": ["学习率"]})
    assert found == [] if fault is None else any(re.search(fault, line) for line in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [("文字\n<!-- a 00000000 -->\n", "head"), ("<!-- a 00000000 -->\n<!-- a 00000000 -->\n", "two of a")],
)
def test_a_file_of_blocks_that_cannot_be_right_is_refused(tmp_path, text, message):
    (tmp_path / "a.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        edition.read_blocks(tmp_path / "a.md")


def test_a_notebook_is_built_with_the_same_code_and_moved_links(tmp_path):
    (tmp_path / "zh").mkdir()
    english = tmp_path / "04.ipynb"
    nbformat.write(make_notebook(), english)
    text = "\n".join(f"<!-- {cell_id} {block.digest} -->\n{block.text}\n" for cell_id, block in blocks_of().items())
    (tmp_path / "zh" / "04.md").write_text(text, encoding="utf-8")
    [(path, faults)] = edition.build_edition(tmp_path, {}).items()
    assert faults == []
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source == CHINESE.replace("../docs", "../../docs")
    assert cells[1].source == 'def double(x):\n    """加倍。"""\n    return x * 2  # 两倍\n'
    assert edition.outline(make_notebook(), blocks_of()).strip() == text.strip()


def test_a_figure_is_shown_with_its_chinese_labels(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "iou.zh.svg").touch()
    text = "![IoU](figures/iou.svg) ![NMS](figures/nms.svg)"
    notebook = new_notebook(cells=[new_markdown_cell(text, id="a")])
    english, target = tmp_path / "04.ipynb", tmp_path / "zh" / "04.ipynb"
    [cell] = edition.translate(notebook, {"a": Block(digest_text(text), text)}, english, target).cells
    assert cell.source == "![IoU](../figures/iou.zh.svg) ![NMS](../figures/nms.svg)"


def test_a_stale_block_leaves_the_english_text(tmp_path):
    blocks = {cell_id: Block("0" * 8, block.text) for cell_id, block in blocks_of().items()}
    cells = edition.translate(make_notebook(), blocks, tmp_path / "a.ipynb", tmp_path / "zh" / "a.ipynb").cells
    assert cells[0].source.startswith("（本段待译）\n\nThe learning rate") and cells[1].source == CODE


def test_every_notebook_has_chinese_text():
    assert {english for english, _ in PAIRS} == {*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("solutions/*.ipynb")}


@pytest.mark.parametrize(("english", "texts"), PAIRS, ids=[texts.stem for _, texts in PAIRS])
def test_the_edition_is_whole_and_current(english, texts):
    notebook, blocks = nbformat.read(english, as_version=4), edition.read_blocks(texts)
    assert edition.find_faults(notebook, blocks, GLOSSARY) == []
    target = texts.with_suffix(".ipynb")
    for old, new in zip(notebook.cells, edition.translate(notebook, blocks, english, target).cells, strict=True):
        assert old.cell_type == new.cell_type and old.get("outputs") == new.get("outputs")
        if old.cell_type == "code":
            assert _code_of(old.source) == _code_of(new.source)


def _code_of(source):
    """The code without comments and docstrings."""
    remarks = [token.start for token in edition.find_remarks(source)]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    kept = [token for token in tokens if token.type != tokenize.NL and token.start not in remarks]
    return [token.string for token in kept if token.string.strip()]
