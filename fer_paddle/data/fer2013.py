"""FER2013 from the official csv or from the packs, with the FER+ votes beside the labels.

Sources: Goodfellow et al. 2013, arXiv:1307.0414; FER+ from Barsoum et al. 2016, arXiv:1608.01041.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from fer_paddle.data.expressions import LabelledFaces, without_copies
from fer_paddle.data.packs import load_pack
from fer_paddle.environment import find_data

USAGES = ("Training", "PublicTest", "PrivateTest")
FERPLUS_CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FLAG_NOT_A_FACE = 2  # re-encoded pictures, nearly all of them no face
SIDE = 48


def read_csv(path: str | os.PathLike[str], usage: str | None = None, ferplus: str | os.PathLike[str] | None = None) -> LabelledFaces:
    """Reads the official `fer2013.csv` (or `icml_face_data.csv`).

    Args:
        path: A csv with the columns emotion, pixels (2304 numbers) and Usage.
        usage: One of USAGES, or None for all rows. `Training` leaves out every row whose picture also stands in
            a test split of the file.
        ferplus: The official `fer2013new.csv`, whose rows follow those of the first; None gives no votes.

    Returns:
        Faces uint8 [N, 48, 48] in file order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A row is malformed (its line is named), or no row has this usage.
    """
    images, labels, usages = _parse_rows(Path(path))
    votes = None if ferplus is None else _shares(_parse_votes(Path(ferplus), len(labels)))
    faces = LabelledFaces(images, labels, votes)
    chosen = faces.select(_choose(usages, usage, path))
    if usage == "Training" and (usages != "Training").any():
        return without_copies(chosen, faces.select(usages != "Training"))
    return chosen


def read_pack(path: str | os.PathLike[str], usage: str | None = None) -> LabelledFaces:
    """Reads a FER2013 pack, or another pack of gray faces with `labels`.

    Training rows flagged "not a face" are left out. A pack holds one split: see `load_fer2013` for a training
    part without copies of the test part.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no pack of labelled gray faces, or no row has this usage.
    """
    pack = load_pack(path)
    if "labels" not in pack or pack["images"].ndim != 3:
        raise ValueError(f"expected a pack of gray faces with 'labels' at {path}, got {sorted(pack)}")
    votes = _shares(pack["ferplus"]) if "ferplus" in pack else None
    faces = LabelledFaces(pack["images"], pack["labels"].astype(np.int64), votes)
    if "usage" not in pack:
        return faces
    usages = np.array(USAGES)[pack["usage"]]
    not_a_face = (usages == "Training") & (pack["flag"] & FLAG_NOT_A_FACE > 0) if "flag" in pack else np.zeros(len(faces), bool)
    return faces.select(_choose(usages, usage, path) & ~not_a_face)


def load_fer2013(folder: str | os.PathLike[str] | None = None) -> tuple[LabelledFaces, LabelledFaces]:
    """Reads (Training, PublicTest) from the packs or from the official csv, whichever is found.

    Training holds no picture of PublicTest, nor of PrivateTest where that is at hand, and no row flagged "not a face".

    Args:
        folder: Where to look; None looks in the places of `environment.data_folders`.

    Raises:
        FileNotFoundError: Neither is found; all places are named.
    """
    try:
        train = read_pack(find_data("fer2013_train.npz", folder), "Training")
        public = read_pack(find_data("fer2013_publictest.npz", folder), "PublicTest")
    except FileNotFoundError as packs_missing:
        try:
            path = find_data("fer2013.csv", folder)
        except FileNotFoundError:
            raise packs_missing from None
        return read_csv(path, "Training"), read_csv(path, "PublicTest")
    return without_copies(train, public), public


def _choose(usages: np.ndarray, usage: str | None, path: str | os.PathLike[str]) -> np.ndarray:
    if usage is not None and usage not in USAGES:
        raise ValueError(f"expected a usage of {', '.join(USAGES)}, got {usage!r}")
    chosen = np.ones(len(usages), bool) if usage is None else usages == usage
    if not chosen.any():
        raise ValueError(f"expected rows of usage {usage} in {path}, found none")
    return chosen


def _shares(votes: np.ndarray) -> np.ndarray:
    """Turns vote counts [N, 10] into shares, float32; a row without votes stays zero."""
    totals = votes.sum(1, keepdims=True)
    return (votes / np.maximum(totals, 1)).astype(np.float32)


def _parse_rows(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads pictures uint8 [N, 48, 48], labels int64 [N] and usages str [N] from the official csv."""
    if not path.is_file():
        raise FileNotFoundError(f"expected the official csv, found no file at {path}")
    images, labels, usages = [], [], []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        columns = {name.strip().lower(): name for name in rows.fieldnames or ()}
        if not {"emotion", "pixels", "usage"} <= columns.keys():
            raise ValueError(f"expected the columns emotion, pixels and Usage in {path}, got {rows.fieldnames}")
        for row in rows:
            try:
                pixels = np.array(row[columns["pixels"]].split(), np.uint8)
                label, usage = int(row[columns["emotion"]]), row[columns["usage"]].strip()
            except (ValueError, OverflowError, AttributeError, TypeError) as error:
                raise ValueError(f"expected numbers in line {rows.line_num} of {path}, got: {error}") from error
            if pixels.size != SIDE * SIDE or usage not in USAGES or not 0 <= label <= 6:
                raise ValueError(
                    f"expected an emotion 0 to 6, {SIDE * SIDE} pixels and a usage of {', '.join(USAGES)} in line "
                    f"{rows.line_num} of {path}, got emotion {label}, {pixels.size} pixels, usage {usage!r}"
                )
            images.append(pixels.reshape(SIDE, SIDE))
            labels.append(label)
            usages.append(usage)
    if not labels:
        raise ValueError(f"expected rows in {path}, found none")
    return np.stack(images), np.array(labels, np.int64), np.array(usages)


def _parse_votes(path: Path, count: int) -> np.ndarray:
    """Reads the vote counts [count, 10] of `fer2013new.csv`."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if len(rows) != count + 1 or len(rows[0]) != 2 + len(FERPLUS_CLASSES):
        raise ValueError(f"expected a header and {count} rows of {2 + len(FERPLUS_CLASSES)} columns in {path}, got {len(rows)} rows")
    return np.array([[int(vote) for vote in row[2:]] for row in rows[1:]], np.uint8)
