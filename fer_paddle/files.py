"""Weights on disk: one safetensors file and one JSON card beside it. Nothing here runs code from a file.

Source: safetensors format, https://github.com/huggingface/safetensors (pickle, and so paddle.load, runs code).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary name to write to in a `with` block, and renames it at its end: a reader sees a whole file.

    The name lies beside `path`, whose folder must exist. An error leaves the old file and nothing else.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes JSON to a temporary name, then renames it: a reader sees the old file or the new one, whole.

    A file name that is no UTF-8 is written with escapes.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as safetensors, to a temporary name first.

    Args:
        path: The file to write; its folder must exist.
        arrays: Arrays of any shape and of a dtype safetensors knows.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a safetensors file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated or no safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a safetensors file, found none at {path}")
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"expected a whole safetensors file at {path}, got: {error}") from error


def save_weights(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
    """Writes `NAME.safetensors` and its card `NAME.json` beside it.

    Raises:
        TypeError: The card is no JSON; nothing was written.
    """
    json.dumps(card)
    save_arrays(path, arrays)
    write_json(Path(path).with_suffix(".json"), card)


def load_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the JSON card beside a weights file (or the card itself).

    Raises:
        FileNotFoundError: There is no card.
        ValueError: The card is no JSON object.
    """
    return read_json(Path(path).with_suffix(".json"), "the card of the weights")


def read_json(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """Reads a file with one JSON object; `what` it is stands in the message where it is missing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no JSON object.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected {what} at {path}, found none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"expected JSON in {path}, got: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object in {path}, got {type(content).__name__}")
    return content


def load_into(layer: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Sets every parameter and buffer of a Paddle layer; nothing is skipped in silence.

    Args:
        layer: A paddle.nn.Layer.
        arrays: One array for each name of `layer.state_dict()`, of the same shape.

    Raises:
        ValueError: A name is missing or too many, or a shape or dtype differs; the first is named.
    """
    state = layer.state_dict()
    missing, extra = sorted(state.keys() - arrays.keys()), sorted(arrays.keys() - state.keys())
    if missing or extra:
        name = (missing or extra)[0]
        counts = f"{len(missing)} names missing, {len(extra)} unknown, such as {name!r}"
        raise ValueError(f"weights do not fit {type(layer).__name__}: {counts}")
    for name, tensor in state.items():
        wanted = f"{tensor.numpy().dtype} {tuple(tensor.shape)}"
        if wanted != (got := f"{arrays[name].dtype} {arrays[name].shape}"):
            raise ValueError(f"weights do not fit: expected {name!r} as {wanted}, got {got}")
    for name, tensor in state.items():
        tensor.set_value(arrays[name])


def state_arrays(layer: Any) -> dict[str, np.ndarray]:
    """Copies every parameter and buffer of a Paddle layer to NumPy, by its structured name."""
    return {name: tensor.numpy().copy() for name, tensor in layer.state_dict().items()}


def fingerprint(layer: Any) -> str:
    """Gives 16 hexadecimal digits that change with any weight of a network."""
    digest = hashlib.sha256()
    for name, array in sorted(state_arrays(layer).items()):
        digest.update(f"{name} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]
