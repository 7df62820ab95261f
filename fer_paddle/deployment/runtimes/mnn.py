"""MNN, by its Python interface: its command lines install a package that reports their use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file, read_card
from fer_paddle.deployment.runtimes.packages import import_package

# Large Winograd tiles round too much for parity: up to 9e-4 in tiny YOLO's heads, 1e-5 with small ones, as fast.
WINOGRAD_MEMORY_LEVEL, SMALL_TILES = 3, 1


class MnnRunner:
    """Runs a network by MNN on the CPU.

    Args:
        path: `.mnn` with its card, or an `.onnx` that is converted first.
        threads: Threads of one run; 0 takes all cores.
        precision: "fp32", or "int8": weights of eight bits when an `.onnx` is converted.

    Raises:
        FileNotFoundError: There is no such file, or its card is missing.
        ValueError: The files are damaged, or MNN cannot convert the ONNX file.
        RuntimeError: MNN is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        path = check_file(path, [".mnn", ".onnx"], "mnn")
        import_package("MNN", "MNN")
        if path.suffix.lower() == ".onnx":
            from fer_paddle.deployment.convert import convert_onnx

            with tempfile.TemporaryDirectory() as folder:
                converted = Path(folder, "network.mnn")
                convert_onnx(path, converted, precision)
                self._load(converted, threads)
        else:
            self._load(path, threads)

    def _load(self, path: Path, threads: int) -> None:
        import MNN.expr
        import MNN.nn

        card = read_card(path)
        runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads or os.cpu_count()},))
        runtime.set_hint(WINOGRAD_MEMORY_LEVEL, SMALL_TILES)
        try:
            net = MNN.nn.load_module_from_file(str(path), card["inputs"], card["outputs"], runtime_manager=runtime)
        except (SystemError, ValueError, RuntimeError) as error:  # MNN leaves a SystemError behind
            raise ValueError(f"expected a network of MNN at {path}, got a file that MNN does not read") from error
        self._net, self._expr, self._outputs, self.metadata = net, MNN.expr, card["outputs"], card["metadata"]
        self._runtime = runtime  # the network uses it and does not keep it alive

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        expr = self._expr
        given = expr.const(np.ascontiguousarray(images, np.float32), list(images.shape), expr.NCHW)
        outputs = self._net.forward([given])
        if len(outputs) != len(self._outputs):  # what MNN does instead of raising
            raise ValueError(f"expected images that the network takes, got {list(images.shape)}")
        outputs = (expr.convert(output, expr.NCHW) for output in outputs)
        return [np.array(output.read()).reshape(output.shape) for output in outputs]
