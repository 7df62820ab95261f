"""Picture files on a command line: which ones are meant, and what the annotated copies are called."""

from __future__ import annotations

import glob
import json
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from fer_paddle import images

_KEPT_FORMATS = (".png", ".bmp", ".webp")


def find_pictures(patterns: Sequence[str], out: Path | None = None, drawn: Collection[str] = ()) -> list[Path]:
    """Lists the pictures that files, folders and globs mean, each once, in the order given.

    Args:
        patterns: As they were typed.
        out: The output folder. What lies in it is meant only where the pattern names it, or something in it.
        drawn: Names in the output folder that are never meant: see read_drawn.

    Raises:
        ValueError: One of them means no picture, and is named; or all pictures are left out.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            paths = images.list_images(path)
        elif path.exists():
            paths = [path]
        else:
            # Path.glob takes no absolute pattern.
            names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
            paths = [Path(name) for name in names if Path(name).is_file()]
        if not paths:
            raise ValueError(f"expected pictures, a folder of pictures or a glob, found none for {pattern!r}")
        found |= dict.fromkeys(paths if out is None else _leave_out_results(paths, path, out, drawn))
    if out is not None and not found:
        raise ValueError(f"expected pictures, found none but those in the output folder {out}")
    return list(found)


def _leave_out_results(paths: Sequence[Path], pattern: Path, out: Path, drawn: Collection[str]) -> list[Path]:
    """Leaves out what an earlier run drew, and all of the output folder where the pattern names a place outside."""
    named = pattern if pattern.exists() else Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    out = out.resolve()
    names_out = named.resolve().is_relative_to(out)
    places = {folder: folder.resolve() for folder in {path.parent for path in paths}}
    if not names_out and not pattern.is_file():
        return [path for path in paths if not places[path.parent].is_relative_to(out)]
    return [path for path in paths if path.name not in drawn or places[path.parent] != out]


def read_drawn(results: Path) -> set[str]:
    """Reads which pictures beside a results file earlier runs drew, of those still there; none without the file.

    The file holds `pictures`, each with the file name or path `drawn`, and `drawn_before`, file names: what runs before
    the last one drew.

    Raises:
        ValueError: It is another file, not to be replaced.
    """
    if not results.exists():
        return set()
    try:
        content = json.loads(results.read_text(encoding="utf-8"))
        names = {Path(picture["drawn"]).name for picture in content["pictures"]} | set(content.get("drawn_before", ()))
        return {name for name in names if (results.parent / name).is_file()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"expected the results of an earlier run in {results}, got another file: choose another folder"
        ) from error


def note_drawn(
    pictures: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, str]], before: Collection[str]
) -> dict[str, Any]:
    """Gives the content of a results file that read_drawn reads; it goes on naming what earlier runs drew.

    Args:
        pictures: As JSON values, each with the file name or path `drawn`.
        failed: File and reason of those that failed.
        before: What read_drawn gave before this run.
    """
    earlier = sorted(set(before) - {Path(picture["drawn"]).name for picture in pictures})
    return {"pictures": pictures, "failed": failed, "drawn_before": earlier}


class OutputNames:
    """Gives each picture a file name of its own in the output folder, at which nothing lies that is not replaceable.

    Args:
        folder: The output folder.
        pictures: All pictures that will be read; they are never replaced.
        drawn: Names of the files there that may be replaced: see read_drawn.
    """

    def __init__(self, folder: Path, pictures: Sequence[Path], drawn: Collection[str] = ()):
        self.folder = folder
        # By the name that was given and by the real one, where a link lies between them.
        places = [place for path in pictures for place in (path.parent.resolve() / path.name, path.resolve())]
        self.taken = {place.name.lower() for place in places if place.parent == folder.resolve()}
        if folder.is_dir():
            self.taken |= {path.name.lower() for path in folder.iterdir() if path.name not in drawn}

    def next_for(self, path: Path) -> Path:
        """Names the copy of one picture: its own name, with a number where that is taken.

        What is neither PNG nor BMP nor WebP becomes JPEG.
        """
        suffix = path.suffix.lower() if path.suffix.lower() in _KEPT_FORMATS else ".jpg"
        name, number = f"{path.stem}{suffix}", 2
        while name.lower() in self.taken:
            name, number = f"{path.stem}-{number}{suffix}", number + 1
        self.taken.add(name.lower())
        return self.folder / name
