"""What a student's notebook says of its exercises, and the slides of a notebook.

Marking reads what `check` left in the outputs and runs nothing: somebody else's code is not run on a teacher's account.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat

from fer_paddle.course.chapters import digest_text, load_chapter
from fer_paddle.course.checks import RECORD
from fer_paddle.files import replacing

_CALL = re.compile(r"\bcheck\(\s*[\"'](\d\d[a-z]?)\.(\d+)[\"']")
_STATES = {"right", "wrong", "unanswered"}


def read_notebook(path: str | os.PathLike[str]) -> Any:
    """Read a notebook; ValueError where the file is none."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        return notebook
    except (ValueError, OSError, AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        raise ValueError(f"expected a notebook, got {path}: {' '.join(str(error).split())[:100]}") from error


def mark_notebook(notebook: Any) -> dict[str, str]:
    """Return by number, such as 04.2, the state of each exercise of a notebook's chapter, by its recorded outputs.

    It is right, wrong, unanswered, changed (the cell is another than the one that was checked), or unchecked (no
    recorded check). ValueError: the notebook checks no exercise, or those of several chapters.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    chapters = {chapter for cell in cells for chapter, _ in _CALL.findall(cell.source)}
    if len(chapters) != 1:
        raise ValueError(f"expected a notebook that checks the exercises of one chapter, got {sorted(chapters)}")
    (chapter,) = chapters
    states = {f"{chapter}.{i + 1}": "unchecked" for i in range(len(load_chapter(chapter).exercises))}
    for cell in cells:
        for output in cell.outputs:
            told = output.get("data", {}).get(RECORD)
            if isinstance(told, dict) and told.get("exercise") in states and told.get("state") in _STATES:
                current = told.get("cell") == digest_text(cell.source.strip()) or told["state"] == "unanswered"
                states[told["exercise"]] = told["state"] if current else "changed"
    return states


def write_slides(path: Path, target: Path) -> int:
    """Write HTML slides (reveal.js), images inside, of the cells tagged `slide`; return how many.

    ValueError: There is none.
    """
    from nbconvert import SlidesExporter

    deck = read_notebook(path)
    deck.cells = [cell for cell in deck.cells if "slide" in cell.metadata.get("tags", ())]
    if not deck.cells:
        raise ValueError("expected cells with the tag slide, got none")
    for cell in deck.cells:
        cell.metadata["slideshow"] = {"slide_type": "slide"}
    resources = {"metadata": {"path": str(path.parent)}}
    html, _ = SlidesExporter(embed_images=True).from_notebook_node(deck, resources=resources)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return len(deck.cells)
