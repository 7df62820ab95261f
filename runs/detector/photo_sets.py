"""The photo sets of the lite detector, and their copy as raw pixels in one memory-mapped file."""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from yolo3tiny.annotations import read_coco
from yolo3tiny.augment import AugmentConfig, cut_boxes
from yolo3tiny.mosaic import Pyramid
from yolo3tiny.photos import Photo, PhotoCollector, hold_out, read_size

logger = logging.getLogger(__name__)

FACE, MAYBE = 0.35, 0.12  # scores of a machine's boxes: above the first a face, between them neither
LONGEST = {"groups": 416, "masks": 512}  # to which photos are shrunk in the cache; others keep their size
TILE = 512  # crowd photos are cut into tiles of at most this side, at their own scale
KEPT_LEVELS = 3  # full, half and quarter size
WHOLE_BOXES = AugmentConfig(min_side_px=6.0, min_visible=0.5)


def read_photos(data: Path, shared: Path) -> tuple[list[Photo], list[Photo]]:
    """Read all sets: (training, held out). Sources: those of facedet, pseudo, groups, crowds, masks.

    Args:
        data: Holds facedet, facedet_pseudo, groups, crowds (of crowds.py) and masks (images, annotations).
        shared: Holds teacher_pseudo.jsonl.gz and masks_photos.txt.
    """
    train, valid = [], []
    for photo in read_coco(data / "facedet/annotations.json"):
        (train if photo.split == "train" else valid).append(photo)
    kept, held = hold_out(read_pseudo(data, shared))
    train, valid = train + kept, valid + held
    for photo in read_masks(data / "masks", shared):
        (train if photo.split == "train" else valid).append(photo)
    for name in ("groups", "crowds"):
        for photo in read_coco(data / name / "annotations.json"):
            (valid if photo.split == "val" else train).append(replace(photo, source=name))
    return train, [replace(photo, split="val") for photo in valid]


def read_pseudo(data: Path, shared: Path) -> list[Photo]:
    """The photos of facedet_pseudo with the boxes of five detectors."""
    with gzip.open(shared / "teacher_pseudo.jsonl.gz", "rt") as file:
        rows = {row["file"]: row["boxes"] for row in map(json.loads, file)}
    collector = PhotoCollector("teacher_pseudo")
    for photo in read_coco(data / "facedet_pseudo/annotations.json"):
        table = np.array(rows[Path(photo.name).name], np.float32).reshape(-1, 5)
        table = table[table[:, 4] > MAYBE]
        collector.add(photo.name, photo.image, photo.size_hw, table[:, :4], table[:, 4] <= FACE, "pseudo")
    return collector.finish()


def read_masks(folder: Path, shared: Path) -> list[Photo]:
    """The photos of masks_photos.txt that have an annotation, every tenth of the list is val."""
    collector = PhotoCollector("masks")
    for index, name in enumerate((shared / "masks_photos.txt").read_text().split()):
        path, table = folder / "images" / name, folder / "annotations" / f"{Path(name).stem}.xml"
        if not table.is_file():
            continue
        size_hw = read_size(path)
        root = ElementTree.parse(table).getroot()
        size_wh = [int(root.findtext(f"size/{side}")) for side in ("width", "height")]
        if size_wh != [size_hw[1], size_hw[0]]:
            logger.warning("%s: annotated at %s, the picture has %s", name, size_wh, size_hw[::-1])
            continue
        corners = ("xmin", "ymin", "xmax", "ymax")
        boxes = [[float(box.findtext(corner)) for corner in corners] for box in root.iter("bndbox")]
        boxes = np.array(boxes, np.float32).reshape(-1, 4)
        split = "train" if index % 10 else "val"
        collector.add(name, path, size_hw, boxes, [False] * len(boxes), "masks", split)
    return collector.finish()


def cut_tiles(photo: Photo, side: int = TILE) -> Iterator[Photo]:
    """Cut a photo at its own scale into overlapping tiles of at most `side` pixels, evenly spaced."""
    image = photo.read()
    height, width = photo.size_hw
    for index, (top, left) in enumerate((y, x) for y in _starts(height, side) for x in _starts(width, side)):
        tile = image[top : top + side, left : left + side]
        window = np.float32([left, top, left + tile.shape[1], top + tile.shape[0]])
        boxes, ignore = cut_boxes(photo.boxes_xyxy, photo.ignore, window, WHOLE_BOXES)
        boxes = boxes - np.tile(window[:2], 2)
        yield Photo(f"{photo.name}#{index}", partial(np.array, tile), boxes, ignore, tile.shape[:2], photo.source, photo.split)


def _starts(length: int, side: int) -> list[int]:
    count = -(-max(length - side // 8, 1) // side)  # an eighth more than a tile is not worth a second one
    return np.linspace(0, max(length - side, 0), count).round().astype(int).tolist()


class CachedPhoto(Pyramid):
    """A photo whose sizes lie in the memory-mapped file."""

    def __init__(self, levels: list[np.ndarray], boxes_xyxy: np.ndarray, ignore: np.ndarray, source: str) -> None:
        self.levels, self.boxes_xyxy, self.ignore, self.source = levels, boxes_xyxy, ignore, source
        sides = np.sqrt((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1))
        faces = sides[~ignore] if (~ignore).any() else sides
        self.face_side = float(np.median(faces)) if len(faces) else None


def write_cache(photos: Sequence[Photo], folder: Path) -> None:
    """Write the pixels of photos (crowds as tiles; tiles without any box become source `background`) and their boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes, offsets, boxes, ignores, sources, offset = [], [], [], [], [], 0
    with (folder / "pixels.bin").open("wb") as file:
        for photo in photos:
            for part in cut_tiles(photo) if photo.source == "crowds" else (photo,):
                pyramid = Pyramid(part.read(), part.boxes_xyxy, part.ignore, LONGEST.get(part.source))
                sources.append("background" if part.source == "crowds" and not len(part.ignore) else part.source)
                boxes.append(pyramid.boxes_xyxy)
                ignores.append(pyramid.ignore)
                for level in range(KEPT_LEVELS):
                    pixels = pyramid.levels[min(level, len(pyramid.levels) - 1)]
                    shapes.append(pixels.shape[:2])
                    offsets.append(offset)
                    file.write(pixels.tobytes())
                    offset += pixels.nbytes
    counts = [len(rows) for rows in ignores]
    table = {"shapes": shapes, "offsets": offsets, "counts": counts, "sources": sources}
    np.savez(folder / "index.npz", boxes=np.concatenate(boxes), ignore=np.concatenate(ignores), **table)


def read_cache(folder: Path) -> list[CachedPhoto]:
    """Open what `write_cache` wrote."""
    pixels = np.memmap(folder / "pixels.bin", np.uint8, "r")
    with np.load(folder / "index.npz") as index:
        shapes, offsets, counts = index["shapes"], index["offsets"], index["counts"]
        boxes, ignore = index["boxes"].astype(np.float32), index["ignore"]
        sources = index["sources"].tolist()
    ends = np.cumsum(counts)
    photos = []
    for number, source in enumerate(sources):
        rows = slice(ends[number] - counts[number], ends[number])
        levels = []
        for level in range(number * KEPT_LEVELS, (number + 1) * KEPT_LEVELS):
            height, width = shapes[level]
            levels.append(pixels[offsets[level] : offsets[level] + height * width * 3].reshape(height, width, 3))
        photos.append(CachedPhoto(levels, boxes[rows], ignore[rows], source))
    return photos


def main() -> None:
    """Write the cache of the training photos and say what is in it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    train, _ = read_photos(options.data, options.shared)
    write_cache(train, options.data / "cache")
    photos = read_cache(options.data / "cache")
    for source in sorted({photo.source for photo in photos}):
        chosen = [photo for photo in photos if photo.source == source]
        faces = sum(int((~photo.ignore).sum()) for photo in chosen)
        print(source, len(chosen), "photos or tiles,", faces, "faces")


if __name__ == "__main__":
    main()
