"""The base of all runtimes: check file and images, convert an ONNX file."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from fer_paddle.deployment.runtimes.model_files import check_file

LOAD_BYTES = 768 << 20  # to load a network and run it once, beside what its files' size explains
FIXED_BATCH = "batch"  # of the metadata: the number of images that the network takes, where it is fixed
DETECTOR_STEP = 32  # the sides of a face detector's input are multiples of this

Forward = Callable[[np.ndarray], Sequence[np.ndarray]]  # images -> outputs, as every Runner

_one_bound = threading.RLock()  # the bound is the process's


def memory_kb(name: str) -> int | None:
    """Return what Linux tells of this process's memory, such as VmHWM, the most so far, in KiB; elsewhere None."""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s*(\d+)", status.read_text()) if status.is_file() else None
    return int(found[1]) if found else None


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """Give this process at most `most` bytes more in a `with` block, on Linux: beyond them allocations fail."""
    if sys.platform != "linux":
        yield
        return
    import resource

    with _one_bound:
        (soft, hard), used_kb = resource.getrlimit(resource.RLIMIT_DATA), memory_kb("VmData")
        bound = (used_kb << 10) + most if used_kb else hard
        resource.setrlimit(resource.RLIMIT_DATA, (bound if hard < 0 else min(bound, hard), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


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
        outputs = self._run_whole(np.ascontiguousarray(images, np.float32))
        if not all(np.isfinite(output).all() for output in outputs):
            raise ValueError("expected finite outputs, got NaN or infinity: the weights or the images are damaged")
        return outputs

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what to load, for a process pool: a runtime's session cannot be."""
        if self._made_of is None:
            raise TypeError(f"expected a network loaded from a file to pickle, got a {type(self).__name__} of another")
        return self._made_of

    def _run_whole(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network on any number of images, one of a fixed batch by filling the last up with zeros."""
        batch = int(self.metadata.get(FIXED_BATCH, 0))
        if batch in (0, len(images)):
            return self._run(images)
        parts = []
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            filled = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), np.float32)])
            parts.append([output[: len(part)] for output in self._run(filled)])
        return [np.concatenate(outputs) for outputs in zip(*parts)]

    def try_once(self) -> None:
        """Run the network on one empty image, where its metadata tell its size."""
        if "input_size" in self.metadata:
            size = int(self.metadata["input_size"])
            self._run_whole(np.zeros((1, 1, size, size), np.float32))
        elif "anchors" in self.metadata:
            self._run_whole(np.zeros((1, 3, DETECTOR_STEP, DETECTOR_STEP), np.float32))

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
    shape, dtype = np.shape(images), np.asarray(images).dtype
    expected, fits = "[N, C, H, W]", len(shape) == 4 and min(shape) > 0
    if "input_size" in metadata:
        size = int(metadata["input_size"])
        expected, fits = f"[N, 1, {size}, {size}]", fits and shape[1:] == (1, size, size)
    elif "anchors" in metadata:
        expected = f"[N, 3, H, W] with H and W in multiples of {DETECTOR_STEP}"
        fits = fits and shape[1] == 3 and not any(side % DETECTOR_STEP for side in shape[2:])
    if not fits:
        raise ValueError(f"expected images {expected}, N of 1 or more, got {list(shape)}")
    if dtype.kind != "f" or not np.isfinite(images).all():  # not every runtime passes NaN on to its outputs
        raise ValueError(f"expected images of finite floats, got {'NaN or infinity' if dtype.kind == 'f' else dtype}")
