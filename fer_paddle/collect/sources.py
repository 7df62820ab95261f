"""Find where an image came from, by the SHA-256 of its bytes, so that a new name does no harm."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from fer_paddle.collect.clean import CLEANED
from fer_paddle.collect.crawl import MANIFEST
from fer_paddle.collect.frames import FRAMES
from fer_paddle.collect.select import SELECTED
from fer_paddle.files import file_digest, read_json_lines

_RECORDS = (CLEANED, SELECTED, FRAMES, MANIFEST)


def find_sources(path: Path) -> list[dict[str, Any]]:
    """Return the records that lead from an image, under any name, to its address and license, the nearest first."""
    if not path.is_file():
        raise FileNotFoundError(f"{str(path)!r}: expected an image, found no such file")
    found: list[dict[str, Any]] = []
    waiting = deque([(file_digest(path), path.parent.resolve())])
    while waiting:
        digest, folder = waiting.popleft()
        files = [place / name for place in (folder, *folder.parents[:2]) for name in _RECORDS]
        for record in (record for file in files for record in read_json_lines(file, missing_ok=True)):
            if record.get("sha256") != digest or record in found:
                continue
            found.append(record)
            if "source_sha256" in record:
                waiting.append((record["source_sha256"], Path(record["source"]).parent.resolve()))
    return found
