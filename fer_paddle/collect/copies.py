"""Copies of pictures: pixel for pixel, and near ones by perceptual hashes; contact sheets to look at them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.collect.names import free_name
from fer_paddle.images import read_image, resize, to_square, write_image

HASH_BITS = 64
FLAT = 3.0  # a picture whose small version deviates less than this has no features to hash
GRAY = 12  # largest difference of the channels, in 0..255, that JPEG leaves in a gray picture
THUMBNAIL, ROWS_OF_SHEET, COPIES_OF_ROW = 128, 8, 6
_BITS = np.array([bin(value).count("1") for value in range(256)], np.uint8)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What copies of a picture have in common.

    Attributes:
        pixels: The sha256 of size and pixels.
        hashes: pHash and dHash, uint8 [2, 8]; None for a flat picture, whose hashes mean nothing.
        rank: Pixels, and whether there is colour: the best of several copies has the highest.
    """

    pixels: str
    hashes: np.ndarray | None
    rank: tuple[int, bool]


def fingerprint(image: np.ndarray) -> Fingerprint:
    """Takes the fingerprint of a picture.

    Source: pHash and dHash as in the package imagehash, https://github.com/JohannesBuchner/imagehash.

    Args:
        image: uint8 [H, W, 3] BGR or [H, W].
    """
    import imagehash
    from PIL import Image

    digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    rank = (image.shape[0] * image.shape[1], image.ndim == 3 and bool(np.ptp(image, axis=2).max() > GRAY))
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    if small.std() < FLAT:
        return Fingerprint(digest, None, rank)
    picture = Image.fromarray(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    bits = [imagehash.phash(picture).hash, imagehash.dhash(picture).hash]  # bool [8, 8] each
    return Fingerprint(digest, np.packbits(np.stack(bits), axis=2)[..., 0], rank)


def group_copies(prints: Sequence[Fingerprint], near_bits: int) -> list[list[int]]:
    """Finds groups of copies.

    Each picture is compared with the ones that stay, best first, and never with their copies: a slow change from
    frame to frame does not make one group of a whole video.

    Args:
        prints: Of the pictures.
        near_bits: Most bits, of 64, in which pHash and dHash of near copies may each differ; -1 finds exact ones alone.

    Returns:
        Groups of two or more indices, the picture to keep first: the largest, of equal ones the one in colour,
        then the first.

    Raises:
        ValueError: `near_bits` is not -1 to 64.
    """
    if not -1 <= near_bits <= HASH_BITS:
        raise ValueError(f"expected near_bits from -1 to {HASH_BITS}, got {near_bits}")
    order = sorted(range(len(prints)), key=lambda index: prints[index].rank, reverse=True)  # stable
    groups: dict[int, list[int]] = {}
    by_pixels: dict[str, int] = {}
    kept: list[int] = []
    hashes = np.zeros((len(prints), 2, 8), np.uint8)  # of those in `kept`
    for index in order:
        one = prints[index]
        keeper = by_pixels.get(one.pixels)
        if keeper is None and one.hashes is not None and kept and near_bits >= 0:
            distances = _BITS[hashes[: len(kept)] ^ one.hashes].sum(axis=2).max(axis=1)  # [kept]
            nearest = int(distances.argmin())
            keeper = kept[nearest] if distances[nearest] <= near_bits else None
        by_pixels.setdefault(one.pixels, index if keeper is None else keeper)
        if keeper is not None:
            groups[keeper].append(index)
            continue
        groups[index] = [index]
        if one.hashes is not None:
            hashes[len(kept)] = one.hashes
            kept.append(index)
    return [group for group in groups.values() if len(group) > 1]


def write_contact_sheets(path: Path, groups: Sequence[Sequence[Path]], replace: bool = True) -> list[Path]:
    """Draws groups of copies to look at: a row a group, the picture that stays first, in a green frame.

    Args:
        path: The first sheet; further ones get `-2`, `-3` behind their name.
        groups: Paths of readable pictures.
        replace: Replace existing files; else the sheets get the next names at which nothing lies.

    Returns:
        The sheets; none where there is no group.
    """
    sheets = []
    for number, start in enumerate(range(0, len(groups), ROWS_OF_SHEET), 1):
        rows = [_draw_row(start + row, group) for row, group in enumerate(groups[start : start + ROWS_OF_SHEET])]
        sheet = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        sheet = sheet if replace else free_name(path.parent, path.stem, path.suffix)
        write_image(sheet, np.vstack(rows))
        sheets.append(sheet)
    return sheets


def _draw_row(number: int, group: Sequence[Path]) -> np.ndarray:
    cell = THUMBNAIL + 12
    row = np.full((cell + 20, cell * COPIES_OF_ROW, 3), 255, np.uint8)
    more = len(group) - COPIES_OF_ROW
    for place, path in enumerate(group[:COPIES_OF_ROW]):
        color = (60, 160, 60) if place == 0 else (60, 60, 230)
        left = place * cell
        row[4 : cell - 4, left + 4 : left + cell - 4] = color
        row[6 : 6 + THUMBNAIL, left + 6 : left + 6 + THUMBNAIL] = resize(to_square(read_image(path)), THUMBNAIL)
        text = f"{number + 1}.{place + 1}" + (f"  +{more}" if more > 0 and place == COPIES_OF_ROW - 1 else "")
        cv2.putText(row, text, (left + 6, cell + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return row
