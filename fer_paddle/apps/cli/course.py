"""The course: `course build`, `outline`, `figures`, `slides`, and what is solved: `check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fer_paddle.console import FAILED, OK, Output, table
from fer_paddle.environment import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"


def build() -> Output:
    """Build the Chinese notebooks, notebooks/zh/*.ipynb, from the English ones and notebooks/zh/*.md.

    Names every cell whose Chinese text is missing, stale, or differs in a number, formula, link or term; then the
    exit code is 1.
    """
    from fer_paddle.course.edition import build_edition, read_glossary

    built = build_edition(NOTEBOOKS, read_glossary(REPOSITORY / "docs" / "glossary.csv"))
    faults = {
        path.relative_to(NOTEBOOKS).with_suffix(".md").as_posix(): found for path, found in built.items() if found
    }
    lines = [f"{file}: {fault}" for file, found in faults.items() for fault in found]
    text = "\n".join([*lines, f"{len(built)} notebooks written to {NOTEBOOKS / 'zh'}"])
    return Output({"written": [*map(str, built)], "faults": faults}, text, code=FAILED if faults else OK)


def outline(notebook: Annotated[Path, "an English notebook"]) -> Output:
    """Print the Chinese text of a notebook as notebooks/zh keeps it, with English text where it is missing or stale."""
    import nbformat

    from fer_paddle.course import edition

    texts = NOTEBOOKS / edition.EDITION / notebook.resolve().relative_to(NOTEBOOKS).with_suffix(".md")
    blocks = edition.read_blocks(texts) if texts.is_file() else {}
    text = edition.outline(nbformat.read(notebook, as_version=4), blocks)
    return Output({"file": str(texts), "text": text}, text)


def figures() -> Output:
    """Draw the figures of the notebooks, NAME.svg in English and NAME.zh.svg in Chinese."""
    from fer_paddle.course.figures import FOLDER, write_figures

    written = write_figures(FOLDER)
    return Output({"written": [*map(str, written)]}, f"{len(written)} figures written to {FOLDER}")


def slides(notebook: Annotated[Path, "a notebook"], *, out: Annotated[Path, "the HTML file to write"]) -> Output:
    """Write slides (reveal.js) of the cells of a notebook that carry the tag `slide`."""
    from fer_paddle.course.marking import write_slides

    count = write_slides(notebook, out)
    return Output({"file": str(out), "slides": count}, f"{count} slides written to {out}")


def check(
    *,
    notebook: Annotated[tuple[Path, ...], "notebooks to mark; without them, show what you have solved yourself"] = (),
) -> Output:
    """Show which exercises of the course are solved, or mark the exercises of notebooks.

    Marks are read from what `check` left in the outputs; no code of the notebooks is run. With --notebook the exit code
    is 0 where all exercises are right, else 1.
    """
    return _mark(notebook) if notebook else _show_progress()


def _mark(paths: tuple[Path, ...]) -> Output:
    """Mark notebooks, a row each, with the exercises that are not right."""
    from fer_paddle.course.marking import mark_notebook, read_notebook

    marked, rows = [], []
    for path in paths:
        try:
            states = mark_notebook(read_notebook(path))
        except ValueError as error:
            raise ValueError(str(error) if str(path) in str(error) else f"{error} in {path}") from error
        right = sum(state == "right" for state in states.values())
        marked.append({"file": str(path), "right": right, "exercises": len(states), "states": states})
        others = ", ".join(f"{number} {state}" for number, state in states.items() if state != "right")
        rows.append([str(path), f"{right}/{len(states)}", others])
    code = OK if all(one["right"] == one["exercises"] for one in marked) else FAILED
    return Output({"notebooks": marked}, table(["notebook", "right", "not right"], rows), code=code)


def _show_progress() -> Output:
    """Show solved exercises and right answers of the quiz by chapter."""
    from fer_paddle.course.folder import count_progress

    counts = count_progress()
    rows = [
        [chapter, f"{row['solved']}/{row['exercises']}", f"{row['quiz_right']}/{row['questions']}"]
        for chapter, row in counts.items()
    ]
    return Output(counts, table(["chapter", "exercises", "questions"], rows))
