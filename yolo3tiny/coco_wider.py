"""Readers of one table for many images: COCO JSON, also packed in a tar, and WIDER FACE lists."""

from __future__ import annotations

import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fer_paddle.files import MAX_TEXT_BYTES, largest_content, parse_numbers, read_bytes, read_text
from fer_paddle.images import find_named, path_ends
from fer_paddle.labels import find_split, parse_split
from yolo3tiny.rows import NOT_READ, Marked, Row, TableError, existing, located

if TYPE_CHECKING:
    from typing_extensions import Self

TABLE_NAME = "annotations.json"
WIDER_LISTS = "wider_face_*_bbx_gt.txt"
_OTHER_NAMES = ("annotations/instances_default.json", "result.json")  # of CVAT and Label Studio
_ROBOFLOW_NAME = "_annotations.coco.json"
_TAR = re.compile(r"\.(tar(\.\w+)?|tgz|tbz2?|txz)$", re.IGNORECASE)
_MAX_IMAGE_BYTES, _MAX_HEADER_BYTES, _MAX_MEMBERS = 300 << 20, 1 << 20, 500_000  # in a tar
# A machine's box has a `score`: above SURE it is a face, down to MAYBE neither face nor background, below nothing.
SURE, MAYBE = 0.35, 0.12


def read_coco(path: Path) -> Iterator[Row | str]:
    for table in coco_tables(path):
        if table.suffix.lower() == ".json":
            yield from _parse_coco(read_bytes(table), str(table), partial(_find_image, table), _split_of(table))
        else:
            yield from _read_tar(table)


def coco_tables(path: Path) -> list[Path]:
    """Return a table or tar itself, annotations.json of a folder, or the tables of each split of other tools."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" or _TAR.search(path.name) else []
    tables = [path / TABLE_NAME] if (path / TABLE_NAME).is_file() else sorted(path.glob(f"*/{_ROBOFLOW_NAME}"))
    tables = tables or sorted(path.glob(_ROBOFLOW_NAME))
    tables = tables or [table for table in sorted(path.glob("annotations/[!.]*.json")) if _split_of(table)]
    return tables or [path / name for name in _OTHER_NAMES if (path / name).is_file()]


def _split_of(table: Path) -> str:
    """Return the split of a table: Roboflow names its folder, COCO (instances_val2017) and PaddleX the table itself."""
    return find_split([table.parent.name] if table.name == _ROBOFLOW_NAME else re.split(r"[_\d]+", table.stem))


def _find_image(table: Path, name: str) -> Path:
    """Return where the image of a table is: beside it, in images/, or in a folder of the split, such as train2017/."""
    roots, split = table.parents[: 1 + (table.parent.name == "annotations")], table.stem.rpartition("_")[2]
    places = [place for root in roots for place in (root / "images", root / split, root / "images" / split, root)]
    return find_named(name, table.parent, *places)


def _read_tar(path: Path) -> Iterator[Row | str]:
    try:
        with tarfile.open(path, tarinfo=_ShortHeader) as tar:
            members = {PurePosixPath(member.name): member for member in _bounded(tar, path) if member.isfile()}
            tables = [name for name in members if name.name == TABLE_NAME]
            if len(tables) != 1:
                raise TableError(f"{path}: expected one {TABLE_NAME} in it, found {len(tables)}")

            def read(name: PurePosixPath, most: int = _MAX_IMAGE_BYTES) -> bytes:
                if members[name].size > most:
                    raise ValueError(f"{path}: expected {name} of at most {most} bytes, got {members[name].size}")
                return tar.extractfile(members[name]).read()  # type: ignore[union-attr]  # a file, see above

            def find(name: str) -> bytes:
                named = [tables[0].parent / end for end in path_ends(name)]
                return read(next((one for one in named if one in members), named[0]))

            yield from _parse_coco(read(tables[0], MAX_TEXT_BYTES), f"{path}:{tables[0]}", find)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: expected a whole tar, got {type(error).__name__}: {reason}") from error


class _ShortHeader(tarfile.TarInfo):
    """A header, but none of megabytes: tarfile reads a long name or its extensions whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.size > _MAX_HEADER_BYTES and not (header.isreg() or header.isdir()):
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        return header


def _bounded(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """Go through a tar, but not through one that unpacks to many times its size, or of countless members."""
    most = largest_content(path)
    for count, member in enumerate(tar, 1):
        if count > _MAX_MEMBERS or member.offset_data + member.size > most:
            raise ValueError(f"{path}: expected a tar of at most {most >> 20} MB and {_MAX_MEMBERS} files, got more")
        yield member


def _parse_coco(text: bytes, where: str, find: Callable[[str], Path | bytes], split: str = "") -> Iterator[Row | str]:
    with located(where, "COCO JSON with images, each of its own id, and annotations"):
        table = json.loads(text)
        if not isinstance(table, dict) or not {"images", "annotations"} <= table.keys():
            raise ValueError(f"other JSON; {NOT_READ}")
        rows, annotations = list(table["images"]), list(table["annotations"])
        marked: dict[Any, list[Marked]] = {row["id"]: [] for row in rows}
        categories = list(table.get("categories") or ())
        names = {category["id"]: category["name"].strip() for category in categories}
        for what, given, ids in (("images", rows, marked), ("categories", categories, names)):
            if len(ids) < len(given):
                raise ValueError(f"{len(given)} {what} with {len(ids)} ids")
    for number, row in enumerate(annotations):
        expected = "image_id and category_id of what is there and bbox of four numbers"
        with located(f"{where}: annotations[{number}]", expected):
            if not isinstance(row["bbox"], list):
                raise ValueError(f"bbox {row['bbox']!r}")
            x, y, width, height = map(float, row["bbox"])
            kind, score = row.get("category_id"), row.get("score")
            category = names[row["category_id"]] if names else "" if kind is None else str(kind)
            score = 1.0 if score is None else float(score)
            if not 0 <= score <= 1:
                raise ValueError(f"a score of {score}, expected 0..1")
            ignore = any(int(row.get(name) or 0) for name in ("ignore", "iscrowd")) or score <= SURE
            if score > MAYBE:
                marked[row["image_id"]].append(Marked((x, y, x + width, y + height), category, ignore))
    for number, row in enumerate(rows):
        try:
            with located(f"{where}: images[{number}]", "file_name of an image there, split and source as text"):
                own_split, source = (row.get(field) or "" for field in ("split", "source"))
                if not isinstance(own_split, str) or not isinstance(source, str):
                    raise ValueError(f"split {own_split!r} and source {source!r}")
                image, name = find(row["file_name"]), row["file_name"].replace("\\", "/")
                size = float(row.get("width") or 0), float(row.get("height") or 0)
            image = existing(image, f"{where}: images[{number}]")
        except TableError as error:
            yield str(error)
            continue
        own_split = parse_split(own_split) or own_split or split
        yield Row(name, image, marked[row["id"]], size if min(size) > 0 else None, source, own_split)


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
        root = table.parents[table.parent.name == "wider_face_split"]
        roots = [root / f"WIDER_{word}" / "images", *([table.parent] if path.is_file() else [])]
        listed = read_text(table).splitlines()
        lines, end = iter(enumerate(listed, 1)), (len(listed) + 1, "")
        for number, name in lines:
            if set(name.split()) <= {"0"}:  # empty, or the row that may stand for an image without faces
                continue
            count_line, text = next(lines, end)
            with located(f"{table}:{count_line}", "the number of boxes, 0 or more"):
                if (count := int(text)) < 0:
                    raise ValueError(repr(text))
            rows = [
                parse_numbers(row, (4, 10), f"{table}:{at}") for at, row in (next(lines, end) for _ in range(count))
            ]
            # Those without size are an artifact of the data set.
            marked = [
                Marked((x, y, x + w, y + h), ignore=marks[3:4] == [1] or w <= 0 or h <= 0)
                for x, y, w, h, *marks in rows
            ]
            try:
                with located(f"{table}:{number}", "the name of an image"):
                    image = existing(find_named(name.strip(), *roots), f"{table}:{number}")
                yield Row(name.strip(), image, marked, None, "wider", parse_split(word) or "")
            except TableError as error:
                yield str(error)
