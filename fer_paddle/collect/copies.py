"""Copies of images: pixel for pixel, and near ones by perceptual hashes; contact sheets to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.collect.names import save_new
from fer_paddle.duplicates import differ_somewhere, image_digest, make_thumb
from fer_paddle.images import ENOUGH_PIXELS, read_image, resize, to_square, write_image

HASH_BITS = 64
FLAT = 3.0  # an image whose small version deviates less than this has no features to hash
GRAY = 12  # largest difference of the channels, in 0..255, that JPEG leaves in a gray image
THUMBNAIL, ROWS_OF_SHEET, COPIES_OF_ROW = 128, 8, 6


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What copies of an image have in common."""

    pixels: bytes  # the sha256 of size and pixels
    hashes: np.ndarray | None  # pHash and dHash, bool [2, 64]; None for a flat image, whose hashes mean nothing
    thumb: np.ndarray  # see duplicates.make_thumb
    size: int  # number of pixels
    has_color: bool  # whether there is color
    is_done: bool = False  # kept before; of several copies it stays

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """The best of several copies has the highest."""
        return self.is_done, self.size, self.has_color


def fingerprint(image: np.ndarray, is_done: bool = False) -> Fingerprint:
    """Take the fingerprint of an image uint8 [H, W, 3]."""
    import imagehash
    from PIL import Image

    has_color = bool(np.ptp(image, axis=2).max() > GRAY)
    hashes = None
    if cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).std() >= FLAT:
        opened = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        hashes = np.stack([imagehash.phash(opened).hash.ravel(), imagehash.dhash(opened).hash.ravel()])
    return Fingerprint(image_digest(image), hashes, make_thumb(image), image.size // 3, has_color, is_done)


def group_copies(prints: Sequence[Fingerprint], near_bits: int) -> list[list[int]]:
    """Find groups of copies."""
    order = sorted(range(len(prints)), key=lambda index: prints[index].rank, reverse=True)  # stable
    groups: dict[int, list[int]] = {}
    by_pixels: dict[bytes, int] = {}
    kept: list[int] = []
    hashes = np.zeros((len(prints), 2, HASH_BITS), bool)  # of those in `kept`
    for index in order:
        one = prints[index]
        keeper = by_pixels.get(one.pixels)
        if keeper is None and one.hashes is not None and kept and near_bits >= 0:
            distances = (hashes[: len(kept)] ^ one.hashes).sum(axis=2).max(axis=1)  # [kept]
            near = np.flatnonzero(distances <= near_bits)
            near = near[np.argsort(distances[near], kind="stable")]
            copies = (kept[i] for i in near if not differ_somewhere(one.thumb, prints[kept[i]].thumb))
            keeper = next(copies, None)
        by_pixels.setdefault(one.pixels, index if keeper is None else keeper)
        if keeper is not None:
            groups[keeper].append(index)
            continue
        groups[index] = [index]
        if one.hashes is not None:
            hashes[len(kept)] = one.hashes
            kept.append(index)
    return [group for group in groups.values() if len(group) > 1]


def write_contact_sheets(path: Path, groups: Sequence[Sequence[Path]]) -> list[Path]:
    """Draw groups of copies to look at: a row a group, the image that stays first, in a green frame.
    A number goes behind the name of a sheet where another file lies already; no group gives no sheet.
    """
    sheets = []
    for start in range(0, len(groups), ROWS_OF_SHEET):
        rows = [_draw_row(start + row, group) for row, group in enumerate(groups[start : start + ROWS_OF_SHEET])]
        write = partial(write_image, image=np.vstack(rows))
        sheets.append(save_new(path.parent, path.stem, path.suffix, write)[0])
    return sheets


def _draw_row(number: int, group: Sequence[Path]) -> np.ndarray:
    cell = THUMBNAIL + 12
    row = np.full((cell + 20, cell * COPIES_OF_ROW, 3), 255, np.uint8)
    more = len(group) - COPIES_OF_ROW
    for place, path in enumerate(group[:COPIES_OF_ROW]):
        color = (60, 160, 60) if place == 0 else (60, 60, 230)
        left = place * cell
        row[4 : cell - 4, left + 4 : left + cell - 4] = color
        image = to_square(read_image(path, ENOUGH_PIXELS))
        row[6 : 6 + THUMBNAIL, left + 6 : left + 6 + THUMBNAIL] = resize(image, THUMBNAIL)
        text = f"{number + 1}.{place + 1}" + (f"  +{more}" if more > 0 and place == COPIES_OF_ROW - 1 else "")
        cv2.putText(row, text, (left + 6, cell + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return row
