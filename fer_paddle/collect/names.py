"""File names out of foreign text: they stay in their folder, on every system, and never collide."""

from __future__ import annotations

import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_paddle.files import file_digest, temporary_folder

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


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """Return a path in a folder at which nothing lies."""
    return next(filter(_is_free, _candidates(folder, stem, suffix)))


def save_new(folder: Path, stem: str, suffix: str, write: Callable[[Path], object]) -> tuple[Path, str]:
    """Write a new file whole, under the first free name; return its path and SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder / stem) as aside:
        written = aside / f"new{suffix}"
        write(written)
        digest = file_digest(written)
        for path in _candidates(folder, stem, suffix):
            if path.is_file() and file_digest(path) == digest:
                break
            if _is_free(path):
                os.replace(written, path)
                break
        return path, digest


def _candidates(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    """Yield the name itself, then the name with a number behind it."""
    yield folder / f"{stem}{suffix}"
    yield from (folder / f"{stem}-{number}{suffix}" for number in itertools.count(2))


def _is_free(path: Path) -> bool:
    return not (path.exists() or path.is_symlink())
