"""Pictures that stand in a set more than once: pixel for pixel, or as another print of the same photo.

A copy on both sides of a split makes the test easier than life; copies with two labels cannot both be learnt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Of 72 pairs of FER2013 that were looked at, up to this distance and with correlations of 0.8 to 0.995, nearly all were
# clearly the same photo, cut, lit or stamped otherwise; the bound of 0.9 is stricter than that.
MAX_DISTANCE = 8  # of 64 bits
MIN_CORRELATION = 0.9
_THUMB = 32
_ROWS = 512  # of the table of distances that is in memory at a time
_LEAST_CONTRAST = 4.0  # gray levels: below it a hash is of noise

Groups = list[np.ndarray]


def exact_groups(images: Sequence[np.ndarray]) -> Groups:
    """Groups the pictures that are equal pixel for pixel.

    Args:
        images: uint8 [H, W], of any sizes.

    Returns:
        int64 index arrays of two pictures or more each, in rising order.
    """
    found: dict[bytes, list[int]] = {}
    for index, image in enumerate(images):
        digest = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()
        found.setdefault(digest, []).append(index)
    return [np.array(group) for group in found.values() if len(group) > 1]


def near_groups(images: Sequence[np.ndarray], exact: Groups) -> Groups:
    """Groups the pictures that show the same photo, near and exact copies together.

    Two are near copies where their perceptual hashes differ in at most MAX_DISTANCE of 64 bits and their pixels, at
    32x32, correlate by MIN_CORRELATION or more. Near copies of near copies belong together. Pictures of hardly any
    contrast are compared pixel for pixel alone.

    Args:
        images: uint8 [H, W], of any sizes.
        exact: What `exact_groups` gave for them.

    Returns:
        Groups as `exact_groups` gives them; those that only hold exact copies are among them.

    Source: perceptual hash, Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".
    """
    first = np.arange(len(images))
    for group in exact:
        first[group] = group[0]
    contrasty = np.array([image.std() >= _LEAST_CONTRAST for image in images], bool)
    chosen = np.flatnonzero((first == np.arange(len(images))) & contrasty)
    pairs = chosen[_near_pairs([images[index] for index in chosen])]
    links = [np.column_stack([np.full(len(group) - 1, group[0]), group[1:]]) for group in exact]
    return _connected(np.concatenate([pairs, *links]), len(images))


def _near_pairs(images: Sequence[np.ndarray]) -> np.ndarray:
    """Gives the near copies among different pictures, int64 [P, 2], each pair once."""
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
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    _, member_of = connected_components(links, directed=False)
    order = np.argsort(member_of, kind="stable")
    cuts = np.flatnonzero(np.diff(member_of[order])) + 1
    return [group for group in np.split(order, cuts) if len(group) > 1]


def count_across_splits(groups: Groups, splits: np.ndarray) -> dict[str, int]:
    """Counts the pictures of one split that also stand in another.

    Args:
        groups: Of copies.
        splits: str [N].

    Returns:
        Such as {"PublicTest also in Training": 280}; each pair of splits once, from the smaller to the larger.
    """
    names, totals = np.unique(splits, return_counts=True)
    names = names[np.argsort(-totals, kind="stable")]
    counts = {}
    for place, larger in enumerate(names):
        for smaller in names[place + 1 :]:
            shared = [(splits[group] == smaller).sum() for group in groups if (splits[group] == larger).any()]
            counts[f"{smaller} also in {larger}"] = int(sum(shared))
    return counts


def count_within_splits(groups: Groups, splits: np.ndarray) -> dict[str, int]:
    """Counts, for each split, the pictures that it would lose if it held each photo once."""
    counts = {}
    for name in np.unique(splits):
        members = [(splits[group] == name).sum() for group in groups]
        counts[str(name)] = int(sum(max(count - 1, 0) for count in members))
    return counts


def across_splits(groups: Groups, splits: np.ndarray) -> Groups:
    """The groups that stand in more than one split, the largest first."""
    return sorted((group for group in groups if len(set(splits[group])) > 1), key=len, reverse=True)


def disagreeing(groups: Groups, labels: np.ndarray) -> Groups:
    """The groups whose pictures carry more than one label, the largest first; pictures without one do not count."""
    return sorted((group for group in groups if len(set(labels[group]) - {-1}) > 1), key=len, reverse=True)
