"""Duplicate images: exact ones by their pixels, near ones by perceptual hash and correlation.

A copy on both sides of a split makes the test easier than life; copies with two labels cannot both be learned.

Source: perceptual hash, Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np

from fer_paddle.images import to_gray

# Of 72 pairs of FER2013 up to this distance and with correlations of 0.8 to 0.995, nearly all showed the same photo.
MAX_DISTANCE = 8  # of 64 bits
MIN_CORRELATION = 0.9
_THUMB = 32
# Largest mean difference of a block of thumbs, in standard deviations. JPEG at quality 20, half the size and other
# brightness leave at most 0.11; of the seven expressions of one drawn person 99 % of pairs differ by 0.24 or more.
MAX_DIFFERENCE = 0.12
_FINE_THUMB, _BLOCK = 64, 8
_ROWS = 512  # of the table of distances that is in memory at a time
_MIN_CONTRAST = 4.0  # gray levels: below it a hash is of noise

Groups = list[np.ndarray]


def image_digest(image: np.ndarray) -> bytes:
    """Return the SHA-256 of shape and pixels of a uint8 image."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


def exact_groups(images: Sequence[np.ndarray]) -> Groups:
    """Group images that are equal pixel for pixel: images uint8 [H, W]."""
    found: dict[bytes, list[int]] = {}
    for index, image in enumerate(images):
        found.setdefault(image_digest(image), []).append(index)
    return [np.array(group) for group in found.values() if len(group) > 1]


def near_groups(images: Sequence[np.ndarray], exact: Groups) -> Groups:
    """Group images of the same photo: near and exact copies, and near copies of near copies: images uint8 [H, W]."""
    first = np.arange(len(images))
    for group in exact:
        first[group] = group[0]
    has_contrast = np.array([image.std() >= _MIN_CONTRAST for image in images], bool)
    chosen = np.flatnonzero((first == np.arange(len(images))) & has_contrast)
    pairs = chosen[_near_pairs([images[index] for index in chosen])]
    links = [np.column_stack([np.full(len(group) - 1, group[0]), group[1:]]) for group in exact]
    return _connected(np.concatenate([pairs, *links]), len(images))


def _near_pairs(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the near copies among different images, int64 [P, 2], each pair once."""
    import imagehash
    from PIL import Image

    if not images:
        return np.zeros((0, 2), np.int64)
    hashes = np.stack([imagehash.phash(Image.fromarray(image)).hash.ravel() for image in images])
    signs = np.where(hashes, np.float32(1), np.float32(-1))  # [N, 64]
    thumbs = np.stack([cv2.resize(image, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA) for image in images])
    thumbs = thumbs.reshape(len(images), -1).astype(np.float32)
    thumbs -= thumbs.mean(axis=1, keepdims=True)
    thumbs /= np.maximum(np.linalg.norm(thumbs, axis=1, keepdims=True), np.float32(1e-6))
    found = []
    for start in range(0, len(images), _ROWS):
        agreeing = signs[start : start + _ROWS] @ signs[start:].T  # 64 less twice the bits that differ
        one, other = np.nonzero(agreeing >= 64 - 2 * MAX_DISTANCE)
        ordered = other > one
        one, other = one[ordered] + start, other[ordered] + start
        alike = np.einsum("ij,ij->i", thumbs[one], thumbs[other]) >= MIN_CORRELATION
        found.append(np.column_stack([one[alike], other[alike]]))
    return np.concatenate(found)


def _connected(pairs: np.ndarray, count: int) -> Groups:
    """Return the connected components of two members or more."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    _, member_of = connected_components(links, directed=False)
    order = np.argsort(member_of, kind="stable")
    cuts = np.flatnonzero(np.diff(member_of[order])) + 1
    return [group for group in np.split(order, cuts) if len(group) > 1]


def count_across_splits(groups: Groups, splits: np.ndarray) -> dict[str, int]:
    """Count the images of one split that also stand in another, such as {"validation also in train": 280}."""
    names, totals = np.unique(splits, return_counts=True)
    names = names[np.argsort(-totals, kind="stable")]
    counts = {}
    for place, larger in enumerate(names):
        for smaller in names[place + 1 :]:
            shared = [(splits[group] == smaller).sum() for group in groups if (splits[group] == larger).any()]
            counts[f"{smaller} also in {larger}"] = int(sum(shared))
    return counts


def count_within_splits(groups: Groups, splits: np.ndarray) -> dict[str, int]:
    """Count, for each split, the images that it would lose if it held each photo once."""
    members = {str(name): [(splits[group] == name).sum() for group in groups] for name in np.unique(splits)}
    return {name: int(sum(max(count - 1, 0) for count in counts)) for name, counts in members.items()}


def across_splits(groups: Groups, splits: np.ndarray) -> Groups:
    """Return the groups that stand in more than one split, the largest first."""
    return sorted((group for group in groups if len(set(splits[group])) > 1), key=len, reverse=True)


def disagreeing(groups: Groups, labels: np.ndarray, images: Sequence[np.ndarray] | None = None) -> Groups:
    """Return the groups with more than one label, the largest first; images without one (-1) do not count."""
    found = [group for group in groups if len(set(labels[group]) - {-1}) > 1]
    if images is not None:
        found = [group for group in found if _disagrees(labels[group], [images[index] for index in group])]
    return sorted(found, key=len, reverse=True)


def _disagrees(labels: np.ndarray, images: Sequence[np.ndarray]) -> bool:
    thumbs = [make_thumb(image) for image in images]
    pairs = ((i, j) for i, j in np.argwhere(labels[:, None] < labels) if labels[i] >= 0)
    return any(not differ_somewhere(thumbs[i], thumbs[j]) for i, j in pairs)


def make_thumb(image: np.ndarray) -> np.ndarray:
    """Bring an image to 64x64 gray of mean 0 and variance 1, float16, for `differ_somewhere`."""
    gray = to_gray(cv2.resize(image, (_FINE_THUMB, _FINE_THUMB), interpolation=cv2.INTER_AREA)).astype(np.float32)
    return cv2.GaussianBlur((gray - gray.mean()) / max(float(gray.std()), 1.0), (3, 3), 0).astype(np.float16)


def differ_somewhere(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether images of alike hashes differ in a part, such as the mouth of one face, by their thumbs."""
    difference = np.abs(one.astype(np.float32) - other.astype(np.float32))
    return float(cv2.blur(difference, (_BLOCK, _BLOCK)).max()) > MAX_DIFFERENCE
