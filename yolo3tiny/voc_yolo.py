"""Readers of a table for each image: Pascal VOC XML and YOLO text."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

from fer_paddle.files import parse_numbers, read_bytes, read_text
from fer_paddle.images import FORMATS, find_named, is_file, list_images, path_ends
from fer_paddle.labels import find_split, parse_split
from yolo3tiny.rows import NOT_READ, ONE_IMAGE_BYTES, Marked, Row, TableError, existing, located

_XML = "[!.]*.[xX][mM][lL]"  # names with a dot in front are those of the file systems of others
_VOC_SIDES = ("xmin", "ymin", "xmax", "ymax")
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["'][^>]*\?>""")
_LOG = logging.getLogger(__name__)


def voc_tables(folder: Path) -> list[Path]:
    places = [folder / "Annotations", folder / "annotations", folder]
    tables: list[Path] = next((found for place in places if (found := sorted(place.glob(_XML)))), [])
    return tables or sorted(path for path in folder.glob(f"*/{_XML}") if parse_split(path.parent.name))


def read_voc(folder: Path) -> Iterator[Row | str]:
    """Read an XML for each image. Coordinates are numbers of pixels that begin at 1, the last pixel included."""
    tables = voc_tables(folder)
    splits = _voc_splits(folder, {table.stem for table in tables})
    renamed = "images have the name of their XML, for the one in <filename> is not there"
    exchanged = "boxes have xmin above xmax or ymin above ymax: taken for corners, not for width and height"
    noted: dict[str, list[Path]] = {renamed: [], exchanged: []}
    for table in tables:
        try:
            root, marked = _parse_xml(table), []
            with located(str(table), "<filename> of an image and <object>s with <bndbox> xmin ymin xmax ymax"):
                if root.tag != "annotation":
                    raise ValueError(f"<{root.tag}>; {NOT_READ}")
                name = root.findtext("filename", "").strip()
                image = _image_of(table, name, folder)
                size = tuple(float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
                for found in root.findall("object"):
                    x1, y1, x2, y2 = (_read_number(found.findtext(f"bndbox/{side}")) for side in _VOC_SIDES)
                    box = (min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2), max(y1, y2))
                    noted[exchanged] += [table] * (x1 > x2 or y1 > y2)
                    is_difficult = found.findtext("difficult", "0").strip() == "1"
                    marked.append(Marked(box, found.findtext("name", "").strip(), is_difficult))
            image = existing(image, str(table))
        except ValueError as error:
            yield str(error)
            continue
        split = splits.get(table.stem, "") or find_split([table.parent.name])
        size_wh = (size[0], size[1]) if min(size) > 0 else None
        if PureWindowsPath(name).name != image.name:
            noted[renamed].append(table)
        yield Row(image.relative_to(folder).as_posix(), image, marked, size_wh, "", split)
    for what, found_in in noted.items():
        if found_in:
            _LOG.warning("%s: %d %s, such as that of %s", folder, len(found_in), what, found_in[0].name)


def _image_of(table: Path, name: str, folder: Path) -> Path:
    """Return the image that an XML names, or, where that is not there, the one of its own name."""
    places = (folder / "JPEGImages", folder / "images", table.parent, folder)
    image = find_named(name, *places) if name else None
    if image is not None and is_file(image):
        return image
    for place in places:
        own = sorted(path for path in place.glob(f"{escape(table.stem)}.*") if path.suffix.lower() in FORMATS)
        if len(own) > 1:
            raise ValueError(" and ".join(path.name for path in own))
        if own:
            return own[0]
    if image is None:
        raise ValueError("no <filename>")
    return image


def _read_number(text: str | None) -> float:
    number = float(text) if text else math.nan
    if not math.isfinite(number):  # of a NaN, min and max would make a box
        raise ValueError(f"{text or 'none'} for one of them")
    return number


class _NoDocumentType(ElementTree.TreeBuilder):
    """Refuses a document type, whose entities could explode."""

    def doctype(self, name: str, *_: object) -> None:
        raise ValueError(f"<!DOCTYPE {name}>")


def _parse_xml(table: Path) -> ElementTree.Element:
    """Parse XML in any encoding that Python knows."""
    text = read_bytes(table, ONE_IMAGE_BYTES)
    if declared := _ENCODING.match(text[:200]):
        encoding = declared[1].decode()
        with located(str(table), f"XML in {encoding}, as it says"):
            try:
                text = text[declared.end() :].decode(encoding).encode()
            except LookupError as error:
                raise ValueError(error) from error
    with located(str(table), "XML without a document type"):
        try:
            return ElementTree.fromstring(text, ElementTree.XMLParser(target=_NoDocumentType()))
        except ElementTree.ParseError as error:
            raise TableError(f"{table}:{error.position[0]}: expected XML, got {error}") from error


def _voc_splits(folder: Path, stems: set[str]) -> dict[str, str]:
    """Return name -> split of the lists in ImageSets/Main or PaddleX's; log how far lists and XMLs do not meet."""
    splits = {}
    for listed in sorted((folder / "ImageSets" / "Main").glob("[!.]*.txt")) or sorted(folder.glob("[!.]*.txt")):
        if split := parse_split(listed.stem.removesuffix("_list")):
            for name in filter(None, map(str.strip, read_text(listed).splitlines())):
                if name.lower().endswith(".xml"):  # PaddleX: JPEGImages/a.jpg Annotations/a.xml
                    name = PureWindowsPath(re.split(r"[ \t]", name)[-1]).stem
                # What looks like a mark may belong to the name: "photo 1".
                splits[name if name in stems else re.sub(r"\s+-?[01]$", "", name)] = split
    strangers = {"names in ImageSets/Main without an XML": splits.keys() - stems}
    strangers["XMLs in no list of ImageSets/Main"] = stems - splits.keys() if splits else set()
    for what, names in strangers.items():
        if names:
            _LOG.warning("%s: %d %s, such as %r", folder, len(names), what, min(names))
    return splits


def yolo_table(image: Path) -> Path:
    """Return where the boxes of an image are: beside it, or in labels/ for an image in images/."""
    tables = [image.with_suffix(".txt")]
    if "images" in image.parts:
        parts = tables[0].parts
        last = len(parts) - 1 - parts[::-1].index("images")
        tables.append(Path(*parts[:last], "labels", *parts[last + 1 :]))
    there = (one for table in tables for one in (table, table.with_suffix(".TXT")) if one.is_file())
    return next(there, tables[-1])


def has_yolo(path: Path) -> bool:
    """Return whether a folder has a .txt for an image, or a path is that of its settings, such as data.yaml."""
    if path.is_file():
        return path.suffix.lower() in (".yaml", ".yml")
    return any(yolo_table(image).is_file() for image in list_images(path))


def read_yolo(path: Path) -> Iterator[Row | str]:
    """Read a .txt of lines `class cx cy w h`, in 0..1 of the image's size, for each image."""
    folder, files = (path.parent, [path]) if path.is_file() else (path, sorted(path.glob("[!.]*.y*ml")))
    left_out, names, places = 0, *_yolo_settings(folder, files)
    tables = (path for labels in folder.rglob("labels") for path in labels.rglob("[!.]*.[tT][xX][tT]"))
    lonely = {path for path in tables if path.name != "classes.txt"}
    image_of: dict[Path, Path] = {}
    for image in list_images(folder):
        table = yolo_table(image)
        if not table.is_file():
            left_out += 1
            continue
        lonely.discard(table)
        try:
            if image_of.setdefault(table, image) != image:
                raise ValueError(f"{table}: expected boxes of one image, got {image_of[table].name} and {image.name}")
            lines = enumerate(read_text(table, ONE_IMAGE_BYTES).splitlines(), 1)
            marked = [_read_line(line, f"{table}:{number}", names) for number, line in lines if line.strip()]
        except ValueError as error:
            yield str(error)
            continue
        place = image.relative_to(folder)
        words = [places[parent] for parent in (place, *place.parents) if parent in places]
        split = find_split([*words, *place.parts[:-1]])
        yield Row(place.as_posix(), image, marked, (1, 1), "", split)
    if left_out:
        _LOG.warning("%s: left out %d images without a .txt", folder, left_out)
    if lonely:
        _LOG.warning("%s: found no image for %d .txt in labels, such as %s", folder, len(lonely), min(lonely).name)


def _read_line(line: str, where: str, names: Mapping[str, str]) -> Marked:
    kind, x, y, w, h = row = parse_numbers(line, (5,), where)
    if kind < 0 or kind % 1 != 0 or not all(-0.001 <= value <= 1.001 for value in row[1:]):  # room for rounding
        raise ValueError(f"{where}: expected a class 0, 1 ... and cx cy w h in 0..1, got {line[:200]!r}")
    return Marked((x - w / 2, y - h / 2, x + w / 2, y + h / 2), names.get(f"{kind:g}", f"{kind:g}"))


def _yolo_settings(folder: Path, files: list[Path]) -> tuple[dict[str, str], dict[Path, str]]:
    """Read the categories by number, and the split of folders and images, from data.yaml or classes.txt."""
    read = ((file, _read_settings(file)) for file in sorted(files, key=lambda file: file.name != "data.yaml"))
    table, settings = next((pair for pair in read if {"names", "train", "val"} & pair[1].keys()), (folder, {}))
    names = settings.get("names", "")
    if isinstance(names, str):  # LabelImg has them in a file of its own
        lists = {path: read_text(path).rstrip().splitlines() for path in sorted(folder.rglob("classes.txt"))}
        names = max(lists.values(), key=len, default=[])
        if other := next((path for path, own in lists.items() if own != names[: len(own)]), None):
            raise ValueError(f"{other}: expected the first classes of the other classes.txt, got others")
    by_number = names if isinstance(names, dict) else {str(number): name for number, name in enumerate(names)}
    places: dict[Path, str] = {}
    missing = []
    for word, value in settings.items():
        for place in filter(None, [value] if isinstance(value, str) else value) if parse_split(word) else ():
            for name in _listed(folder, str(settings.get("path") or "."), str(place)):
                found = _find(folder, name)
                missing += [] if found else [name]
                places |= dict.fromkeys(found, str(parse_split(word)))
    if missing:
        _LOG.warning("%s: found nothing at %d places of its splits, such as %r", table, len(missing), missing[0])
    return {number: str(name).strip() for number, name in by_number.items() if str(name).strip()}, places


def _read_settings(table: Path) -> dict[str, Any]:
    """Read the values of YAML by name; every number stays text."""
    import yaml

    text = read_text(table, ONE_IMAGE_BYTES)
    with located(str(table), "YAML with settings by name"):
        try:
            content = yaml.load(text, yaml.BaseLoader) or {}
        except yaml.YAMLError as error:
            raise ValueError(" ".join(str(error).split())) from error
        if not isinstance(content, dict):
            raise ValueError(repr(content))
    return content


def _listed(folder: Path, root: str, place: str) -> list[str]:
    """Return the names that a place means: its own below `root`, or those of images in a list file."""
    if not place.endswith(".txt"):
        return [f"{root}/{place}"]
    table = next((path for path in (folder / place, folder / PureWindowsPath(place).name) if path.is_file()), None)
    if table is None:
        raise ValueError(f"{folder}: expected the list {place!r} that its settings name, found none")
    return [line.strip() for line in read_text(table).splitlines() if line.strip()]


def _find(folder: Path, name: str) -> list[Path]:
    """Return what is there by a name of another machine, or by a glob: the longest end that is here counts."""
    for end in map(Path, path_ends(name)):
        if found := [end] if (folder / end).exists() else [one.relative_to(folder) for one in folder.glob(str(end))]:
            return found
    return []
