"""Weights on disk: one safetensors file and a JSON card beside it; those that ship. No code from a file runs here.

Source: safetensors format, https://github.com/huggingface/safetensors (pickle, and so paddle.load, runs code).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_paddle.files import read_json, replacing, write_json

if TYPE_CHECKING:
    from paddle.nn import Layer

_MAX_HEADER_BYTES = 10 << 20
SUFFIXES = (".onnx", ".safetensors", ".pdmodel", ".param", ".mnn", ".tflite")
DETECTION = "face detection"
NETWORK_OF = {  # task -> what a network of it is called
    "expression": "an expression network",
    DETECTION: "a face detector",
    "landmarks": "a landmark network",
    "keypoint": "a network that finds marks",
}
FOLDERS = [Path(__file__).parents[1] / place / "weights" for place in ("fer_paddle", "yolo3tiny", "yolo3tiny/keypoint")]


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays of any shape as safetensors."""
    from safetensors.numpy import save  # a board that only finds an exported network has no such package

    with replacing(path) as temporary:
        temporary.write_bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a safetensors file, its arrays by name; ValueError: it is truncated or no safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a safetensors file, found none at {path}")
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
    try:
        if header_bytes > _MAX_HEADER_BYTES:
            raise SafetensorError(f"a header of {header_bytes} bytes")
        return dict(sorted(load(path.read_bytes()).items()))  # the reader's own order is another in each process
    except (SafetensorError, KeyError) as error:  # KeyError: a type that NumPy lacks
        raise ValueError(f"expected a whole safetensors file at {path}, got: {error}") from error


def save_weights(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
    """Write `NAME.safetensors` and its card `NAME.json`; nothing is written where the card is no JSON (TypeError)."""
    json.dumps(card)
    save_arrays(path, arrays)
    write_json(Path(path).with_suffix(".json"), card)


def load_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the JSON card beside a weights file, or the card itself."""
    return read_json(Path(path).with_suffix(".json"), "the card of the weights")


def load_into(layer: Layer, arrays: Mapping[str, np.ndarray]) -> None:
    """Set every parameter and buffer of a Paddle layer; ValueError, before anything is set, where arrays do not fit."""
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


def state_arrays(layer: Layer) -> dict[str, np.ndarray]:
    """Copy every parameter and buffer of a Paddle layer to NumPy, by its structured name."""
    return {name: tensor.numpy().copy() for name, tensor in layer.state_dict().items()}


def fingerprint(layer: Layer) -> str:
    """Return 16 hexadecimal digits that change with any weight of a network."""
    digest = hashlib.sha256()
    for name, array in sorted(state_arrays(layer).items()):
        digest.update(f"{name} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def shipped_files() -> dict[str, Path]:
    """Return the `.onnx` files of the networks that ship, by name."""
    return {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.onnx"))}


def named_task(told: Mapping[str, Any]) -> str | None:
    """Return the task that a network's card or metadata tell, one of NETWORK_OF; None where they tell none."""
    if (task := told.get("task")) in ("landmarks", "keypoint"):
        return str(task)
    return DETECTION if "anchors" in told else "expression" if {"classes", "input_size"} <= told.keys() else None


def check_task(told: Mapping[str, Any], task: str, path: object) -> None:
    """Raise ValueError where the card or the metadata of a network tell another task."""
    if named_task(told) not in (task, None):
        raise ValueError(f"expected {NETWORK_OF[task]} at {path}, got {called(told)}")


def called(told: Mapping[str, Any]) -> str:
    """Return what a network is called by the task that its card or metadata tell."""
    return NETWORK_OF.get(named_task(told) or "", "another network")


def find_weights(weights: str | os.PathLike[str], task: str | None = None, suffix: str = ".onnx") -> Path:
    """Return the file of a network, by path or by the name of one that ships, of any task or of one."""
    if not isinstance(weights, (str, os.PathLike)) or not os.fspath(weights):
        raise ValueError(f"expected the name or file of a network, got {weights!r}")
    path = Path(weights)
    if path.suffix.lower() in SUFFIXES or len(path.parts) != 1 or path.exists():
        return path
    name, files = os.fspath(weights), shipped_files()
    found = named_task(load_card(files[name])) if name in files else None
    if not found or task not in (None, found):
        names = [one for one in files if task in (None, named_task(load_card(files[one])))]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
        got = f"{name}, a network of {found}" if found else name
        raise ValueError(f"expected a file {', '.join(SUFFIXES)} or a network such as {', '.join(near)}, got {got}")
    path = files[name].with_suffix(suffix)
    if not path.is_file():
        raise FileNotFoundError(f"expected {path.name}, found none: {name} ships as .onnx alone")
    return path
