"""File names out of foreign text: they stay in their folder, on every system, and never collide."""

from __future__ import annotations

import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fer_paddle.files import append_json_line, file_digest, temporary_folder

MAX_BYTES = 100  # file systems allow 255; a number and a suffix still follow
# Windows gives these names to devices, with any suffix, in any case. Source: Microsoft, "Naming files, paths, and
# namespaces".
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*%]+')
_WIDE = str.maketrans({"／": "_", "＼": "_", "：": "_"})


def safe_name(text: str, default: str = "image") -> str:
    """Return the stem of a file name made of any text; letters of all scripts stay."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    # Categories of C: control characters, marks that turn the direction of writing, private and unassigned ones.
    visible = "".join(c for c in re.sub(r"\s", " ", text) if not unicodedata.category(c).startswith("C"))
    name = re.sub(r"[\s_]+", "_", _FORBIDDEN.sub("_", visible.translate(_WIDE))).strip("._- ")
    name = cut_text(name, MAX_BYTES).strip("._- ")
    if not name:
        return default
    return _RESERVED.sub(r"\1_\2", name) if _RESERVED.fullmatch(name) else name


def cut_text(text: str, max_bytes: int) -> str:
    """Return the start of a text that takes at most so many bytes as composed UTF-8."""
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return composed.encode("utf-8")[:max_bytes].decode("utf-8", "ignore")


def check_outside(paths: Iterable[Path], folder: Path) -> None:
    """Refuse sources within the folder that is written: the next run would take what this one made."""
    root = os.path.realpath(folder)  # Path.resolve refuses links in a circle
    if inside := [path for path in paths if Path(os.path.realpath(path)).is_relative_to(root)]:
        raise ValueError(f"expected sources outside of {folder}, got {inside[0]}")


def save_new(folder: Path, stem: str, suffix: str, write: Callable[[Path], object]) -> tuple[Path, str]:
    """Write a file whole, under the first name that is free or has this very file; return its path and SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder / stem) as aside:
        written, path, numbers = aside / f"new{suffix}", folder / f"{stem}{suffix}", itertools.count(2)
        try:
            write(written)
        except ValueError as error:
            raise ValueError(str(error).replace(str(written), str(path))) from error
        digest = file_digest(written)
        while os.path.lexists(path):  # a broken link takes its name too
            if path.is_file() and file_digest(path) == digest:
                return path, digest
            path = folder / f"{stem}-{next(numbers)}{suffix}"
        os.replace(written, path)
        return path, digest


def save_recorded(
    records: Path, folder: Path, stem: str, suffix: str, write: Callable[[Path], object], **record: Any
) -> str:
    """Write a file as `save_new`, and a line about it into `records`, in `folder` or above; return its name there."""
    path, digest = save_new(folder, stem, suffix, write)
    file = path.relative_to(records.parent).as_posix()
    append_json_line(records, {"file": file, **record, "sha256": digest})
    return file
