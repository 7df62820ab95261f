"""A journal of file actions: each is written down before it is done, and can be undone.

A folder keeps its journals under `.collect/undo/`: `0001-clean.jsonl` says what was done, the folder `0001-clean/`
keeps the originals that were set aside. Paths are relative, so that the folder may be moved. An undo writes down what
it has undone in the same journal: one that was cut short goes on where it was.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from fer_paddle.collect.names import free_name
from fer_paddle.files import append_json_line, file_digest, read_json_lines

PLACE = Path(".collect", "undo")
_BATCH = re.compile(r"(\d{4,})-(\w+)\.jsonl")
_DONE = ".undone"


class Journal:
    """Moves and makes files within one folder, and logs each action before it is done.

    Nothing is ever overwritten or deleted: what is to go is set aside. The log appears with the first action.

    Args:
        folder: The folder; it is made where it is missing.
        command: One word that names the batch, such as `clean`.
        whole: The folder is in order only when all is done: until `finish`, the batch counts as half done.

    Attributes:
        name: Of the batch, such as `0002-clean`.
        actions: Actions done so far.

    Raises:
        ValueError: The folder's last batch is half done.
    """

    def __init__(self, folder: Path, command: str, whole: bool = False):
        check_in_order(folder)
        self.folder, self.command, self.whole = folder, command, whole
        folder.mkdir(parents=True, exist_ok=True)
        number = max((int(path.name.split("-")[0]) for path in _batches(folder, undone_too=True)), default=0) + 1
        self.log = folder / PLACE / f"{number:04}-{command}.jsonl"
        self.name = self.log.stem
        self.actions = 0

    def move(self, source: Path, target: Path) -> None:
        """Moves a file to a path at which nothing lies.

        Raises:
            FileExistsError: Something lies there.
            ValueError: One of them is not in the folder.
        """
        if target.exists() or target.is_symlink():
            raise FileExistsError(f"expected no file at {target} before a move, found one")
        self._write({"action": "move", "from": self._relative(source), "to": self._relative(target)})
        os.replace(source, target)

    def set_aside(self, path: Path) -> Path:
        """Takes a file out of the collection: it is kept beside the log. Gives its new path."""
        kept = self.log.with_suffix("")
        kept.mkdir(parents=True, exist_ok=True)
        target = free_name(kept, f"{self.actions:05}", path.suffix)  # its own name may leave no room for a number
        self.move(path, target)
        return target

    def make_folder(self, path: Path) -> None:
        """Makes a folder, and those above it, where they are missing."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        self._write({"action": "folder", "path": self._relative(path)})
        path.mkdir(exist_ok=True)

    def create(self, path: Path, write: Callable[[Path], object]) -> str:
        """Makes a file: whole or not at all.

        Args:
            path: Where nothing lies yet.
            write: Writes the file to the temporary path it is given, which has the same suffix.

        Returns:
            The sha256 of the file.

        Raises:
            FileExistsError: Something lies there.
        """
        if path.exists() or path.is_symlink():
            raise FileExistsError(f"expected no file at {path} before making one, found one")
        temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
        try:
            write(temporary)
            digest = file_digest(temporary)
            self._write({"action": "create", "path": self._relative(path), "sha256": digest})
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def finish(self) -> None:
        """Says that all is done."""
        if self.actions:
            append_json_line(self.log, {"finished": utc_now()}, sync=True)

    def _relative(self, path: Path) -> str:
        place = path.parent.resolve() / path.name
        try:
            return place.relative_to(self.folder.resolve()).as_posix()
        except ValueError:
            raise ValueError(f"expected a path in {self.folder}, got {path}") from None

    def _write(self, action: dict[str, str]) -> None:
        if not self.actions:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            append_json_line(self.log, {"command": self.command, "time": utc_now(), "whole": self.whole})
        append_json_line(self.log, action, sync=True)
        self.actions += 1


@dataclass
class UndoReport:
    """What an undo did, as paths relative to the folder.

    Attributes:
        batch: Name of the batch, such as `0002-clean`.
        restored: Files back at their old place; one whose place is taken came back under a free name.
        removed: Files that the batch had made and nobody has changed since.
        kept: Files that the batch had made and somebody has changed since; they got a free name.
        missing: Files that are not where the batch had put them. The first undo that misses them leaves the batch open
            for a second one, which gives them up.
    """

    batch: str
    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def list_batches(folder: Path) -> list[str]:
    """Names the batches of a folder that can be undone, oldest first."""
    return [path.stem for path in _batches(folder)]


def undone_batches(folder: Path) -> set[str]:
    """Names the batches of a folder that were undone: what they had done counts as not done."""
    return {path.name.removesuffix(f".jsonl{_DONE}") for path in _batches(folder, undone_too=True)} - {
        path.stem for path in _batches(folder)
    }


def find_half_done(folder: Path) -> str | None:
    """Names the newest batch where it was to be whole and was cut short, or where its undo was; else None.

    Raises:
        ValueError: Its log is damaged.
    """
    batches = _batches(folder)
    lines = read_json_lines(batches[-1]) if batches else []
    is_cut = any(line.get("whole") for line in lines) and not any("finished" in line for line in lines)
    return batches[-1].stem if is_cut or any("undone" in line or "missing" in line for line in lines) else None


def check_in_order(folder: Path) -> None:
    """Refuses a folder with a batch that is half done: some of its files are out of sight.

    Raises:
        ValueError: It has one.
    """
    if name := find_half_done(folder):
        todo = f"take it back with: python -m fer_paddle collect undo {folder}"
        raise ValueError(f"expected a folder in order, found {name} half done in {folder}; {todo}")


def undo_half_done(folder: Path) -> list[str]:
    """Takes back a batch that is half done, where there is one, and gives what is missing of it; see undo_last."""
    missing: list[str] = []
    while find_half_done(folder):
        missing = undo_last(folder).missing
    return missing


def undo_last(folder: Path) -> UndoReport:
    """Undoes the newest batch that is not undone yet, last action first; one that was cut short can be undone too.

    An undo that is cut short goes on when it is called again.

    Raises:
        ValueError: There is none, or its log is damaged or names a path outside of the folder.
    """
    batches = _batches(folder)
    if not batches:
        raise ValueError(f"expected a folder with something to undo, found no journal in {folder / PLACE}")
    log = batches[-1]
    lines = read_json_lines(log)
    actions = _find_actions(lines, log, folder)
    report = UndoReport(log.stem)
    undone = {line["undone"] for line in lines if line.get("undone") in range(len(actions))}
    todo = [(number, action) for number, action in enumerate(actions) if number not in undone]
    # Where an earlier undo passed over a missing file, and then put another one back under its name.
    filled = {actions[number].get("from"): number for number in sorted(undone, reverse=True)}
    undoers = {"move": _undo_move, "create": _undo_create, "folder": _undo_folder}
    for number, action in reversed(todo):
        missing = len(report.missing)
        if action["action"] == "move" and filled.get(action["to"], number) < number:
            report.missing.append(action["to"])
        else:
            undoers[action["action"]](folder, action, report)
        if len(report.missing) == missing:
            append_json_line(log, {"undone": number}, sync=True)
    if report.missing and {"missing": report.missing} not in lines:
        append_json_line(log, {"missing": report.missing}, sync=True)
        return report
    kept = log.with_suffix("")
    if kept.is_dir() and not any(kept.iterdir()):
        kept.rmdir()
    os.replace(log, log.with_name(log.name + _DONE))
    return report


def _undo_move(folder: Path, action: dict[str, str], report: UndoReport) -> None:
    source, target = folder / action["from"], folder / action["to"]
    if not (target.exists() or target.is_symlink()):
        if not (source.exists() or source.is_symlink()):
            report.missing.append(action["to"])
        return  # it was logged but never done, or an undo was cut short here
    source.parent.mkdir(parents=True, exist_ok=True)
    place = free_name(source.parent, source.stem, source.suffix)
    os.replace(target, place)
    report.restored.append(place.relative_to(folder).as_posix())


def _undo_create(folder: Path, action: dict[str, str], report: UndoReport) -> None:
    path = folder / action["path"]
    if not path.exists():
        return
    if file_digest(path) == action["sha256"]:
        path.unlink()
        report.removed.append(action["path"])
        return
    place = free_name(path.parent, f"{path.stem}-changed", path.suffix)
    os.replace(path, place)
    report.kept.append(place.relative_to(folder).as_posix())


def _undo_folder(folder: Path, action: dict[str, str], report: UndoReport) -> None:
    path = folder / action["path"]
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def _batches(folder: Path, undone_too: bool = False) -> list[Path]:
    place = folder / PLACE
    if not place.is_dir():
        return []
    names = [path for path in place.iterdir() if undone_too or not path.name.endswith(_DONE)]
    found = [path for path in names if _BATCH.fullmatch(path.name.removesuffix(_DONE))]
    return sorted(found, key=lambda path: int(path.name.split("-")[0]))


def _find_actions(lines: Sequence[dict[str, Any]], log: Path, folder: Path) -> list[dict[str, str]]:
    """Gives the actions of a log; a last line that a crash cut off was never acted on."""
    fields = {"move": ("from", "to"), "create": ("path", "sha256"), "folder": ("path",)}
    actions = [line for line in lines if "action" in line]
    for action in actions:
        names = fields.get(action["action"])
        if names is None or not all(isinstance(action.get(name), str) for name in names):
            raise ValueError(f"expected a journal at {log}, got the action {action}")
        for name in set(names) - {"sha256"}:
            _check_inside(folder, action[name], log)
    return actions


def _check_inside(folder: Path, name: str, log: Path) -> None:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0] and "\\" not in name
    root = folder.resolve()
    if not inside or not (folder / path).parent.resolve().is_relative_to(root):
        raise ValueError(f"expected paths in {folder}, got {name!r} in {log}: nothing was undone")


def utc_now() -> str:
    """The time now as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
