"""Files of one JSON object a line, to which a line is added with each file: a crash costs at most the last one."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a file of one JSON object a line; a last line without its end was cut off and is left out.

    Raises:
        ValueError: Another line is damaged.
    """
    *lines, rest = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if rest:
        logger.warning("%s: the last line was cut off and is left out", path)
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected JSON in line {number} of {path}, got {line[:60]!r}") from error
        if not isinstance(record, dict):
            raise ValueError(f"expected a JSON object in line {number} of {path}, got {line[:60]!r}")
        found.append(record)
    return found


def append_json_line(path: Path, record: Mapping[str, Any], sync: bool = False) -> None:
    """Adds a line, in place of one that a crash cut off.

    Args:
        path: The file; made where it is missing.
        record: JSON values. Bytes of a file name that are no UTF-8 become escapes such as `\\udcc4`, and come back.
        sync: Return only when the line is on the disk.
    """
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        if sync:
            file.flush()
            os.fsync(file.fileno())
