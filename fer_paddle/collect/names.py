"""File names out of foreign text: they stay in their folder, on every system, and never collide."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from pathlib import Path

MAX_BYTES = 100  # file systems allow 255; a number and a suffix still follow
# Windows gives these names to devices, with any suffix, in any case. Source: Microsoft, "Naming files, paths, and
# namespaces".
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*%]+')
_WIDE = str.maketrans({"／": "_", "＼": "_", "：": "_"})


def safe_name(text: str, default: str = "picture") -> str:
    """Makes the stem of a file name out of any text; letters of all scripts stay.

    Args:
        text: Anything, such as the last part of a URL's path, percent signs already decoded.
        default: Taken where nothing is left.

    Returns:
        A name of at most MAX_BYTES in UTF-8: no separators, control or invisible characters, no dot or space at
        either end, and none of Windows' device names.
    """
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    # Categories of C: control characters, marks that turn the direction of writing, private and unassigned ones.
    visible = "".join(" " if letter.isspace() else letter for letter in text if _is_visible(letter))
    name = re.sub(r"[\s_]+", "_", _FORBIDDEN.sub("_", visible.translate(_WIDE))).strip("._- ")
    name = cut_text(name, MAX_BYTES).strip("._- ")
    if not name:
        return default
    return _RESERVED.sub(r"\1_\2", name) if _RESERVED.fullmatch(name) else name


def cut_text(text: str, max_bytes: int) -> str:
    """Gives the start of a text that takes at most so many bytes as composed UTF-8."""
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return composed.encode("utf-8")[:max_bytes].decode("utf-8", "ignore")


def _is_visible(letter: str) -> bool:
    return letter.isspace() or not unicodedata.category(letter).startswith("C")


def free_name(folder: Path, stem: str, suffix: str, taken: Container[str] = ()) -> Path:
    """Gives a path in a folder at which nothing lies: the name itself, or with a number behind it.

    Args:
        folder: The folder; it need not exist.
        stem: Of `safe_name`.
        suffix: With its dot.
        taken: Names in small letters that count as taken too.
    """
    name, number = f"{stem}{suffix}", 2
    while name.lower() in taken or (folder / name).exists() or (folder / name).is_symlink():
        name, number = f"{stem}-{number}{suffix}", number + 1
    return folder / name
