"""The learner's own folder, my_course/: what notebooks make, and progress.json, what is solved.

It lies beside notebooks/, or where the variable FER_COURSE says; git ignores it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from filelock import FileLock

from fer_paddle.course.chapters import exercise_numbers, load_chapter, numbers
from fer_paddle.environment import REPOSITORY
from fer_paddle.files import read_json, replacing, replacing_folder, write_json
from fer_paddle.images import write_image

_PROGRESS = "progress.json"
_KINDS = ("solved", "quiz")


def course_folder() -> Path:
    """Return the learner's folder; it is made when something is kept in it."""
    return Path(os.environ.get("FER_COURSE") or REPOSITORY / "my_course")


def keep(what: str | os.PathLike[str] | np.ndarray, name: str) -> None:
    """Keep a file, a folder or an image in the learner's folder, in place of what had the name, and show where.

    Args:
        what: A path, or a uint8 image [H, W, 3] in BGR or [H, W].
        name: Its name in the folder; of an image with the suffix that says its format.

    Raises:
        ValueError: The name is a path or progress.json.
        FileNotFoundError: There is nothing at the path.
    """
    from IPython.display import Markdown, display

    if Path(name).name != name or name == _PROGRESS:
        raise ValueError(f"expected a name such as face.jpg, got {name!r}")
    target = course_folder() / name
    if not isinstance(what, np.ndarray) and not Path(what).exists():
        raise FileNotFoundError(f"expected a file or folder to keep, got nothing at {what}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(what, np.ndarray):
        write_image(target, what)
    elif Path(what).is_dir():
        with replacing_folder(target) as folder:
            shutil.copytree(what, folder, dirs_exist_ok=True)
    else:
        with replacing(target) as temporary:
            shutil.copyfile(what, temporary)
    display(Markdown(f"`{target.parent.name}/{name}`"))


def record(kind: str, number: str, value: str) -> None:
    """Write into progress.json what was solved (kind solved) or chosen (kind quiz), over what stood there."""
    folder = course_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{_PROGRESS}.lock", timeout=10):  # of several notebooks at once
        progress = read_progress()
        progress[kind][number] = value
        write_json(folder / _PROGRESS, progress)


def read_progress() -> dict[str, dict[str, str]]:
    """Return progress.json: `solved`, dates by exercise, and `quiz`, letters by question; both empty without a file.

    ValueError: the file is not as `record` writes it; it is never overwritten then.
    """
    path = course_folder() / _PROGRESS
    if not path.exists():
        return {kind: {} for kind in _KINDS}
    try:
        progress = read_json(path)
        if progress.keys() != {*_KINDS} or not all(isinstance(part, dict) for part in progress.values()):
            raise ValueError(f"expected {{solved: {{}}, quiz: {{}}}} in {path}")
    except ValueError as error:
        raise ValueError(f"{error}; move the file away to begin anew") from error
    return progress


def count_progress() -> dict[str, dict[str, int]]:
    """Return for every chapter, and for `all`, how many exercises are solved and questions right, and of how many."""
    progress, exercises, rows = read_progress(), exercise_numbers(), {}
    for chapter in numbers():
        questions = load_chapter(chapter).quiz
        chosen = [progress["quiz"].get(f"{chapter}.{i + 1}") for i in range(len(questions))]
        rows[chapter] = {
            "solved": sum(number.startswith(f"{chapter}.") for number in exercises if number in progress["solved"]),
            "exercises": sum(number.startswith(f"{chapter}.") for number in exercises),
            "quiz_right": sum(choice == question["right"] for choice, question in zip(chosen, questions)),
            "questions": len(questions),
        }
    rows["all"] = {name: sum(row[name] for row in rows.values()) for name in next(iter(rows.values()))}
    return rows
