"""Holds how a notebook reads, and runs each from top to bottom.

Every notebook under notebooks/ is executed as JupyterLab does it: in a kernel of its own whose working
directory is the notebook's folder. A check is a function from a notebook to its faults.
"""

import base64
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOLUTIONS = FOLDER / "solutions"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if not {".ipynb_checkpoints", "zh"} & {*path.parts})
CHAPTERS = [path for path in NOTEBOOKS if path.parent == FOLDER]

MAX_FILE_BYTES = 600_000
MAX_CELL_LINES = 25
MAX_IMAGE_BYTES = 250_000
MAX_IMAGE_SIDE = 1400
MAX_TEXT_CHARACTERS = 5_000
CELL_SECONDS = 600
# A folder of one machine: home, temporary, mounted, or on a drive. AI Studio's own is the same for everybody.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home/(?!aistudio\b)|(?:root|tmp|work|Users|private|mnt|opt)\b)"
    r"|\b[A-Z]:\\+(?:Users|Temp)\b"
)
CLOCKS = ["perf_counter", "process_time", "monotonic", "time_runs", "time_in_turns", "measure_speed", "bench"]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(FOLDER).as_posix() for path in paths]


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=names(NOTEBOOKS))
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=names(CHAPTERS))


def test_every_chapter_has_solutions_and_every_solution_a_chapter():
    assert CHAPTERS, f"no notebook in {FOLDER}"
    assert names(CHAPTERS) == sorted(path.name for path in SOLUTIONS.glob("*.ipynb"))


@each_notebook
def test_reads_well(path: Path):
    assert path.stat().st_size <= MAX_FILE_BYTES
    notebook = nbformat.read(path, 4)
    assert {*notebook.metadata} == {"kernelspec", "language_info"}
    assert [*cell_faults(notebook), *live_times(notebook)] == []


def test_what_notebooks_import_is_there():
    sources = "\n".join(cell.source for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells)
    for module, names in set(re.findall(r"^ *from ((?:fer_paddle|yolo3tiny)[\w.]*) import ([\w, ]+)$", sources, re.M)):
        for name in re.findall(r"(\w+)(?: as \w+)?", names):
            assert hasattr(import_module(module), name) or import_module(f"{module}.{name}")


@each_chapter
def test_has_the_sections_of_a_chapter(path: Path):
    assert list(chapter_faults(nbformat.read(path, 4), nbformat.read(SOLUTIONS / path.name, 4))) == []


def test_every_stored_time_is_shown_in_a_notebook():
    shown = {name for path in NOTEBOOKS for name in re.findall(r'stored_times\(\\"(.+?)\\"', path.read_text("utf-8"))}
    assert shown == set(json.loads((FOLDER / "results" / "times.json").read_text("utf-8")))


@pytest.mark.notebook
@each_notebook
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("PYTHONPATH", "MPLBACKEND"):  # what a person who starts JupyterLab has not set
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # no start-up files of the user
    monkeypatch.setenv("FER_DATA", str(tmp_path))  # an empty folder: the default run needs no data
    monkeypatch.setenv("FER_COURSE", str(tmp_path / "my_course"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a kernel that is killed leaves its temporary folders
    files = set(FOLDER.rglob("*"))
    notebook = nbformat.read(path, 4)
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        shutdown_kernel="immediate",  # a second faster: Paddle takes its time to leave
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    assert list(cell_faults(notebook)) == []
    assert set(FOLDER.rglob("*")) == files, "a notebook leaves nothing beside itself"


def cell_faults(notebook: NotebookNode) -> Iterator[str]:
    """Names what is wrong with single cells and their outputs."""
    count = 0
    for number, cell in enumerate(notebook.cells):
        where = f"cell {number}"
        if path := MACHINE_PATH.search(cell.source):
            yield f"{where}: a path of one machine in the source: {path.group()}"
        if cell.cell_type != "code":
            continue
        count += 1
        lines = len(cell.source.splitlines())
        if not 1 <= lines <= MAX_CELL_LINES:
            yield f"{where}: {lines} lines, expected 1 to {MAX_CELL_LINES}"
        if cell.execution_count != count:
            yield f"{where}: run as number {cell.execution_count}, expected {count} of one clean run"
        for output in cell.outputs:
            yield from (f"{where}: {fault}" for fault in output_faults(output))


def live_times(notebook: NotebookNode) -> Iterator[str]:
    """Names cells that show what a clock said: a busy machine prints other times in every run."""
    clocks = [*CLOCKS]
    for cell in notebook.cells:
        timed = re.search(rf"\b(?:{'|'.join(clocks)})\(|layer_costs\(.*runs=", cell.source)
        if cell.cell_type == "code" and timed:
            clocks += re.findall(r"^def (\w+)", cell.source, flags=re.MULTILINE)
            if cell.outputs and "stored_times(" not in cell.source:
                yield f"cell {cell.id}: expected stored_times around {timed.group()}...)"


def output_faults(output: NotebookNode) -> Iterator[str]:
    """Names what is wrong with one output."""
    if output.output_type == "error":
        yield f"ends in {output.ename}: {output.evalue}"
        return
    parts = {"text/plain": output.text} if output.output_type == "stream" else output.data
    if str(parts.get("text/plain", "")).startswith("<Figure") and "image/png" not in parts:
        yield "a figure without its image: %matplotlib inline before it"
    for kind, content in parts.items():
        if kind in ("image/png", "image/jpeg"):
            encoded = base64.b64decode(content)
            sides = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR).shape[:2]
            if len(encoded) > MAX_IMAGE_BYTES or max(sides) > MAX_IMAGE_SIDE:
                yield f"an image of {len(encoded)} bytes, {sides[1]} x {sides[0]} px"
            continue
        text = str(content)
        if path := MACHINE_PATH.search(text):
            yield f"a path of one machine in the output: {text[path.start() : path.start() + 60]}"
        if len(text) > MAX_TEXT_CHARACTERS:
            yield f"{len(text)} characters of {kind}"


def chapter_faults(notebook: NotebookNode, solutions: NotebookNode) -> Iterator[str]:
    """Names what a chapter lacks: the goal first, titles in two languages, a summary, solved exercises."""
    text = markdown(notebook)
    sections = re.split(r"^(?=#{1,2} )", text, flags=re.MULTILINE)[1:]
    titles = [section.splitlines()[0] for section in sections]
    if not text.startswith("# ") or "Goal" not in sections[0]:
        yield "expected a title and the goal in the first cell"
    english = [title for title in titles if not CHINESE.search(title)]
    yield from (f"expected a Chinese name beside the English in {title!r}" for title in english)
    if not any("Summary" in title for title in titles):
        yield "expected a section Summary"
    asked = "".join(section for section in sections if "Exercises" in section.splitlines()[0])
    exercises = [int(number) for number in re.findall(r"^(\d+)\. ", asked, flags=re.MULTILINE)]
    if exercises != list(range(1, len(exercises) + 1)) or not 3 <= len(exercises) <= 5:
        yield f"expected a section Exercises with 3 to 5 numbered ones, got {exercises}"
    solved = re.findall(r"^##+ (?:Exercise )?(\d+)\b", markdown(solutions), flags=re.MULTILINE)
    missing = set(exercises) - set(map(int, solved))
    yield from (f"expected a solution headed '## Exercise {number}'" for number in sorted(missing))


def markdown(notebook: NotebookNode) -> str:
    """The text of a notebook without blocks of code, whose comments look like titles."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return re.sub(r"^```.*?^```", "", "\n\n".join(texts), flags=re.MULTILINE | re.DOTALL)
