"""Reads tables of face boxes: COCO JSON, WIDER FACE lists, YOLO text and Pascal VOC; writes COCO JSON.

Every marked object is a face, whatever its class. A table that cannot be understood, or that names a picture
that is not there, raises ValueError with its file and, where there are lines, the line. `yolo3tiny.photos`
says what happens to boxes that reach out of their picture.
"""

from __future__ import annotations

import json
import logging
import lzma
import os
import re
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from fer_paddle import images
from yolo3tiny.boxes import cxcywh_to_xyxy, xywh_to_xyxy, xyxy_to_xywh
from yolo3tiny.photos import Photo, PhotoCollector

TABLE_NAME = "annotations.json"
_WIDER_LISTS = "wider_face_*_bbx_gt.txt"
_VOC_SIDES = ("xmin", "ymin", "xmax", "ymax")
_SPLITS = ("train", "val", "test")
_LOG = logging.getLogger(__name__)


def read_photos(path: str | os.PathLike[str], split: str | None = None) -> list[Photo]:
    """Read photos with boxes in whichever of the formats is there.

    Args:
        path: A folder, or for COCO JSON also a .tar (.tar.gz ...) or the .json itself.
        split: Only photos of this split; None gives all.

    Returns:
        The photos in the order of their table, or of their names where each has a table of its own.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If there is none of the formats, a table is malformed, or no photo is of the split.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a folder or file of annotated photos, found nothing")
    if path.is_file() or (path / TABLE_NAME).is_file():
        return read_coco(path, split)
    if lists := sorted([*path.glob(_WIDER_LISTS), *path.glob(f"wider_face_split/{_WIDER_LISTS}")]):
        folders = [path / f"WIDER_{_split_in(*table.stem.split('_'))}" / "images" for table in lists]
        photos = [photo for table, folder in zip(lists, folders) for photo in read_wider(table, folder)]
    elif _voc_tables(path):
        photos = read_voc(path)
    elif any(_yolo_table(picture).is_file() for picture in images.list_images(path)):
        photos = read_yolo_txt(path)
    else:
        formats = f"{TABLE_NAME} (COCO), {_WIDER_LISTS}, [Annotations/]*.xml (VOC), a picture's .txt (YOLO)"
        raise ValueError(f"{path}: expected {formats}, found none of them")
    chosen = [photo for photo in photos if split in (None, photo.split)]
    if not chosen:
        raise ValueError(f"{path}: expected a split among {sorted({p.split for p in photos})}, got {split!r}")
    return chosen


def read_coco(path: str | os.PathLike[str], split: str | None = None) -> list[Photo]:
    """Read COCO JSON; boxes with `iscrowd` or `ignore` set are ignored.

    Args:
        path: A folder or a .tar (.tar.gz ...) with annotations.json in it, or the .json itself. Pictures in a
            .tar are kept in memory as the files they are; nothing is unpacked.
        split: Only photos whose row in `images` has this `split`; None gives all.

    Raises:
        ValueError: If the table or the .tar is malformed, names a missing picture, or no photo is of the split.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() != ".json":
        with _open_tar(path) as tar:
            files = {PurePosixPath(member.name): member for member in tar if member.isfile()}
            tables = [name for name in files if name.name == TABLE_NAME]
            if len(tables) != 1:
                raise ValueError(f"{path}: expected one {TABLE_NAME} in it, found {len(tables)}")
            text, folder = tar.extractfile(files[tables[0]]).read(), tables[0].parent
            where = f"{path}:{tables[0]}"
            return _parse_coco(text, where, split, lambda name: tar.extractfile(files[folder / name]).read())
    table = path / TABLE_NAME if path.is_dir() else path
    return _parse_coco(table.read_bytes(), str(table), split, lambda name: _existing(table.parent / name))


def write_coco(path: str | os.PathLike[str], photos: Sequence[Photo]) -> None:
    """Write the boxes of photos as COCO JSON, with `split` and `source` of a photo and `ignore` of a box.

    Pictures are not copied: photo.name must lead to them from the folder of the table.

    Args:
        path: The JSON file to write; one that is there is replaced at once.
        photos: The photos.
    """
    path = Path(path)
    table = {"categories": [{"id": 1, "name": "face"}], "images": [], "annotations": []}
    for photo_id, photo in enumerate(photos, 1):
        size = {"width": photo.size_hw[1], "height": photo.size_hw[0]}
        row = {"id": photo_id, "file_name": photo.name, **size, "split": photo.split, "source": photo.source}
        table["images"].append(row)
        for bbox, ignore in zip(xyxy_to_xywh(photo.boxes_xyxy).astype(float).round(3).tolist(), photo.ignore):
            row = {"id": len(table["annotations"]) + 1, "image_id": photo_id, "category_id": 1, "bbox": bbox}
            row |= {"area": round(bbox[2] * bbox[3], 3), "iscrowd": 0, "ignore": int(ignore)}
            table["annotations"].append(row)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, path)


def read_wider(list_file: str | os.PathLike[str], image_root: str | os.PathLike[str]) -> list[Photo]:
    """Read a list of WIDER FACE: a name, the number of boxes, then a line x y w h and six marks for each.

    Boxes marked invalid (the fourth mark) or without size are ignored, and the latter dropped as they cover
    nothing; so is the row of zeros that stands for a photo without faces.

    Source: Yang et al., WIDER FACE, 2016, arXiv:1511.06523; the readme of its download.

    Args:
        list_file: For instance wider_face_train_bbx_gt.txt; the train, val or test in its name is the split.
        image_root: Folder to which the names in the list are relative.

    Raises:
        ValueError: If a line is malformed or a picture missing.
    """
    list_file = Path(list_file)
    found, split = PhotoCollector(str(list_file)), _split_in(*list_file.stem.split("_"))
    listed = _read_text(list_file).splitlines()
    lines, end = enumerate(listed, 1), (len(listed) + 1, "")
    for number, name in lines:
        if not name.strip():
            continue
        with _located(f"{list_file}:{number}", "the name of a picture"):
            picture = _existing(Path(image_root, name.strip()))
        count_line, text = next(lines, end)
        with _located(f"{list_file}:{count_line}", "a whole number of boxes, 0 or more"):
            if (count := int(text)) < 0:
                raise ValueError(repr(text))
        rows = [_numbers(list_file, next(lines, end), (4, 10)) for _ in range(max(count, 1))]
        boxes = xywh_to_xyxy(_array([row[:4] for row in rows[:count]]))
        ignore = [row[7:8] == [1] for row in rows[:count]]
        found.add(name.strip(), picture, images.read_size(picture), boxes, ignore, "wider", split)
    return found.finish()


def read_yolo_txt(folder: str | os.PathLike[str]) -> list[Photo]:
    """Read YOLO text: a .txt of lines `class cx cy w h`, in parts of the picture's size, for each picture.

    It stands beside the picture, or in labels/ for a picture in images/. An empty one says that there is no
    face; pictures without one are left out, and a logged warning counts them. A folder named train, val or
    test gives the split.

    Raises:
        ValueError: If a line is malformed, or no picture has a .txt.
    """
    folder = Path(folder)
    found, left_out = PhotoCollector(str(folder)), 0
    for picture in images.list_images(folder):
        table = _yolo_table(picture)
        if not table.is_file():
            left_out += 1
            continue
        lines = [line for line in enumerate(_read_text(table).splitlines(), 1) if line[1].strip()]
        rows = [_numbers(table, line, (5,))[1:] for line in lines]
        for (number, line), row in zip(lines, rows):
            if not all(-0.001 <= value <= 1.001 for value in row):  # room for rounding
                raise ValueError(f"{table}:{number}: expected cx cy w h in 0..1, got {line!r}")
        size_hw, place = images.read_size(picture), picture.relative_to(folder)
        boxes = cxcywh_to_xyxy(_array(rows)) * np.float32(size_hw[::-1] * 2)
        split = _split_in(*place.parts[:-1])
        found.add(place.as_posix(), picture, size_hw, boxes, [False] * len(rows), split=split)
    if left_out:
        _LOG.warning("%s: left out %d pictures without a .txt", folder, left_out)
    return found.finish()


def read_voc(folder: str | os.PathLike[str]) -> list[Photo]:
    """Read Pascal VOC, an XML for each picture; objects marked difficult are ignored.

    The XMLs are in Annotations/ or in the folder; the pictures in JPEGImages/, images/, beside the XML or in
    the folder. Coordinates are numbers of pixels that begin at 1, the last pixel included.
    ImageSets/Main/train.txt, val.txt and test.txt give the split: on each line the name of an XML without .xml,
    which may hold spaces, and perhaps a mark 1, 0 or -1. A logged warning counts names without an XML and, where
    there are lists, XMLs in none of them.

    Source: Everingham & Winn, The PASCAL VOC2012 development kit, section 6.

    Raises:
        ValueError: If an XML is malformed, names a missing picture, or has a document type, as its entities
            could expand without end.
    """
    folder = Path(folder)
    tables = _voc_tables(folder)
    splits, found = _voc_splits(folder, {table.stem for table in tables}), PhotoCollector(str(folder))
    for table in tables:
        root, boxes, ignore = _parse_xml(table), [], []
        with _located(str(table), "<filename> of a picture and <object>s with <bndbox> xmin ymin xmax ymax"):
            # The last part only: tools write the path of another machine, with slashes of either kind.
            name = PureWindowsPath(root.findtext("filename").strip()).name
            places = (folder / "JPEGImages", folder / "images", table.parent)
            picture = next((place / name for place in places if (place / name).is_file()), folder / name)
            size_hw = images.read_size(_existing(picture))
            for marked in root.findall("object"):
                x1, y1, x2, y2 = (float(marked.find("bndbox").findtext(side)) for side in _VOC_SIDES)
                boxes.append((x1 - 1, y1 - 1, x2, y2))
                ignore.append(marked.findtext("difficult", "0").strip() == "1")
        place, split = picture.relative_to(folder).as_posix(), splits.get(table.stem, "")
        found.add(place, picture, size_hw, _array(boxes), ignore, split=split)
    return found.finish()


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: expected a whole tar, got {type(error).__name__}: {reason}") from error


def _parse_coco(text: bytes, where: str, split: str | None, find: Callable[[str], Path | bytes]) -> list[Photo]:
    with _located(where, "COCO JSON with images, each of its own id, and annotations"):
        table = json.loads(text)
        rows, marked = list(table["images"]), list(table["annotations"])
        boxes_of = {row["id"]: [] for row in rows}
        if len(boxes_of) < len(rows):
            raise ValueError(f"{len(rows)} images with {len(boxes_of)} ids")
    for number, row in enumerate(marked):
        with _located(f"{where}: annotations[{number}]", "image_id of an image and bbox of four numbers"):
            x, y, width, height = map(float, row["bbox"])
            ignore = bool(row.get("ignore") or row.get("iscrowd"))
            boxes_of[row["image_id"]].append((x, y, x + width, y + height, ignore))
    told = []
    for number, row in enumerate(rows):
        with _located(f"{where}: images[{number}]", "split and source as text"):
            told.append((_text(row, "split"), _text(row, "source")))
    if split is not None and split not in (splits := {own for own, _ in told}):
        raise ValueError(f"{where}: expected a split among {sorted(splits)}, got {split!r}")
    found = PhotoCollector(where)
    for number, (row, (own_split, source)) in enumerate(zip(rows, told)):
        if split not in (None, own_split):
            continue
        with _located(f"{where}: images[{number}]", "file_name of a picture there, width and height"):
            name, size_hw = row["file_name"], (int(row["height"]), int(row["width"]))
            image = find(name)
        boxes = [box[:4] for box in boxes_of[row["id"]]]
        ignore = [box[4] for box in boxes_of[row["id"]]]
        found.add(name, image, size_hw, _array(boxes), ignore, source, own_split)
    return found.finish()


def _text(row: Mapping[str, Any], field: str) -> str:
    """A field of a COCO row; one that is missing or null is ""."""
    value = row.get(field)
    if not isinstance(value, str | None):
        raise ValueError(f"{field} {value!r}")
    return value or ""


def _parse_xml(table: Path) -> ElementTree.Element:
    def refuse(name: str, *_: object) -> None:
        raise ValueError(f"{table}: expected XML without a document type, got <!DOCTYPE {name}>")

    text, guard = table.read_bytes(), expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    try:
        guard.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError(f"{table}:{error.lineno}: expected XML, got {error}") from error
    return ElementTree.fromstring(text)


def _voc_tables(folder: Path) -> list[Path]:
    places = (folder / "Annotations", folder / "annotations", folder)
    return next((tables for place in places if (tables := sorted(place.glob("*.xml")))), [])


def _voc_splits(folder: Path, stems: set[str]) -> dict[str, str]:
    """Name in ImageSets/Main -> its split; logs how far lists and XMLs do not meet."""
    splits = {}
    for split in _SPLITS:
        if (listed := folder / "ImageSets" / "Main" / f"{split}.txt").is_file():
            for name in filter(None, map(str.strip, _read_text(listed).splitlines())):
                # What looks like a mark may belong to the name: "photo 1".
                splits[name if name in stems else re.sub(r"\s+-?[01]$", "", name)] = split
    strangers = {"names in ImageSets/Main without an XML": splits.keys() - stems}
    strangers["XMLs in no list of ImageSets/Main"] = stems - splits.keys() if splits else set()
    for what, names in strangers.items():
        if names:
            _LOG.warning("%s: %d %s, such as %r", folder, len(names), what, min(names))
    return splits


def _yolo_table(picture: Path) -> Path:
    beside = picture.with_suffix(".txt")
    if beside.is_file() or "images" not in picture.parts:
        return beside
    last = len(beside.parts) - 1 - beside.parts[::-1].index("images")
    return Path(*beside.parts[:last], "labels", *beside.parts[last + 1 :])


def _split_in(*words: str) -> str:
    return next((word for word in words if word in _SPLITS), "")


def _existing(picture: Path) -> Path:
    if not picture.is_file():
        raise ValueError(f"no picture {str(picture)!r}")
    return picture


def _read_text(path: Path) -> str:
    with _located(str(path), "text in UTF-8"):
        return path.read_text(encoding="utf-8-sig")


def _numbers(path: Path, line: tuple[int, str], counts: tuple[int, ...]) -> list[float]:
    number, text = line
    with _located(f"{path}:{number}", f"{' or '.join(map(str, counts))} numbers"):
        values = [float(word) for word in text.split()]
        if len(values) not in counts:
            raise ValueError(repr(text))
    return values


def _array(rows: Sequence[Sequence[float]]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


@contextmanager
def _located(where: str, expected: str) -> Iterator[None]:
    """Turns what goes wrong on malformed input into a ValueError that says where and what was expected."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}:{error.lineno}: expected {expected}, got {error.msg}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"{where}: expected {expected}, got {type(error).__name__}: {error}") from error
