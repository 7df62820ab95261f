"""The editions and the figures of the course: `course build`, `course outline`, `course figures`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fer_paddle.console import FAILED, OK, Output
from fer_paddle.environment import REPOSITORY

Notebooks = Annotated[Path, "folder of the English notebooks"]


def build(*, notebooks: Notebooks = REPOSITORY / "notebooks") -> Output:
    """Build the Chinese notebooks, notebooks/zh/*.ipynb, from the English ones and notebooks/zh/*.md.

    Names every cell whose Chinese text is missing, stale, or differs in a number, formula, link or term; then the
    exit code is 1.
    """
    from fer_paddle.course.edition import build_edition, read_glossary

    built = build_edition(notebooks, read_glossary(REPOSITORY / "docs" / "glossary.csv"))
    faults = {
        path.relative_to(notebooks).with_suffix(".md").as_posix(): found for path, found in built.items() if found
    }
    lines = [f"{file}: {fault}" for file, found in faults.items() for fault in found]
    text = "\n".join([*lines, f"{len(built)} notebooks written to {notebooks / 'zh'}"])
    return Output({"written": [*map(str, built)], "faults": faults}, text, code=FAILED if faults else OK)


def outline(notebook: Annotated[Path, "an English notebook"]) -> Output:
    """Print the Chinese text of a notebook as notebooks/zh keeps it, with English text where it is missing or stale."""
    import nbformat

    from fer_paddle.course import edition

    folder = REPOSITORY / "notebooks"
    texts = folder / edition.EDITION / notebook.resolve().relative_to(folder).with_suffix(".md")
    blocks = edition.read_blocks(texts) if texts.is_file() else {}
    text = edition.outline(nbformat.read(notebook, as_version=4), blocks)
    return Output({"file": str(texts), "text": text}, text)


def figures(*, folder: Annotated[Path, "where they go"] = REPOSITORY / "notebooks" / "figures") -> Output:
    """Draw the figures of the notebooks, NAME.svg in English and NAME.zh.svg in Chinese."""
    from fer_paddle.course.figures import write_figures

    folder.mkdir(parents=True, exist_ok=True)
    written = write_figures(folder)
    return Output({"written": [*map(str, written)]}, f"{len(written)} figures written to {folder}")
