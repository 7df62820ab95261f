"""FER2013 from the official csv or from the packs, with the FER+ votes beside the labels.

Sources: Goodfellow et al. 2013, arXiv:1307.0414; FER+ from Barsoum et al. 2016, arXiv:1608.01041.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_paddle.environment import data_folders
from fer_paddle.expression.data.faces import USAGES, LabelledFaces, check_usage, join_faces, take_usage
from fer_paddle.expression.data.fer2013_faults import is_no_face
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.packs import load_pack

FERPLUS_CLASSES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
FLAG_NOT_A_FACE = 2  # re-encoded pictures, nearly all of them no face
SIDE = 48
PACKS = dict(zip(USAGES, ("fer2013_train.npz", "fer2013_publictest.npz", "fer2013_privatetest.npz")))
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
FERPLUS_CSV = "fer2013new.csv"
TRAINING_ROWS = 28709


def read_csv(
    path: str | os.PathLike[str],
    usage: str | None = None,
    ferplus: str | os.PathLike[str] | None = None,
    keep_faults: bool = False,
) -> LabelledFaces:
    """Reads the official `fer2013.csv` (or `icml_face_data.csv`).

    FER2013's Training rows that are no faces are left out, unless `keep_faults`.

    Args:
        path: A csv with the columns emotion, pixels (2304 numbers) and Usage.
        usage: One of USAGES, or None for all rows. `Training` leaves out every row whose picture also stands
            in a test split of the file.
        ferplus: The official `fer2013new.csv`, whose rows follow those of the first; None takes the file of
            this name beside the csv, and no votes where there is none.
        keep_faults: Give every row, for a report on the data.

    Returns:
        Faces uint8 [N, 48, 48] in file order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A row is malformed (its line is named), or no row has this usage.
    """
    path = Path(path)
    images, labels, usages = _read_faces(path)
    beside = path.with_name(FERPLUS_CSV)
    if ferplus is None and beside.is_file():
        ferplus = beside
    votes = None if ferplus is None else _shares(_read_votes(Path(ferplus), usages))
    faces = LabelledFaces(images, labels, votes, usages)
    training = usages == "Training"
    if (
        training.sum() == TRAINING_ROWS and not keep_faults
    ):  # a csv of the reader's own may hold a black picture on purpose
        faces = faces.select(~(training & [is_no_face(image) for image in images]))
    return take_usage(faces, usage, path)


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
    columns = {name: pack[name] for name in ("labels", "ferplus", "usage", "flag") if name in pack}
    for name, column in columns.items():
        shape = (len(pack["images"]), *([len(FERPLUS_CLASSES)] if name == "ferplus" else []))
        if column.dtype.kind not in "iu" or column.shape != shape:
            got = f"{column.dtype} {list(column.shape)}"
            raise ValueError(f"expected whole numbers {list(shape)} as {name!r} in {path}, got {got}")
    votes = _shares(columns["ferplus"]) if "ferplus" in columns else None
    labels = columns["labels"].astype(np.int64)
    if "usage" not in columns:
        return take_usage(LabelledFaces(pack["images"], labels, votes), usage, path)
    if not np.isin(columns["usage"], range(len(USAGES))).all():
        raise ValueError(f"expected a usage 0 to 2 in {path}, got {np.unique(columns['usage']).tolist()}")
    faces = LabelledFaces(pack["images"], labels, votes, np.array(USAGES)[columns["usage"]])
    if "flag" in columns:
        faces = faces.select((faces.usages != "Training") | (columns["flag"] & FLAG_NOT_A_FACE == 0))
    return take_usage(faces, usage, path)


def holds_fer2013(folder: Path) -> bool:
    """Tells whether a folder holds a FER2013 pack or the official csv."""
    return any((folder / name).is_file() for name in (*PACKS.values(), *CSV_NAMES))


def read_fer2013(folder: str | os.PathLike[str], usage: str | None = None) -> LabelledFaces:
    """Reads FER2013 from a folder: the packs that lie in it or, where there is none, the official csv.

    Args:
        folder: A folder for which `holds_fer2013` is true.
        usage: One of USAGES, or None for all; see `take_usage`.

    Raises:
        FileNotFoundError: Neither is there.
        ValueError: A file is damaged, or no face has this usage.
    """
    folder = Path(folder)
    packs = [name for name in USAGES if (folder / PACKS[name]).is_file()]
    if packs:
        if usage is not None:
            check_usage(usage, packs, folder)
        # Training is read with the test splits, for it must not contain their pictures.
        wanted = packs if usage in (None, "Training") else [usage]
        return take_usage(join_faces([read_pack(folder / PACKS[name]) for name in wanted]), usage, folder)
    for name in CSV_NAMES:
        if (folder / name).is_file():
            return read_csv(folder / name, usage)
    raise FileNotFoundError(f"expected {', '.join((*PACKS.values(), *CSV_NAMES))} in {folder}, found none")


def load_fer2013(folder: str | os.PathLike[str] | None = None) -> tuple[LabelledFaces, LabelledFaces]:
    """Reads (Training, PublicTest) from the packs or from the official csv, whichever is found.

    Training holds no picture of PublicTest, nor of PrivateTest where that is at hand, and no row flagged "not
    a face".

    Args:
        folder: Where to look; None looks in the places of `environment.data_folders`.

    Raises:
        FileNotFoundError: Neither is found; all places are named.
        ValueError: A file is damaged or lacks one of the two splits.
    """
    places = data_folders(folder)
    for place in places:
        packs = all((place / PACKS[usage]).is_file() for usage in ("Training", "PublicTest"))
        if packs or any((place / name).is_file() for name in CSV_NAMES):
            faces = read_fer2013(place)
            return take_usage(faces, "Training", place), take_usage(faces, "PublicTest", place)
    wanted = f"{PACKS['Training']} and {PACKS['PublicTest']}, or {' or '.join(CSV_NAMES)}"
    looked = ", ".join(str(place) for place in places)
    raise FileNotFoundError(f"expected {wanted}, found neither in: {looked} (set FER_DATA or give a folder)")


def _shares(votes: np.ndarray) -> np.ndarray:
    """Turns vote counts [N, 10] into shares, float32; a row without votes stays zero."""
    totals = votes.sum(1, keepdims=True)
    return (votes / np.maximum(totals, 1)).astype(np.float32)


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of a csv, the header first; empty lines are skipped."""
    if not path.is_file():
        raise FileNotFoundError(f"expected the official csv, found no file at {path}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        try:
            yield from ((reader.line_num, row) for row in reader if row)
        except csv.Error as error:
            raise ValueError(f"expected a csv at {path}, got in line {reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"expected a csv in UTF-8 at {path}, got: {error}") from error


def _read_faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads pictures uint8 [N, 48, 48], labels int64 [N] and usages str [N] from the official csv."""
    rows = _read_rows(path)
    header = [name.strip().lower() for name in next(rows, (0, []))[1]]
    if not {"emotion", "pixels", "usage"} <= set(header):
        raise ValueError(f"expected the columns emotion, pixels and Usage in {path}, got {', '.join(header)}")
    columns = [header.index(name) for name in ("emotion", "pixels", "usage")]
    pixels, labels, usages = bytearray(), [], []
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(f"expected {len(header)} columns in line {line} of {path}, got {len(row)}")
        emotion, numbers, usage = (row[column].strip() for column in columns)
        try:
            picture, label = bytes(map(int, numbers.split())), int(emotion)
        except ValueError as error:
            raise ValueError(f"expected whole numbers in line {line} of {path}, got: {error}") from error
        if len(picture) != SIDE * SIDE or usage not in USAGES or not 0 <= label < len(EXPRESSIONS):
            expected = f"an emotion 0 to 6, {SIDE * SIDE} pixels and a usage of {', '.join(USAGES)}"
            got = f"emotion {label}, {len(picture)} pixels, usage {usage!r}"
            raise ValueError(f"expected {expected} in line {line} of {path}, got {got}")
        pixels += picture
        labels.append(label)
        usages.append(usage)
    if not labels:
        raise ValueError(f"expected rows in {path}, found none")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
    return images, np.array(labels, np.int64), np.array(usages)


def _read_votes(path: Path, usages: np.ndarray) -> np.ndarray:
    """Reads the vote counts uint8 [N, 10] of `fer2013new.csv`, one row for each of `usages`."""
    rows = list(_read_rows(path))[1:]
    if len(rows) != len(usages):
        raise ValueError(f"expected the FER+ votes of {len(usages)} pictures in {path}, got {len(rows)} rows")
    votes = np.zeros((len(rows), len(FERPLUS_CLASSES)), np.uint8)
    for index, (line, row) in enumerate(rows):
        try:
            votes[index] = list(bytes(map(int, row[2:])))
        except ValueError as error:
            expected = f"{len(FERPLUS_CLASSES)} votes"
            raise ValueError(f"expected {expected} in line {line} of {path}, got: {error}") from error
        if row[0].strip() != usages[index]:
            raise ValueError(f"expected the usage {usages[index]} in line {line} of {path}, got {row[0]!r}")
    return votes
