"""Readers of one table for many images: COCO JSON, also packed in a tar, and WIDER FACE lists."""

from __future__ import annotations

import json
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from fer_paddle.labels import parse_split
from yolo3tiny.rows import Marked, Row, TableError, existing, inside, located, numbers, read_text

TABLE_NAME = "annotations.json"
WIDER_LISTS = "wider_face_*_bbx_gt.txt"
_ROBOFLOW_NAME = "_annotations.coco.json"
_MAX_MEMBER_BYTES = 300 << 20  # of a file in a tar
# A machine's box has a `score`: above SURE it is a face, down to MAYBE neither face nor background, below nothing.
SURE, MAYBE = 0.35, 0.12


def read_coco(path: Path) -> Iterator[Row | str]:
    if path.is_file() and path.suffix.lower() != ".json":
        yield from _read_tar(path)
        return
    for table in [path] if path.is_file() else coco_tables(path):
        split = parse_split(table.parent.name) or "" if table.name == _ROBOFLOW_NAME else ""
        yield from _parse_coco(table.read_bytes(), str(table), table.parent.joinpath, split)


def coco_tables(folder: Path) -> list[Path]:
    """Return annotations.json, or the tables that Roboflow writes into the folder of each split."""
    tables = sorted(folder.glob(f"*/{_ROBOFLOW_NAME}")) if folder.is_dir() else []
    return [folder / TABLE_NAME] if (folder / TABLE_NAME).is_file() else tables


def _read_tar(path: Path) -> Iterator[Row | str]:
    try:
        with tarfile.open(path) as tar:
            members = {PurePosixPath(member.name): member for member in tar if member.isfile()}
            tables = [name for name in members if name.name == TABLE_NAME]
            if len(tables) != 1:
                raise TableError(f"{path}: expected one {TABLE_NAME} in it, found {len(tables)}")

            def read(name: PurePosixPath) -> bytes:
                if members[name].size > _MAX_MEMBER_BYTES:
                    raise ValueError(f"a file of {members[name].size} bytes")
                return tar.extractfile(members[name]).read()  # type: ignore[union-attr]  # a file, see above

            folder = tables[0].parent
            yield from _parse_coco(read(tables[0]), f"{path}:{tables[0]}", lambda name: read(folder / name))
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: expected a whole tar, got {type(error).__name__}: {reason}") from error


def _parse_coco(text: bytes, where: str, find: Callable[[str], Path | bytes], split: str = "") -> Iterator[Row | str]:
    with located(where, "COCO JSON with images, each of its own id, and annotations"):
        table = json.loads(text)
        rows, annotations = list(table["images"]), list(table["annotations"])
        marked: dict[Any, list[Marked]] = {row["id"]: [] for row in rows}
        names = {category["id"]: str(category["name"]) for category in table.get("categories") or ()}
        if len(marked) < len(rows):
            raise ValueError(f"{len(rows)} images with {len(marked)} ids")
    for number, row in enumerate(annotations):
        with located(f"{where}: annotations[{number}]", "image_id of an image and bbox of four numbers"):
            x, y, width, height = map(float, row["bbox"])
            category, score = names.get(row.get("category_id"), ""), row.get("score")
            score = 1.0 if score is None else float(score)
            if not 0 <= score <= 1:
                raise ValueError(f"a score of {score}, expected 0..1")
            ignore = bool(row.get("ignore") or row.get("iscrowd")) or score <= SURE
            if score > MAYBE:
                marked[row["image_id"]].append(Marked((x, y, x + width, y + height), category, ignore))
    for number, row in enumerate(rows):
        try:
            with located(f"{where}: images[{number}]", "split and source as text"):
                own_split, source = _text(row, "split"), _text(row, "source")
            with located(f"{where}: images[{number}]", "file_name of an image there"):
                name = inside(row["file_name"])
                image = find(name)
                size = float(row.get("width") or 0), float(row.get("height") or 0)
            image = existing(image, f"{where}: images[{number}]")
        except TableError as error:
            yield str(error)
            continue
        own_split = parse_split(own_split) or own_split or split
        yield Row(name, image, marked[row["id"]], size if min(size) > 0 else None, source, own_split)


def _text(row: Mapping[str, Any], field: str) -> str:
    """Return a field of a COCO row; one that is missing or null is ""."""
    value = row.get(field)
    if not isinstance(value, str | None):
        raise ValueError(f"{field} {value!r}")
    return value or ""


def wider_lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".txt" else []
    return sorted([*path.glob(WIDER_LISTS), *path.glob(f"wider_face_split/{WIDER_LISTS}")])


def read_wider(path: Path) -> Iterator[Row | str]:
    """Read a name, the number of boxes, then a line x y w h and six marks for each; the fourth says invalid.

    Source: Yang et al., WIDER FACE, 2016, arXiv:1511.06523; the readme of its download.
    """
    for table in wider_lists(path):
        word = next((word for word in table.stem.split("_") if parse_split(word)), "")
        root = table.parent if path.is_file() else path / f"WIDER_{word}" / "images"
        listed = read_text(table).splitlines()
        lines, end = enumerate(listed, 1), (len(listed) + 1, "")
        for number, name in lines:
            if not name.strip():
                continue
            count_line, text = next(lines, end)
            with located(f"{table}:{count_line}", "the number of boxes, 0 or more"):
                if (count := int(text)) < 0:
                    raise ValueError(repr(text))
            # A row of zeros stands for an image without faces.
            rows = [numbers(table, next(lines, end), (4, 10)) for _ in range(max(count, 1))][:count]
            # Those without size are an artifact of the data set.
            marked = [
                Marked((x, y, x + w, y + h), ignore=marks[3:4] == [1] or w <= 0 or h <= 0)
                for x, y, w, h, *marks in rows
            ]
            try:
                with located(f"{table}:{number}", "the name of an image"):
                    image = root / inside(name.strip())
                yield Row(
                    name.strip(), existing(image, f"{table}:{number}"), marked, None, "wider", parse_split(word) or ""
                )
            except TableError as error:
                yield str(error)
