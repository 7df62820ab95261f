"""FER2013 from the official csv or from the packs, with the FER+ votes beside the labels.

FER2013's `Usage` becomes the split here: Training is `train`, PublicTest `validation`, PrivateTest `test`.

Sources: Goodfellow et al. 2013, arXiv:1307.0414; FER+ from Barsoum et al. 2016, arXiv:1608.01041.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.expression.data.faces import UNLABELLED, LabelledFaces, join_faces
from fer_paddle.files import read_table
from fer_paddle.images import to_gray
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS, SPLITS, choose_classes, parse_class, parse_split
from fer_paddle.packs import load_pack, save_pack

_VOTED = "neutral happiness surprise sadness anger disgust fear contempt unknown NF"
FERPLUS_CLASSES = tuple(_VOTED.split())
FLAG_NOT_A_FACE = 2  # re-encoded images, nearly all of them no face
SIDE = 48
PACKS = dict(zip(SPLITS, ("fer2013_train.npz", "fer2013_publictest.npz", "fer2013_privatetest.npz")))
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
FERPLUS_CSV = "fer2013new.csv"
TRAINING_ROWS = 28709
PUBLISHED = dict(zip(SPLITS, (TRAINING_ROWS, 3589, 3589)))  # images of each split
# Of the training images that are no faces, which the csv does not mark: the first digits of the SHA-256 of the 141
# different ones among those with FLAG_NOT_A_FACE in the pack, 148 of them no face to all ten FER+ raters.
_NO_FACES = frozenset(json.loads(Path(__file__).with_name("fer2013_faults.json").read_text(encoding="utf-8")))
_SHOWN = 200  # characters of a malformed line in a message


def find_fer2013(folder: Path) -> list[Path]:
    """Return the packs of FER2013 in a folder or, where there is none, the official csv; empty for another folder."""
    packs, tables = ([folder / name for name in names] for names in (PACKS.values(), CSV_NAMES))
    return [path for path in packs if path.is_file()] or [path for path in tables if path.is_file()][:1]


def read_fer2013(path: str | os.PathLike[str], keep_faults: bool = False) -> LabelledFaces:
    """Read FER2013 from a csv, a pack, or a folder of `find_fer2013`."""
    files = find_fer2013(Path(path)) if Path(path).is_dir() else [Path(path)]
    if not files:
        raise FileNotFoundError(f"expected {', '.join((*PACKS.values(), *CSV_NAMES))} in {path}, found none")
    faces = join_faces([(read_csv if one.suffix.lower() == ".csv" else read_pack)(one, keep_faults) for one in files])
    if not len(faces):
        raise ValueError(f"expected images in {path}, found none")
    return faces


def read_csv(path: str | os.PathLike[str], keep_faults: bool = False) -> LabelledFaces:
    """Read the official csv: emotion, pixels (2304 numbers) and, where it is divided, Usage."""
    path = Path(path)
    images, labels, split = _read_faces(path)
    votes_path = path.with_name(FERPLUS_CSV)
    votes = _to_probs(_read_votes(votes_path, len(labels), split)) if votes_path.is_file() else None
    names = [f"{path.stem} row {row}" for row in range(len(labels))]
    faces = LabelledFaces(images, labels, votes, split, names=names)
    return faces if keep_faults else faces.select(~_find_no_faces(images, split))


def _find_no_faces(images: np.ndarray, split: np.ndarray | None) -> np.ndarray:
    """Return which images are training images that are no faces; a user's own csv may hold a black one on purpose."""
    training = np.zeros(len(images), bool) if split is None else split == "train"
    if training.sum() != TRAINING_ROWS:
        return np.zeros(len(images), bool)
    return training & [hashlib.sha256(image.tobytes()).hexdigest()[:8] in _NO_FACES for image in images]


def read_pack(path: str | os.PathLike[str], keep_faults: bool = False) -> LabelledFaces:
    """Read a FER2013 pack, or another pack of faces or mouths, in gray or color, with `labels` and `classes`."""
    path, pack = Path(path), load_pack(path)
    images: Sequence[np.ndarray] | np.ndarray = pack["images"]
    count = len(images)
    if pack["images"].ndim == 4:
        images = [to_gray(np.ascontiguousarray(image[..., ::-1])) for image in images]  # packs are RGB
    shapes = dict.fromkeys(("labels", "usage", "flag", "row"), (count,)) | {"ferplus": (count, len(FERPLUS_CLASSES))}
    columns = {name: pack[name] for name in shapes if name in pack}
    for name, column in columns.items():
        if column.dtype.kind not in "iu" or column.shape != shapes[name]:
            got = f"{column.dtype} {list(column.shape)}"
            raise ValueError(f"expected integers {list(shapes[name])} as {name!r} in {path}, got {got}")
    usage = columns.get("usage")
    if usage is not None and not np.isin(usage, range(len(SPLITS))).all():
        raise ValueError(f"expected a usage 0 to 2 in {path}, got {np.unique(usage).tolist()}")
    split = None if usage is None else np.array(SPLITS)[usage]
    labels = columns.get("labels", np.full(count, UNLABELLED)).astype(np.int64)
    rows = np.atleast_1d(pack.get("name", [f"row {row}" for row in columns.get("row", range(count))]))
    votes = _to_probs(columns["ferplus"]) if "ferplus" in columns else None
    names, told = [f"{path.stem} {row}" for row in rows], pack.get("classes", np.array(EXPRESSIONS))
    classes = tuple(told.tolist()) if told.dtype.kind == "U" and told.ndim == 1 else ()
    if not classes or len(set(map(parse_class, classes))) < len(classes):
        raise ValueError(f"expected 'classes' as different names in {path}, got {told.tolist()}")
    try:
        faces = LabelledFaces(images, labels, votes, split, classes, names=names)
    except ValueError as error:
        raise ValueError(f"{error} in {path}") from error
    if (known := choose_classes(classes)[0]) in (EXPRESSIONS, FERPLUS_EXPRESSIONS):
        faces = faces.with_classes(known)
    if keep_faults or split is None or "flag" not in columns:
        return faces
    return faces.select((split != "train") | (columns["flag"] & FLAG_NOT_A_FACE == 0))


def write_packs(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the official csv, with the FER+ votes of FERPLUS_CSV beside it, as PACKS; return their paths by split."""
    path, folder = Path(path), Path(folder)
    images, labels, split = _read_faces(path)
    if split is None:
        raise ValueError(f"expected the column Usage in {path}, got none")
    votes_path = path.with_name(FERPLUS_CSV)
    votes = {"ferplus": _read_votes(votes_path, len(labels), split)} if votes_path.is_file() else {}
    flags = FLAG_NOT_A_FACE * _find_no_faces(images, split).astype(np.uint8)
    columns = {"labels": labels.astype(np.uint8), "flag": flags, "row": np.arange(len(labels)), **votes}
    names = {"classes": np.array(EXPRESSIONS), **({"ferplus_classes": np.array(FERPLUS_CLASSES)} if votes else {})}
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for number, (name, file) in enumerate(PACKS.items()):
        if (chosen := split == name).any():
            own = {key: column[chosen] for key, column in columns.items()}
            usage = np.full(chosen.sum(), number, np.uint8)
            written[name] = save_pack(folder / file, images[chosen], usage=usage, **own, **names)
    return written


def _to_probs(votes: np.ndarray) -> np.ndarray:
    """Turn vote counts [N, 10] into probs, float32; a row without votes stays zero."""
    return (votes / np.maximum(votes.sum(1, keepdims=True), 1)).astype(np.float32)


def _read_faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read images uint8 [N, 48, 48], labels int64 [N] and split str [N] (None without Usage) from the official csv."""
    pixels, labels, splits = bytearray(), [], []
    for line, row in read_table(path, ("emotion", "pixels"), ("Usage",)):
        try:
            image, label = bytes(map(int, row["pixels"].split())), int(row["emotion"])
        except ValueError as error:
            raise ValueError(f"expected integers in line {line} of {path}, got: {str(error)[:_SHOWN]}") from error
        split = parse_split(row["Usage"]) if "Usage" in row else ""
        if len(image) != SIDE * SIDE or split is None or not 0 <= label < len(EXPRESSIONS):
            expected = f"an emotion 0 to 6, {SIDE * SIDE} pixels and a Usage of Training, PublicTest, PrivateTest"
            got = f"emotion {label}, {len(image)} pixels, Usage {row.get('Usage')!r}"
            raise ValueError(f"expected {expected} in line {line} of {path}, got {got}")
        pixels += image
        labels.append(label)
        splits.append(split)
    if not labels:
        raise ValueError(f"expected rows in {path}, found none")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
    return images, np.array(labels, np.int64), np.array(splits) if splits[0] else None


def _read_votes(path: Path, count: int, split: np.ndarray | None) -> np.ndarray:
    """Read the vote counts uint8 [N, 10] of `fer2013new.csv`, one row for each face, of the same split."""
    rows = list(read_table(path, ("Usage", *FERPLUS_CLASSES)))
    if len(rows) != count:
        raise ValueError(f"expected the FER+ votes of {count} images in {path}, got {len(rows)} rows")
    votes = np.zeros((count, len(FERPLUS_CLASSES)), np.uint8)
    for index, (line, row) in enumerate(rows):
        try:
            votes[index] = list(bytes(int(row[name]) for name in FERPLUS_CLASSES))
        except ValueError as error:
            raise ValueError(f"expected votes 0 to 255 in line {line} of {path}, got: {error}") from error
        if split is not None and parse_split(row["Usage"]) != split[index]:
            raise ValueError(f"expected the split {split[index]} in line {line} of {path}, got {row['Usage']!r}")
    return votes
