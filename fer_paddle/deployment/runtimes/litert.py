"""LiteRT, formerly TensorFlow Lite: for phones and small boards. A thread has its own interpreter."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.base import Runner
from fer_paddle.deployment.runtimes.model_files import read_manifest


class LiteRtRunner(Runner):
    """Run a `.tflite` file on the CPU, in what the file says, which may be int8; one image after the other."""

    name, package, suffixes = "litert", "ai_edge_litert", (".tflite",)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        self.import_package()
        from ai_edge_litert.interpreter import Interpreter

        manifest = read_manifest(path)
        self._open = partial(Interpreter, model_content=path.read_bytes(), num_threads=threads or os.cpu_count())
        self._own, self._names, self.metadata = threading.local(), manifest["outputs"], manifest["metadata"]
        try:
            self._interpreter()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"expected a network of LiteRT at {path}, got: {error}") from error

    def _interpreter(self) -> Any:
        """Return the interpreter of this thread."""
        if not hasattr(self._own, "interpreter"):
            interpreter = self._open()
            interpreter.allocate_tensors()
            self._own.interpreter = interpreter
        return self._own.interpreter

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        rows = [self._run_one(image) for image in images]
        return [np.concatenate(parts) for parts in zip(*rows)]

    def _run_one(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of one image [C, H, W]; LiteRT has the channels last."""
        interpreter = self._interpreter()
        (wanted,) = interpreter.get_input_details()
        given = np.ascontiguousarray(image.transpose(1, 2, 0)[None])
        if given.shape != tuple(wanted["shape"]):
            raise ValueError(f"expected images that the network takes, got {list(image.shape)}")
        interpreter.set_tensor(wanted["index"], given)
        interpreter.invoke()
        found = [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]
        return [array.transpose(0, 3, 1, 2) if array.ndim == 4 else array for array in found]
