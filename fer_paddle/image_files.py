"""Image files on a command line: which ones are meant, and annotated copies of them that overwrite no other file."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import images
from fer_paddle.console import Output
from fer_paddle.files import hold, read_bytes, write_json
from fer_paddle.messages import reason_of, track

MAX_RESULTS_BYTES = 1 << 30
_MAX_NAME_BYTES = 255
_KEPT_FORMATS = (".png", ".bmp", ".webp")
Failed = tuple[str, str]  # a file and the reason


def find_images(
    patterns: Sequence[str], out: Path | None = None, ours: Collection[str] = (), others: list[Path] | None = None
) -> list[Path]:
    """Return the images that files, folders and globs mean, each once, in the order given.

    Those of earlier runs in `out` are left out; files of folders that are no images are added to `others`.
    """
    found: dict[Path, None] = {}

    def keep(paths: Iterable[Path], pattern: str) -> list[Path]:
        if out is None:
            return list(paths)
        place = _real(out)
        named = _real(Path(pattern)).is_relative_to(place)
        paths = [path for path in paths if named or not _real(path.parent).is_relative_to(place)]
        return [path for path in paths if path.name not in ours or _real(path.parent) != place]

    for pattern in patterns:
        unreadable: list[Path] = []
        beside: list[Path] = []
        if os.path.isdir(pattern):  # noqa: PTH112 (Path.is_dir raises in a locked folder)
            paths = [*images.list_images(pattern, unreadable, beside), *unreadable]
        elif os.path.lexists(pattern):
            paths = [Path(pattern)]
        else:  # Path.glob takes no absolute pattern
            names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
            paths = [Path(name) for name in names if not os.path.isdir(name)]  # noqa: PTH112
        if others is not None:
            others += keep(beside, pattern)
        if not paths:
            raise ValueError(f"expected images, a folder of images or a glob, found none for {pattern!r}")
        found |= dict.fromkeys(keep(paths, pattern))
    if not found:
        raise ValueError(f"expected images, found none but those in the output folder {out}")
    return list(found)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def read_ours(results: Path) -> set[str]:
    """Return which images beside a results file of `annotate_files` earlier runs wrote, of those still there."""
    if not results.exists():
        return set()
    try:
        content = json.loads(read_bytes(results, MAX_RESULTS_BYTES))
        names = {Path(row["drawn"]).name for row in content["images"] if "drawn" in row}
        return {name for name in names | set(content.get("drawn_before", ())) if (results.parent / name).is_file()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"expected the results of an earlier run in {results}, got another file: choose another folder"
        ) from error


def name_copies(
    paths: Sequence[Path], out: Path, ours: Collection[str] = (), suffix: str | None = None
) -> dict[Path, Path]:
    """Return a file in `out` for each image: its name, with a number where another image or file has it."""
    replaced = set(ours) - {path.name for path in paths if _real(path.parent) == _real(out)}
    taken = {path.name.lower() for path in out.iterdir() if path.name not in replaced} if out.is_dir() else set()
    copies = {}
    for path in paths:
        end = suffix or (path.suffix.lower() if path.suffix.lower() in _KEPT_FORMATS else ".jpg")
        name, number = _fit(path.stem, end), 2
        while name.lower() in taken:
            name, number = _fit(path.stem, f"-{number}{end}"), number + 1
        taken.add(name.lower())
        copies[path] = out / name
    return copies


def _fit(stem: str, end: str) -> str:
    """Return a name of at most the bytes that file systems allow, its stem cut where it is longer."""
    while len(os.fsencode(stem + end)) > _MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + end


def annotate_images(
    patterns: Sequence[str],
    results: Path | None,
    annotate: Callable[[np.ndarray, float], tuple[dict[str, Any], Any]],
    table_of: Callable[[list[dict[str, Any]]], str],
) -> Output:
    """Find images and go through them by `annotate_files`: the output of a command, with a table of the records."""
    out, ours = (results.parent, read_ours(results)) if results else (None, set())
    found, failed = annotate_files(find_images(patterns, out, ours), results, annotate)
    reasons = [{"file": file, "reason": reason} for file, reason in failed]
    return Output({"images": found, "failed": reasons}, table_of(found) if found else "", failed)


def annotate_files(
    paths: Iterable[Path],
    results: Path | None,
    annotate: Callable[[np.ndarray, float], tuple[dict[str, Any], Any]],
    write: Callable[[Path, Any], Any] = images.write_image,
    suffix: str | None = None,
) -> tuple[list[dict[str, Any]], list[Failed]]:
    """Read images, write annotated copies and a results file beside them; go on past a bad image.

    An image of more than images.ENOUGH_PIXELS is annotated reduced, `annotate` is told by how much: pixels of the file
    for one of the image. Its record is in pixels of the file all the same: coordinates are in values named `..._xyxy`
    or `..._xy`. `drawn` is the copy's name beside the results file, which may move with it.
    """
    records: list[dict[str, Any]] = []
    failed: list[Failed] = []
    ours: set[str] = set()
    copies: dict[Path, Path] = {}
    with nullcontext() if results is None else hold(results.parent):
        if results is not None:
            paths, ours = list(paths), read_ours(results)
            copies = name_copies(paths, results.parent, ours, suffix)
        try:
            for path in track(paths, "images"):
                try:
                    image, (height, width) = images.read_image(path, images.ENOUGH_PIXELS), images.read_size(path)
                    record, copy = annotate(image, max(width / image.shape[1], 1.0))
                    if image.shape[:2] != (height, width):
                        record = _scale_coordinates(record, (width / image.shape[1], height / image.shape[0]))
                    if results is not None and copy is not None:
                        write(copies[path], copy)
                        record["drawn"] = copies[path].name
                except (ValueError, OSError) as error:
                    failed.append((str(path), reason_of(error)))
                    continue
                records.append({"file": str(path), "width": width, "height": height, **record})
        finally:
            if results is not None:
                before = sorted(ours - {Path(record["drawn"]).name for record in records if "drawn" in record})
                reasons = [{"file": file, "reason": reason} for file, reason in failed]
                write_json(results, {"images": records, "failed": reasons, "drawn_before": before})
    return records, failed


def _scale_coordinates(value: Any, scale_xy: tuple[float, float], name: str = "") -> Any:
    """Return JSON values with every list of coordinates, x and y in turns, as `name` says, in another scale."""
    if isinstance(value, dict):
        return {key: _scale_coordinates(inner, scale_xy, key) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    if name.endswith(("_xyxy", "_xy")) and value and not isinstance(value[0], list):
        return [round(number * scale_xy[place % 2], 2) for place, number in enumerate(value)]
    return [_scale_coordinates(inner, scale_xy, name) for inner in value]
