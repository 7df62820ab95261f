"""What all runtimes share: the check of file and images, and the conversion of an ONNX file."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from fer_paddle.deployment.runtimes.model_files import check_file

DETECTOR_STEP = 32  # the sides of a face detector's input are multiples of this


class Runner:
    """A network file as a function of arrays. Several threads may call one runner, each gets its own answer."""

    name: ClassVar[str]
    package: ClassVar[str] = ""  # as pip and Python call it, where that is not the name
    suffixes: ClassVar[tuple[str, ...]]
    converts_onnx: ClassVar[bool] = False  # to the first of `suffixes`
    _made_of: tuple[Any, ...] | None = None  # a function and its arguments that load this network again
    metadata: Mapping[str, str]  # what the file says of itself: classes, input size, normalization

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        self._made_of = type(self), (path, threads, precision)
        path = check_file(path, (*self.suffixes, ".onnx") if self.converts_onnx else self.suffixes, self.name)
        if self.converts_onnx and path.suffix.lower() == ".onnx":
            self.import_package()
            from fer_paddle.deployment.convert import convert_onnx

            with tempfile.TemporaryDirectory() as folder:
                converted = Path(folder, f"network{self.suffixes[0]}")
                convert_onnx(path, converted, precision)
                self._load(converted, threads, precision)
        else:
            self._load(path, threads, precision)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network: images float32 [N, C, H, W]."""
        check_images(images, self.metadata)
        outputs = self._run(np.ascontiguousarray(images, np.float32))
        if not all(np.isfinite(output).all() for output in outputs):
            raise ValueError("expected finite outputs, got NaN or infinity: the weights or the images are damaged")
        return outputs

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what to load, for a process pool: a runtime's session cannot be."""
        if self._made_of is None:
            raise TypeError(f"expected a network loaded from a file to pickle, got a {type(self).__name__} of another")
        return self._made_of

    @classmethod
    def import_package(cls) -> ModuleType:
        """Import the runtime's package; RuntimeError says how to install it."""
        package = cls.package or cls.name
        try:
            return importlib.import_module(package)
        except ImportError as error:
            why = f"expected the package {package} for this runtime, got: {error} (pip install {package})"
            raise RuntimeError(why) from error

    def _load(self, path: Path, threads: int, precision: str) -> None:
        """Load the file, and set `metadata`."""
        raise NotImplementedError

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network on contiguous float32 images."""
        raise NotImplementedError


def check_images(images: np.ndarray, metadata: Mapping[str, str]) -> None:
    """Raise ValueError for images that a network was not made for."""
    shape = np.shape(images)
    expected, fits = "[N, C, H, W]", len(shape) == 4 and min(shape) > 0
    if "input_size" in metadata:
        size = int(metadata["input_size"])
        expected, fits = f"[N, 1, {size}, {size}]", fits and shape[1:] == (1, size, size)
    elif "anchors" in metadata:
        expected = f"[N, 3, H, W] with H and W in multiples of {DETECTOR_STEP}"
        fits = fits and shape[1] == 3 and not any(side % DETECTOR_STEP for side in shape[2:])
    if not fits:
        raise ValueError(f"expected images {expected}, N of 1 or more, got {list(shape)}")
