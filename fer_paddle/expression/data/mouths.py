"""Labelled mouths: the pack mouth_smile, and the reader's own class folders, such as pout and laugh."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_paddle.expression.data.augment import AugmentConfig, augment_face
from fer_paddle.images import list_images, normalize, read_image, resize, to_gray, to_square
from fer_paddle.packs import load_pack

logger = logging.getLogger(__name__)

MOUTHS = ("neutral", "smile", "pout", "laugh")
MOUTHS_ZH = ("中性", "微笑", "嘟嘴", "大笑")
VALID_SHARE = 0.1
_SIDE = 96  # at which pictures are kept: the network sees less


@dataclass(frozen=True, eq=False)
class LabelledMouths:
    """Mouth crops with their labels.

    Attributes:
        images: Square gray crops, uint8 [S, S] each.
        labels: int64 [N], indices into `classes`.
        valid: bool [N], those to measure on.
        classes: Names of the classes.
        skipped: Paths of pictures that could not be read.

    Raises:
        ValueError: The lengths differ.
    """

    images: list[np.ndarray]
    labels: np.ndarray
    valid: np.ndarray
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.labels) == len(self.valid):
            got = f"{len(self.images)}, {len(self.labels)} and {len(self.valid)}"
            raise ValueError(f"expected as many images as labels and marks, got {got}")

    def part(self, valid: bool) -> tuple[list[np.ndarray], np.ndarray]:
        """Gives images and labels to measure on, or to learn from."""
        chosen = np.flatnonzero(self.valid == valid)
        return [self.images[index] for index in chosen], self.labels[chosen]

    def counts(self, valid: bool | None = None) -> dict[str, int]:
        """Mouths of each class in one part, or in both."""
        labels = self.labels if valid is None else self.part(valid)[1]
        return dict(zip(self.classes, np.bincount(labels, minlength=len(self.classes)).tolist()))

    def select_valid(self) -> LabelledMouths:
        """The mouths to measure on alone."""
        images, labels = self.part(valid=True)
        return LabelledMouths(images, labels, np.ones(len(labels), bool), self.classes)


def parse_mouth(name: str) -> str:
    """Gives the class that a folder's name means: one of MOUTHS for its English or Chinese name, else the name."""
    name = name.strip()
    return dict(zip(MOUTHS_ZH, MOUTHS)).get(name, name.lower() if name.lower() in MOUTHS else name)


def read_mouths(
    sources: Sequence[Path], seed: int = 0, progress: Callable[[Iterable[Path]], Iterable[Path]] = iter
) -> LabelledMouths:
    """Reads mouths from packs (.npz) and folders of class folders, and joins classes of one name.

    A pack brings its own split. Of a class folder every tenth picture, drawn by the seed, is measured on, together with
    its copies; pictures of one video look alike, so that the figure is kind where a folder has few videos. A folder's
    picture is left out where a pack holds it, pixel for pixel, or where it was to be learnt from and another folder's
    copy of it is measured on.

    Args:
        sources: Packs and folders.
        seed: Of that split.
        progress: Wraps the pictures of a folder for a progress bar.

    Raises:
        FileNotFoundError: A source is not there.
        ValueError: One is neither, a class has fewer than two different pictures, or there are fewer than two classes.
    """
    images: list[np.ndarray] = []
    names: list[str] = []
    valid: list[bool] = []
    packed: list[bool] = []
    skipped: list[str] = []
    for source in sources:
        is_pack = source.suffix.lower() == ".npz"
        for image, name, is_valid in _read_pack(source) if is_pack else _read_folder(source, seed, progress, skipped):
            images.append(image)
            names.append(name)
            valid.append(is_valid)
            packed.append(is_pack)
    kept = _choose_kept(images, valid, packed)
    images, names, valid = ([values[index] for index in kept] for values in (images, names, valid))
    if len(kept) < len(packed):
        logger.info("left out %d copies of mouths of a pack or of mouths to measure on", len(packed) - len(kept))
    classes = sorted(set(names), key=lambda name: (MOUTHS.index(name) if name in MOUTHS else len(MOUTHS), name))
    if len(classes) < 2:
        raise ValueError(f"expected two classes of mouths or more, got {', '.join(classes) or 'none'}")
    labels = np.array([classes.index(name) for name in names], np.int64)
    mouths = LabelledMouths(images, labels, np.array(valid, bool), tuple(classes), tuple(skipped))
    for part, use in ((False, "learn from"), (True, "measure on")):
        if missing := [name for name, count in mouths.counts(part).items() if not count]:
            raise ValueError(f"expected two different mouths of each class, got none to {use} of {', '.join(missing)}")
    if skipped:
        logger.warning("%d pictures cannot be read, such as %s", len(skipped), skipped[0])
    return mouths


def _choose_kept(images: Sequence[np.ndarray], valid: Sequence[bool], packed: Sequence[bool]) -> list[int]:
    """Gives the indices of all mouths of packs, and of those of folders that are no copies across a split."""
    digests = [_digest(image) for image in images]
    in_packs = {digest for digest, is_packed in zip(digests, packed) if is_packed}
    measured = {digest for digest, is_valid in zip(digests, valid) if is_valid}
    return [
        index
        for index, digest in enumerate(digests)
        if packed[index] or (digest not in in_packs and (valid[index] or digest not in measured))
    ]


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()


def _read_pack(path: Path) -> Iterable[tuple[np.ndarray, str, bool]]:
    pack = load_pack(path)
    missing = {"labels", "usage", "classes"} - pack.keys()
    if missing:
        raise ValueError(f"expected a pack of mouths at {path}, it lacks {', '.join(sorted(missing))}")
    for image, label, usage in zip(pack["images"], pack["labels"], pack["usage"]):
        bgr = np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
        yield to_square(to_gray(bgr)), parse_mouth(str(pack["classes"][label])), bool(usage)


def _read_folder(
    path: Path, seed: int, progress: Callable[[Iterable[Path]], Iterable[Path]], skipped: list[str]
) -> Iterable[tuple[np.ndarray, str, bool]]:
    if not path.is_dir():
        kind = ValueError if path.exists() else FileNotFoundError
        raise kind(f"expected a pack (.npz) or a folder of class folders, found none at {path}")
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise ValueError(f"expected class folders such as {', '.join(MOUTHS)} in {path}, found none")
    for folder in folders:
        squares = []
        for file in progress(list_images(folder)):
            try:
                square = to_square(to_gray(read_image(file)))
            except (ValueError, FileNotFoundError):
                skipped.append(os.fspath(file))
                continue
            squares.append(resize(square, _SIDE) if square.shape[0] > _SIDE else square)
        digests = [_digest(square) for square in squares]
        different = list(dict.fromkeys(digests))
        order = np.random.default_rng(seed).permutation(len(different)) if len(different) > 1 else []
        for_valid = {different[index] for index in order[: max(round(VALID_SHARE * len(different)), 1)]}
        for square, digest in zip(squares, digests):
            yield square, parse_mouth(folder.name), digest in for_valid


class MouthData:
    """Normalised mouths with their labels; a training sample depends on (seed, epoch, index) alone.

    Args:
        images: Square gray crops, uint8.
        labels: int64 [N].
        size: Side of the samples in pixels.
        augment: Strengths of the random changes; None takes every mouth as it is.
        seed: Seed of the random changes.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        labels: np.ndarray,
        size: int,
        augment: AugmentConfig | None = None,
        seed: int = 0,
    ):
        self.images, self.labels, self.size, self.augment, self.seed = images, labels, size, augment, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.images)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random changes the samples have."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Gives (image float32 [1, size, size], (label int64 [], no votes: float32 [0]))."""
        if self.augment is None:
            mouth = resize(self.images[index], self.size)
        else:
            rng = np.random.default_rng((self.seed, self.epoch, index))
            mouth = augment_face(self.images[index], self.size, self.augment, rng)
        return normalize(mouth)[None], (self.labels[index], np.zeros(0, np.float32))
