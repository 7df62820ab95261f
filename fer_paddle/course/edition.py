"""The Chinese edition: Chinese text for the cells of the English notebooks, code and outputs unchanged.

`notebooks/zh/NN_name.md` has one block a cell, headed `<!-- cell-id digest -->`. The block of a markdown cell is its
Chinese text; that of a code cell lists its comments and docstrings in their order, one a line. The digest is that of
the English text, so that a text which has changed since is named as stale.
"""

from __future__ import annotations

import copy
import csv
import io
import os
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from fer_paddle.course.chapters import digest_text
from fer_paddle.files import replacing

EDITION = "zh"
_HEAD = re.compile(r"^<!-- (\S+) ([0-9a-f]{8}) -->$", re.MULTILINE)
# What a translation must have as often as its original: code, formulas, link targets, numbers; in this order.
_KEPT = {
    "code": re.compile(r"```.*?```|`[^`]+`", re.DOTALL),
    "formula": re.compile(r"\$\$?[^$]+\$\$?"),
    "link": re.compile(r"\]\(([^)\s]+)\)"),
    "number": re.compile(r"\d+(?:[.,]\d+)*"),
}


@dataclass(frozen=True)
class Block:
    """Chinese text of one cell, and the digest of the English text that it was written for."""

    digest: str
    text: str


def read_text(cell: Any) -> str:
    """Return what is translated of a cell: its Markdown, or its comments and docstrings, one a line."""
    return (
        cell.source if cell.cell_type == "markdown" else "\n".join(token.string for token in find_remarks(cell.source))
    )


def read_blocks(path: str | os.PathLike[str]) -> dict[str, Block]:
    """Read the blocks of one notebook by cell id; ValueError: text before the first head, or two blocks of a cell."""
    parts = _HEAD.split(Path(path).read_text(encoding="utf-8"))
    if parts[0].strip():
        raise ValueError(
            f"{path}: expected a head such as <!-- 1a2b3c4d 5e6f7a8b --> first, got {parts[0].strip()[:40]!r}"
        )
    blocks: dict[str, Block] = {}
    for cell_id, digest, text in zip(parts[1::3], parts[2::3], parts[3::3]):
        if cell_id in blocks:
            raise ValueError(f"{path}: expected one block of each cell, got two of {cell_id}")
        blocks[cell_id] = Block(digest, text.strip("\n"))
    return blocks


def build_edition(notebooks: Path, glossary: Mapping[str, Sequence[str]]) -> dict[Path, list[str]]:
    """Write `notebooks/zh/*.ipynb` from the English notebooks and their blocks; return their faults by path.

    A cell without a block, or with a stale one, keeps its English text under a line that says so.
    """
    faults = {}
    for english, texts in find_pairs(notebooks):
        target, blocks = texts.with_suffix(".ipynb"), read_blocks(texts)
        notebook = nbformat.read(english, as_version=4)
        faults[target] = find_faults(notebook, blocks, glossary)
        with replacing(target) as temporary:
            nbformat.write(translate(notebook, blocks, english, target), temporary)
    return faults


def outline(notebook: Any, blocks: Mapping[str, Block]) -> str:
    """Return the blocks of a notebook as a file keeps them; a missing or stale one has the English text."""
    parts = []
    for cell in notebook.cells:
        if text := read_text(cell):
            digest, block = digest_text(text), blocks.get(cell.id)
            parts.append(f"<!-- {cell.id} {digest} -->\n{block.text if block and block.digest == digest else text}\n")
    return "\n".join(parts)


def find_pairs(notebooks: Path) -> list[tuple[Path, Path]]:
    """Return the English notebooks that have Chinese text, with the files of that text, sorted."""
    texts = sorted(path for path in (notebooks / EDITION).rglob("*.md") if path.name != "README.md")
    return [(notebooks / path.relative_to(notebooks / EDITION).with_suffix(".ipynb"), path) for path in texts]


def translate(notebook: Any, blocks: Mapping[str, Block], english: Path, target: Path) -> Any:
    """Return a copy of a notebook with its blocks by cell id, and relative links that lead on from `target`."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        block = blocks.get(cell.id)
        if block is None or block.digest != digest_text(read_text(cell)):
            if cell.cell_type == "markdown":
                cell.source = f"（本段待译）\n\n{_move_links(cell.source, english, target)}"
        elif cell.cell_type == "markdown":
            cell.source = _move_links(block.text, english, target)
        elif len(lines := block.text.splitlines()) == len(find_remarks(cell.source)):
            cell.source = replace_remarks(cell.source, lines)
    return made


def find_faults(notebook: Any, blocks: Mapping[str, Block], glossary: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is wrong with the Chinese text of an English notebook, one line each."""
    needed = {cell.id: cell for cell in notebook.cells if read_text(cell)}
    faults = [f"{cell_id}: no block" for cell_id in needed if cell_id not in blocks]
    faults += [f"{cell_id}: a block without a cell" for cell_id in blocks if cell_id not in needed]
    if list(blocks) != [cell_id for cell_id in needed if cell_id in blocks] and not faults:
        faults.append("the blocks are not in the order of the cells")
    for cell_id, cell in needed.items():
        if cell_id in blocks:
            faults += [f"{cell_id}: {fault}" for fault in _compare(cell, blocks[cell_id], glossary)]
    return faults


def _compare(cell: Any, block: Block, glossary: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what is wrong with one block."""
    if block.digest != (digest := digest_text(read_text(cell))):
        yield f"stale: written for {block.digest}, the English text is {digest}"
        return
    if cell.cell_type == "code":
        lines, remarks = block.text.splitlines(), find_remarks(cell.source)
        if [line[:1] for line in lines] != [remark.string[:1] for remark in remarks]:
            yield f"expected {len(remarks)} comments and docstrings, one a line, got {lines}"
        return
    yield from compare_texts(cell.source, block.text, glossary)


def compare_texts(english: str, chinese: str, glossary: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what a translation has lost or added of `_KEPT`, and the terms that it renders by other words."""
    text = chinese
    for kind, pattern in _KEPT.items():
        before, after = Counter(pattern.findall(english)), Counter(pattern.findall(chinese))
        if before != after:
            yield f"{kind}: missing {sorted((before - after).elements())}, added {sorted((after - before).elements())}"
        english, chinese = pattern.sub(" ", english), pattern.sub(" ", chinese)
    for term, words in glossary.items():
        if re.search(rf"\b{re.escape(term)}s?\b", english, re.IGNORECASE) and not any(word in text for word in words):
            yield f"glossary: expected {' or '.join(words)} for {term!r}"


def find_remarks(source: str) -> list[tokenize.TokenInfo]:
    """Return the comments and docstrings of the code of a cell, in their order."""
    remarks, begins = [], True  # begins: the next token is the first of a statement
    layout = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENCODING}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and begins):
            remarks.append(token)
        begins = token.type in layout and (begins or token.type == tokenize.NEWLINE)
    return remarks


def replace_remarks(source: str, lines: Sequence[str]) -> str:
    """Return the code of a cell with other comments and docstrings, given in their order."""
    rows = source.splitlines(keepends=True)
    for token, text in reversed(list(zip(find_remarks(source), lines, strict=True))):
        (first, start), (last, end) = token.start, token.end
        rows[first - 1 : last] = [rows[first - 1][:start] + text + rows[last - 1][end:]]
    return "".join(rows)


def read_glossary(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Read a CSV of the columns en and zh, Chinese words separated by `|`; returns them by English term."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["en"].lower(): row["zh"].split("|") for row in csv.DictReader(file)}


def _move_links(text: str, english: Path, target: Path) -> str:
    """Return Markdown whose relative links, written beside `english`, lead to the same place from `target`."""

    def move(match: re.Match[str]) -> str:
        link = match[1]
        beside = Path(os.path.normpath(english.parent / link.partition("#")[0]))
        if "://" in link or link.startswith("#") or beside.suffix == ".ipynb":
            return match[0]  # notebooks have their like in the Chinese edition
        if (translated := beside.with_suffix(f".{EDITION}{beside.suffix}")).is_file():
            beside = translated  # a figure with Chinese labels
        moved = os.path.relpath(beside, target.parent).replace(os.sep, "/")
        return f"]({moved}{link[len(link.partition('#')[0]) :]})"

    return _KEPT["link"].sub(move, text)
