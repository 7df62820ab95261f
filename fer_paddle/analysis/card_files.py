"""The files of a model card beside the weights: NAME.json from training, NAME.measured.json, and NAME.md."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fer_paddle.analysis.card import write_card
from fer_paddle.environment import REPOSITORY
from fer_paddle.files import file_digest, replacing, write_json
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.weights import load_card

SHIPPED = tuple(REPOSITORY / package / "weights" for package in ("fer_paddle", "yolo3tiny"))
MEASURED, TEXT = ".measured.json", ".md"


def find_shipped(folders: Iterable[Path] = SHIPPED) -> list[Path]:
    """Lists the weights with a JSON card of a kind that can be measured, the ONNX file where a name has two."""
    found = []
    for card in sorted(path for folder in folders for path in folder.glob("*.json")):
        files = [card.with_suffix(suffix) for suffix in (".onnx", ".safetensors")]
        files = [path for path in files if path.is_file()]
        if not card.name.endswith(MEASURED) and files and _kind(load_card(card)):
            found.append(files[0])
    return found


def kind_of(weights: str | os.PathLike[str]) -> str:
    """Return the kind of weights by their JSON card: `expression`, `ferplus`, `mouth`, `classes` or `detector`.

    Raises:
        FileNotFoundError: There is no card.
        ValueError: They are of neither kind.
    """
    kind = _kind(load_card(weights))
    if kind is None:
        raise ValueError(
            f"expected a network of seven expressions, of FER+, of mouths or a face detector, got another: {weights}"
        )
    return kind


def _kind(card: Mapping[str, Any]) -> str | None:
    if "anchors" in card:
        return "detector"
    if "train_mouths" in card:
        return "mouth"
    classes = tuple(card.get("classes", ()))
    kind = {EXPRESSIONS: "expression", FERPLUS_EXPRESSIONS: "ferplus"}.get(classes)
    return kind or ("classes" if len(classes) > 1 and "input_size" in card else None)


def read_measured(weights: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads what was measured of these very weights.

    Raises:
        FileNotFoundError: Nothing was measured.
        ValueError: It was measured on other weights.
    """
    weights = Path(weights)
    path = weights.with_suffix(MEASURED)
    if not path.is_file():
        raise FileNotFoundError(f"expected the figures of these weights in {path}, found none: measure them first")
    measured = load_card(path)
    if measured.get("sha256") != file_digest(weights):
        raise ValueError(f"expected figures of {weights.name} in {path}, got those of other weights: measure them anew")
    return measured


def write_files(weights: str | os.PathLike[str], measured: Mapping[str, Any]) -> list[Path]:
    """Writes NAME.measured.json, tied to the weights by their SHA-256, and NAME.md.

    Args:
        weights: The `.onnx` or `.safetensors` file, its JSON card beside it.
        measured: See card.write_card; file name, size and SHA-256 are set here.

    Returns:
        The two files.

    Raises:
        FileNotFoundError: Weights or card are not there.
        ValueError: The kind of the figures is unknown.
    """
    weights = Path(weights)
    card = load_card(weights)
    about = {"weights": weights.name, "bytes": weights.stat().st_size, "sha256": file_digest(weights)}
    content = {**measured, **about}
    text = write_card(weights.stem, card, content)
    paths = [weights.with_suffix(MEASURED), weights.with_suffix(TEXT)]
    write_json(paths[0], content)
    with replacing(paths[1]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return paths
