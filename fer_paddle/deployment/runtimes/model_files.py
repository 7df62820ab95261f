"""Files of exported networks: whole or refused, and what they say of themselves.

An ONNX file carries its metadata inside. The other formats cannot, and their loaders read past the end of a truncated
file: each has a manifest `NAME.SUFFIX.json` beside it with the metadata, and size and SHA-256 of every file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_paddle.files import file_digest, read_json, write_json

_WEIGHTS_OF = {".param": ".bin", ".pdmodel": ".pdiparams"}  # of the formats of two files, the other one's suffix
_PICKLE = re.compile(rb"\x80[\x01-\x05]|PK\x03\x04")  # PyTorch's are zip archives of pickles


def check_file(path: str | os.PathLike[str], suffixes: Sequence[str], runtime: str) -> Path:
    """Return the path of a network's file after a look at its name and its first bytes."""
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
    """List all files of a network by their suffix, in small letters; the first is the path itself."""
    path = Path(path)
    other = _WEIGHTS_OF.get(path.suffix.lower())
    return {path.suffix.lower(): path} | ({other: path.with_suffix(other)} if other else {})


def write_manifest(
    path: str | os.PathLike[str], inputs: Sequence[str], outputs: Sequence[str], metadata: Mapping[str, str]
) -> None:
    """Write the manifest of a network's files: names of inputs and outputs in order, and metadata."""
    files = {
        suffix: {"bytes": part.stat().st_size, "sha256": file_digest(part)} for suffix, part in parts_of(path).items()
    }
    content = {"files": files, "inputs": list(inputs), "outputs": list(outputs), "metadata": dict(metadata)}
    write_json(f"{os.fspath(path)}.json", content)


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return `inputs`, `outputs` and `metadata` of a network's files after comparing them with their manifest."""
    path, manifest = Path(path), Path(f"{os.fspath(path)}.json")
    if not manifest.is_file():
        hint = "export writes it; of slim-weights the program in the folder `simulated` runs"
        raise FileNotFoundError(f"expected {manifest.name} beside {path}, found none: {hint}")
    try:
        content = read_json(manifest, "the manifest of a network")
        metadata = dict(content["metadata"])
        inputs, outputs = list(content["inputs"]), list(content["outputs"])
        named = {part: content["files"][suffix] for suffix, part in parts_of(path).items()}
        sizes = {part: (file["bytes"], file["sha256"]) for part, file in named.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"expected the manifest of a network at {manifest}, got: {type(error).__name__} {error}"
        ) from error
    for part, (num_bytes, digest) in sizes.items():
        if not part.is_file():
            raise FileNotFoundError(f"expected {part.name} beside {path}, found none")
        if part.stat().st_size != num_bytes:
            raise ValueError(f"expected {num_bytes} bytes in {part}, got {part.stat().st_size}: the file is damaged")
        if file_digest(part) != digest:
            raise ValueError(f"expected {part} as its manifest {manifest.name} names it, got a file of other content")
    return {"inputs": inputs, "outputs": outputs, "metadata": metadata}


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Return the bytes of all files of a network that are there, without its manifest."""
    return sum(part.stat().st_size for part in parts_of(path).values() if part.is_file())
