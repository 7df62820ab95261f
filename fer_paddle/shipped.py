"""The networks that ship: `name.tag` in a folder of weights, such as distresnet.fer2013. Needs nothing but Python."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

SUFFIXES = (".onnx", ".safetensors", ".pdmodel", ".param", ".mnn", ".tflite")


def shipped_names(folder: Path) -> list[str]:
    """List the names of the networks in a folder."""
    return sorted(path.stem for path in folder.glob("*.onnx"))


def find_weights(weights: str | os.PathLike[str], folder: Path, suffix: str = ".onnx") -> Path:
    """Return the file of a network."""
    path = Path(weights)
    if path.suffix.lower() in SUFFIXES or len(path.parts) != 1 or path.exists():
        return path
    name, names = os.fspath(weights), shipped_names(folder)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
        raise ValueError(f"expected a file {', '.join(SUFFIXES)} or a network such as {', '.join(near)}, got {name}")
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        raise FileNotFoundError(f"expected {path.name}, found none: {name} ships as .onnx alone")
    return path
