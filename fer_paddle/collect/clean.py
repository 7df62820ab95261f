"""Tidies a folder of pictures: one name pattern, one format, one colour mode, no copies. First it plans."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_paddle.collect.copies import Fingerprint, fingerprint, group_copies
from fer_paddle.collect.names import MAX_BYTES, cut_text, safe_name
from fer_paddle.collect.undo import Journal, check_in_order
from fer_paddle.files import append_json_line, file_digest
from fer_paddle.images import FORMATS, list_images, read_image, read_orientation, to_gray, write_image

COLORS = ("keep", "color", "gray")
CONVERTED = Path(".collect", "converted.jsonl")  # which picture was made of which, by sha256
_FIELDS = re.compile(r"\{(folder|stem|number)(:0?\d{1,2}d?)?\}")
# Pillow's names for the pixels that a picture of each colour mode may have.
_MODES = {"keep": ("RGB", "L"), "color": ("RGB",), "gray": ("L",)}

KEEP, RENAME, CONVERT, SET_ASIDE = "keep", "rename", "convert", "set aside"


@dataclass(frozen=True)
class CleanRule:
    """What a tidy folder looks like.

    Attributes:
        pattern: Names, from `{folder}`, `{stem}` and `{number}` (with a width: `{number:05}`). Numbers count in each
            folder by itself; a long folder or stem is cut, a number never.
        suffix: The one format, such as `.jpg` or `.png`.
        color: `color`, `gray`, or `keep` for either.
        near_bits: See copies.group_copies; -1 takes exact copies out alone, None leaves all copies.

    Raises:
        ValueError: One of them is unknown or out of its range.
    """

    pattern: str = "{folder}_{number:05}"
    suffix: str = ".jpg"
    color: str = "keep"
    near_bits: int | None = 4

    def __post_init__(self) -> None:
        if re.search(r"[{}]", _FIELDS.sub("", self.pattern)) or "{number" not in self.pattern:
            raise ValueError(f"expected a pattern of {{folder}}, {{stem}} and {{number:05}}, got {self.pattern!r}")
        if re.search(r"\{(folder|stem):", self.pattern):
            raise ValueError(f"expected a width for {{number}} alone, got {self.pattern!r}")
        if self._room(0) < MAX_BYTES // 2:
            raise ValueError(f"expected at most {MAX_BYTES // 2} bytes beside folder and stem, got {self.pattern!r}")
        if self.suffix not in FORMATS or self.color not in COLORS:
            expected = f"a suffix of {', '.join(FORMATS)} and a colour of {', '.join(COLORS)}"
            raise ValueError(f"expected {expected}, got {self.suffix!r} and {self.color!r}")
        if self.near_bits is not None:
            group_copies((), self.near_bits)

    def name(self, path: Path, number: int) -> str:
        """Gives the tidy name of a picture."""
        room = self._room(number) // max(self.pattern.count("{folder}") + self.pattern.count("{stem}"), 1)
        folder, stem = cut_text(path.parent.resolve().name, room), cut_text(path.stem, room)
        return safe_name(self.pattern.format(folder=folder, stem=stem, number=number)) + self.suffix

    def _room(self, number: int) -> int:
        """Bytes of a name that are left for folder and stem."""
        return MAX_BYTES - len(self.pattern.format(folder="", stem="", number=number).encode("utf-8", "replace"))


@dataclass(frozen=True)
class Fate:
    """What becomes of one picture: `action` is one of KEEP, RENAME, CONVERT and SET_ASIDE, `target` its new path."""

    path: Path
    action: str
    target: Path | None = None
    reason: str | None = None


@dataclass
class CleanPlan:
    """What a clean will do, before it does it.

    Attributes:
        folder: The folder.
        fates: One a picture, by path.
        copies: Groups of copies within one folder; the first of each stays.
        conflicts: Groups of copies in several folders. Which label is right nobody knows: all stay.
    """

    folder: Path
    fates: list[Fate] = field(default_factory=list)
    copies: list[list[Path]] = field(default_factory=list)
    conflicts: list[list[Path]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Pictures of each action."""
        return {name: sum(fate.action == name for fate in self.fates) for name in (KEEP, RENAME, CONVERT, SET_ASIDE)}


def plan_clean(folder: Path, rule: CleanRule, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter) -> CleanPlan:
    """Looks at all pictures of a folder and of those below it, and plans; changes nothing.

    Args:
        folder: The folder.
        rule: How it shall look.
        progress: Wraps the paths for a progress bar.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It is a file, an earlier clean of it is half done, or two pictures would get one name.
    """
    check_in_order(folder)
    plan = CleanPlan(folder)
    root = folder.resolve()
    prints: dict[Path, Fingerprint] = {}
    reasons: dict[Path, str] = {}
    for path in progress(list_images(folder)):
        if not path.parent.resolve().is_relative_to(root):
            plan.fates.append(Fate(path, KEEP, reason="lies in a linked folder elsewhere"))
            continue
        try:
            prints[path] = fingerprint(read_image(path))
        except (ValueError, FileNotFoundError) as error:
            reasons[path] = f"cannot be read: {error}"
    if rule.near_bits is not None:
        _find_copies(plan, prints, reasons, rule.near_bits)
    plan.fates += [Fate(path, SET_ASIDE, reason=reason) for path, reason in reasons.items()]
    _plan_names(plan, [path for path in prints if path not in reasons], rule)
    plan.fates.sort(key=lambda fate: fate.path)
    return plan


def _find_copies(plan: CleanPlan, prints: dict[Path, Fingerprint], reasons: dict[Path, str], near_bits: int) -> None:
    """Fills in the plan's copies and conflicts, and why each copy goes."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
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


def _plan_names(plan: CleanPlan, paths: Sequence[Path], rule: CleanRule) -> None:
    numbers: dict[Path, int] = defaultdict(int)
    taken: dict[str, Path] = {}
    for path in paths:
        numbers[path.parent] += 1
        target = path.with_name(rule.name(path, numbers[path.parent]))
        if (other := taken.setdefault(str(target).lower(), path)) != path:
            raise ValueError(f"expected a pattern that gives each picture a name, got one for {other} and {path}")
        # A link to a picture that may move itself becomes a picture of its own.
        is_link_within = path.is_symlink() and path.resolve().is_relative_to(plan.folder.resolve())
        if is_link_within or not _is_as_wanted(path, rule):
            plan.fates.append(Fate(path, CONVERT, target))
        else:
            plan.fates.append(Fate(path, KEEP if target == path else RENAME, target))


def _is_as_wanted(path: Path, rule: CleanRule) -> bool:
    """Tells whether a readable picture has the format and colour mode of the rule, and lies upright."""
    with Image.open(path) as picture:
        is_wanted = picture.mode in _MODES[rule.color]
        if picture.format == "GIF" and picture.mode == "P":  # as all colours, and grays where they are few
            colors = np.array(picture.getpalette()).reshape(-1, 3)
            is_wanted = rule.color != "gray" or not np.ptp(colors, axis=1).any()
        return is_wanted and picture.format == FORMATS[rule.suffix] and read_orientation(picture) == 1


def apply_clean(plan: CleanPlan, rule: CleanRule, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Journal:
    """Does what a plan says. Every original that goes or changes is kept; `undo.undo_last` brings all back.

    Args:
        plan: Of `plan_clean`; the folder must not have changed since.
        rule: The same rule.
        progress: Wraps the pictures for a progress bar.

    Returns:
        The journal of what was done.

    Raises:
        ValueError: An earlier clean of the folder is half done.
        OSError: The folder cannot be written, or a picture is gone; what was done so far can be undone.
        KeyboardInterrupt: With a line that says how to go on.
    """
    journal = Journal(plan.folder, "clean", whole=True)
    try:
        _do_fates(journal, plan, rule, progress)
    except KeyboardInterrupt:
        undo = f"python -m fer_paddle collect undo {plan.folder}"
        raise KeyboardInterrupt(
            f"stopped half done: run the same again to go on, or take it back with: {undo}"
        ) from None
    journal.finish()
    return journal


def _do_fates(journal: Journal, plan: CleanPlan, rule: CleanRule, progress: Callable[..., Iterable[Any]]) -> None:
    moved = [fate for fate in plan.fates if fate.action != KEEP]
    originals = {fate.path: fate.path.resolve() for fate in moved if fate.action == CONVERT}  # where links lead to
    # All leave their places before the first takes a new one: 1 -> 2 and 2 -> 3 must not meet.
    places = {fate.path.parent.resolve() / fate.path.name: journal.set_aside(fate.path) for fate in moved}
    for fate in progress(moved):
        if fate.action == RENAME:
            place = fate.path.parent.resolve() / fate.path.name
            journal.move(places[place], fate.target)
            places[place] = fate.target
        elif fate.action == CONVERT:
            original = places.get(originals[fate.path], originals[fate.path])
            image = _convert(read_image(original), rule.color)
            digest = journal.create(fate.target, lambda temporary, image=image: write_image(temporary, image))
            names = {"file": fate.target.name, "was": fate.path.name}
            digests = {"sha256": digest, "was_sha256": file_digest(original)}
            append_json_line(plan.folder / CONVERTED, {**names, **digests, "batch": journal.name})


def _convert(image: np.ndarray, color: str) -> np.ndarray:
    """Brings a picture as read_image gives it, uint8 [H, W, 3], to a colour mode; `keep` keeps gray gray."""
    is_gray = color == "gray" or (color == "keep" and not np.ptp(image, axis=2).any())
    return to_gray(image) if is_gray else image
