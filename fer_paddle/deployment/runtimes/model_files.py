"""Files of exported networks: whole or refused, and what they say of themselves.

An ONNX file carries its metadata inside. The other formats cannot, and their loaders read past the end of a truncated
file: each has a card `NAME.SUFFIX.json` beside it with the metadata, and size and SHA-256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_paddle.files import write_json

# The files of one network in each format; the first is the one that is named, and stands for all.
FORMATS = {
    ".onnx": (".onnx",),
    ".param": (".param", ".bin"),
    ".mnn": (".mnn",),
    ".pdmodel": (".pdmodel", ".pdiparams"),
    ".safetensors": (".safetensors",),
}
_PICKLE = re.compile(rb"\x80[\x01-\x05]|PK\x03\x04")  # PyTorch's are zip archives of pickles


def check_file(path: str | os.PathLike[str], suffixes: Sequence[str], runtime: str) -> Path:
    """Looks at the name and the first bytes of a network's file.

    Returns:
        The path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The runtime does not read files of this suffix, or the file is empty or a pickle.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"expected a file {' or '.join(suffixes)} for the runtime {runtime}, got {path}")
    if not path.is_file():
        raise FileNotFoundError(f"expected the network's file, found no file at {path}")
    with path.open("rb") as file:
        start = file.read(4)
    if _PICKLE.match(start):
        raise ValueError(f"expected a network in the format {path.suffix} at {path}, got a pickle: these can run code")
    if not start:
        raise ValueError(f"expected a network in the format {path.suffix} at {path}, got an empty file")
    return path


def parts_of(path: str | os.PathLike[str]) -> dict[str, Path]:
    """All files of a network by their suffix in FORMATS; the first is the path itself, in whatever case."""
    path = Path(path)
    first, *others = FORMATS[path.suffix.lower()]
    return {first: path} | {suffix: path.with_suffix(suffix) for suffix in others}


def card_path(path: str | os.PathLike[str]) -> Path:
    """Where the card of a file lies: `NAME.SUFFIX.json`."""
    path = Path(path)
    return path.with_name(f"{path.name}.json")


def write_card(
    path: str | os.PathLike[str], inputs: Sequence[str], outputs: Sequence[str], metadata: Mapping[str, str]
) -> None:
    """Writes the card of a network's files, which must be there.

    Args:
        path: The first of its files.
        inputs: Names of its inputs, in order.
        outputs: Names of its outputs, in order.
        metadata: What an ONNX file of it would carry.
    """
    path = Path(path)
    files = {suffix: _fingerprint(part) for suffix, part in parts_of(path).items()}
    content = {"files": files, "inputs": list(inputs), "outputs": list(outputs), "metadata": dict(metadata)}
    write_json(card_path(path), content)


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the card of a network's files and compares them with it.

    Args:
        path: The first of its files.

    Returns:
        `inputs`, `outputs` and `metadata`.

    Raises:
        FileNotFoundError: The card or a file is missing.
        ValueError: The card is malformed, or a file is not the one it names.
    """
    path = Path(path)
    card = card_path(path)
    if not card.is_file():
        raise FileNotFoundError(f"expected the card {card.name} beside {path}, found none")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
        files, metadata = content["files"], dict(content["metadata"])
        inputs, outputs = list(content["inputs"]), list(content["outputs"])
        told = {part: (files[suffix]["bytes"], files[suffix]["sha256"]) for suffix, part in parts_of(path).items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"expected the card of a network at {card}, got: {type(error).__name__} {error}") from error
    for part, (num_bytes, digest) in told.items():
        if not part.is_file():
            raise FileNotFoundError(f"expected {part.name} beside {path}, found none")
        found = _fingerprint(part)
        if found["bytes"] != num_bytes:
            raise ValueError(f"expected {num_bytes} bytes in {part}, got {found['bytes']}: the file is damaged")
        if found["sha256"] != digest:
            raise ValueError(f"expected {part} as its card {card.name} names it, got a file of other content")
    return {"inputs": inputs, "outputs": outputs, "metadata": metadata}


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Bytes of all files of a network, without its card."""
    return sum(part.stat().st_size for part in parts_of(path).values())


def _fingerprint(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
