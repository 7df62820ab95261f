"""Clean a folder of images into another one: one name pattern, one format, one color mode, no copies.

First a plan, then the deed; the folder itself is never changed, and to undo a clean is to delete its folder.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_paddle.collect.copies import Fingerprint, fingerprint, group_copies
from fer_paddle.collect.names import MAX_BYTES, cut_text, safe_name, save_recorded
from fer_paddle.files import file_digest, hold, read_json_lines
from fer_paddle.images import FORMATS, list_images, read_image, read_orientation, to_gray, write_image
from fer_paddle.messages import reason_of, track
from fer_paddle.study import check_rule

CLEANED = "cleaned.jsonl"  # in the new folder: which image was made of which, by SHA-256
_FIELDS = re.compile(r"\{(folder|stem|number)(:0?\d{1,2}d?)?\}")
# Pillow's names for the pixels that an image of each color mode may have.
_MODES = {"keep": ("RGB", "L"), "color": ("RGB",), "gray": ("L",)}

COPY, CONVERT, LEAVE_OUT, DONE = "copy", "convert", "leave out", "done"


@dataclass(frozen=True)
class CleanRule:
    """What a tidy folder looks like."""

    # Names, from `{folder}`, `{stem}` and `{number}` (with a width: `{number:05}`). Numbers count in each folder by
    # itself; a long folder or stem is cut, a number never.
    pattern: str = "{folder}_{number:05}"
    suffix: str = ".jpg"  # the one format, such as `.jpg` or `.png`
    color: str = "keep"  # `color`, `gray`, or `keep` for either
    near_bits: int = 4  # see copies.group_copies; -1 takes exact copies out alone

    def __post_init__(self) -> None:
        if re.search(r"[{}]", _FIELDS.sub("", self.pattern)) or "{number" not in self.pattern:
            raise ValueError(f"expected a pattern of {{folder}}, {{stem}} and {{number:05}}, got {self.pattern!r}")
        if re.search(r"\{(folder|stem):", self.pattern):
            raise ValueError(f"expected a width for {{number}} alone, got {self.pattern!r}")
        if self._room(0) < MAX_BYTES // 2:
            raise ValueError(f"expected at most {MAX_BYTES // 2} bytes beside folder and stem, got {self.pattern!r}")
        if self.suffix not in FORMATS:
            raise ValueError(f"expected a suffix of {', '.join(FORMATS)}, got {self.suffix!r}")

    def stem(self, folder: str, stem: str, number: int) -> str:
        """Return the name, without its suffix, of the `number`-th image of a folder."""
        room = self._room(number) // max(self.pattern.count("{folder}") + self.pattern.count("{stem}"), 1)
        folder, stem = cut_text(folder, room), cut_text(stem, room)
        return safe_name(self.pattern.format(folder=folder, stem=stem, number=number))

    def _room(self, number: int) -> int:
        """Return the bytes of a name that are left for folder and stem."""
        return MAX_BYTES - len(self.pattern.format(folder="", stem="", number=number).encode("utf-8", "replace"))


@dataclass(frozen=True)
class Action:
    """What becomes of one image: `kind` is COPY, CONVERT, LEAVE_OUT or DONE, `stem` its new name without suffix."""

    path: Path
    kind: str
    stem: str | None = None
    reason: str | None = None


@dataclass
class CleanPlan:
    """What a clean will do, before it does it."""

    folder: Path  # the folder of images
    actions: list[Action] = field(default_factory=list)  # one an image, by path
    copies: list[list[Path]] = field(default_factory=list)  # groups of copies within one folder
    conflicts: list[list[Path]] = field(default_factory=list)  # groups of copies in several folders

    def counts(self) -> dict[str, int]:
        """Return the number of images of each kind of action."""
        return {kind: sum(action.kind == kind for action in self.actions) for kind in (COPY, CONVERT, LEAVE_OUT, DONE)}


def plan_clean(folder: Path, rule: CleanRule, out: Path | None = None) -> CleanPlan:
    """Look at all images of a folder and of those below it, and plan; changes nothing.

    Args:
        out: The new folder. What an earlier clean put there is done, also where it was deleted by hand since.
    """
    root, records = folder.resolve(), read_json_lines(out / CLEANED, missing_ok=True) if out else []
    if out is not None and (out.resolve().is_relative_to(root) or root.is_relative_to(out.resolve())):
        raise ValueError(f"expected a new folder that is neither in {folder} nor above it, got {out}")
    check_rule((out or folder) / CLEANED, records, asdict(rule))
    done = {record["source_sha256"] for record in records}
    plan = CleanPlan(folder)
    prints: dict[Path, Fingerprint] = {}
    for path in track(list_images(folder), "images"):
        if not path.parent.resolve().is_relative_to(root):
            plan.actions.append(Action(path, LEAVE_OUT, reason="lies in a linked folder elsewhere"))
            continue
        try:
            prints[path] = fingerprint(read_image(path), is_done=file_digest(path) in done)
        except (ValueError, OSError) as error:
            plan.actions.append(Action(path, LEAVE_OUT, reason=reason_of(f"cannot be read: {error}")))
    reasons = _find_copies(plan, prints, rule.near_bits)
    plan.actions += [Action(path, LEAVE_OUT, reason=reason) for path, reason in reasons.items()]
    plan.actions += [Action(path, DONE) for path, one in prints.items() if one.is_done and path not in reasons]
    planned = {action.path for action in plan.actions}
    _plan_names(plan, [path for path in prints if path not in planned], rule, out or folder, records)
    plan.actions.sort(key=lambda action: action.path)
    return plan


def _find_copies(plan: CleanPlan, prints: dict[Path, Fingerprint], near_bits: int) -> dict[Path, str]:
    """Fill in the plan's copies and conflicts, and return why each copy is left out."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    reasons: dict[Path, str] = {}
    for path in prints:
        by_folder[path.parent].append(path)
    for paths in by_folder.values():
        for group in group_copies([prints[path] for path in paths], near_bits):
            keeper, *others = (paths[index] for index in group)
            plan.copies.append([keeper, *others])
            for path in others:
                kind = "a copy" if prints[path].pixels == prints[keeper].pixels else "a near copy"
                reasons[path] = f"{kind} of {keeper.name}"
    rest = [path for path in prints if path not in reasons]
    groups = group_copies([prints[path] for path in rest], near_bits)
    plan.conflicts += [[rest[index] for index in group] for group in groups]
    return reasons


def _plan_names(
    plan: CleanPlan, paths: Sequence[Path], rule: CleanRule, out: Path, records: Sequence[dict[str, Any]]
) -> None:
    numbers = Counter(Path(record["file"]).parent for record in records)
    taken: dict[str, Path] = {}
    for path in paths:
        place = path.parent.relative_to(plan.folder)
        numbers[place] += 1
        stem = rule.stem((out / place).resolve().name, path.stem, numbers[place])
        if (other := taken.setdefault(str(place / stem).lower(), path)) != path:
            raise ValueError(f"expected a pattern that gives each image a name, got one for {other} and {path}")
        plan.actions.append(Action(path, COPY if _is_as_wanted(path, rule) else CONVERT, stem))


def _is_as_wanted(path: Path, rule: CleanRule) -> bool:
    """Tell whether a readable image has the format and color mode of the rule, and lies upright."""
    with Image.open(path) as opened:
        is_wanted = opened.mode in _MODES[rule.color] and opened.format == FORMATS[rule.suffix]
        return is_wanted and read_orientation(opened) == 1


def apply_clean(plan: CleanPlan, out: Path, rule: CleanRule) -> dict[str, str]:
    """Write the images of a plan into a new folder, each whole; run it again to go on after a stop.

    `cleaned.jsonl` in the new folder names the source of each file, so that `pipeline.find_sources` can follow it.
    Return why an image could not be written, by its path; the others are there.
    """
    failed: dict[str, str] = {}
    todo = [action for action in plan.actions if action.kind in (COPY, CONVERT)]
    with hold(out):
        for action in track(todo, "images"):
            place = out / action.path.parent.relative_to(plan.folder)
            convert = partial(_convert, color=rule.color)
            write = partial(shutil.copyfile if action.kind == COPY else convert, action.path)
            try:
                origin = {"source": str(action.path), "source_sha256": file_digest(action.path), "rule": asdict(rule)}
                save_recorded(out / CLEANED, place, str(action.stem), rule.suffix, write, **origin)
            except ValueError as error:
                failed[str(action.path)] = reason_of(error)
    return failed


def _convert(source: Path, target: Path, color: str) -> None:
    """Write an image in a color mode, where `keep` keeps gray gray, and in the format of the target's suffix."""
    image = read_image(source)
    is_gray = color == "gray" or (color == "keep" and not np.ptp(image, axis=2).any())
    write_image(target, to_gray(image) if is_gray else image)
