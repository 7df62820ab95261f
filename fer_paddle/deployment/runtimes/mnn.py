"""MNN, by its Python interface: its command lines install a package that reports their use."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.runtimes.base import Runner
from fer_paddle.deployment.runtimes.model_files import read_manifest

# Large Winograd tiles round too much for parity: up to 9e-4 in tiny YOLO's heads, 1e-5 with small ones, as fast.
WINOGRAD_MEMORY_LEVEL, SMALL_TILES = 3, 1


class MnnRunner(Runner):
    """Run a network on the CPU; "int8" stores the weights of a converted `.onnx` in eight bits."""

    name, package, suffixes, converts_onnx = "mnn", "MNN", (".mnn",), True

    def _load(self, path: Path, threads: int, precision: str) -> None:
        self.import_package()
        import MNN.expr
        import MNN.nn

        manifest = read_manifest(path)
        runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads or os.cpu_count()},))
        runtime.set_hint(WINOGRAD_MEMORY_LEVEL, SMALL_TILES)
        try:
            net = MNN.nn.load_module_from_file(
                str(path), manifest["inputs"], manifest["outputs"], runtime_manager=runtime
            )
        except (SystemError, ValueError, RuntimeError) as error:  # MNN leaves a SystemError behind
            raise ValueError(f"expected a network of MNN at {path}, got a file that MNN does not read") from error
        self._net, self._expr, self._outputs, self.metadata = net, MNN.expr, manifest["outputs"], manifest["metadata"]
        self._runtime = runtime  # the network uses it and does not keep it alive
        self._turn = threading.Lock()  # a module of MNN keeps its tensors between two calls

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        expr = self._expr
        with self._turn:
            outputs = self._net.forward([expr.const(images, list(images.shape), expr.NCHW)])
            if len(outputs) != len(self._outputs):  # what MNN does instead of raising
                raise ValueError(f"expected images that the network takes, got {list(images.shape)}")
            converted = (expr.convert(output, expr.NCHW) for output in outputs)
            return [np.array(output.read()).reshape(output.shape) for output in converted]
