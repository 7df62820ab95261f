"""ncnn, MNN and LiteRT, made for phones and boards. Every thread runs apart from the others, or in turns."""

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

HALF_FLAGS = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
BFLOAT_FLAGS = ("use_bf16_packed", "use_bf16_storage")


class NcnnRunner(Runner):
    """Run a network on the CPU in fp32 or, where the processor can, fp16; an image has an extractor of its own."""

    name, suffixes, converts_onnx = "ncnn", (".param",), True

    def _load(self, path: Path, threads: int, precision: str) -> None:
        ncnn, manifest = self.import_package(), read_manifest(path)
        net = ncnn.Net()
        self._configure(net, threads or ncnn.get_physical_cpu_count(), precision)
        if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
            raise ValueError(f"expected a network of ncnn at {path}, got a file that ncnn does not read")
        (self._input,) = manifest["inputs"]
        self._net, self._outputs, self.metadata, self._mat = net, manifest["outputs"], manifest["metadata"], ncnn.Mat

    def _configure(self, net: Any, threads: int, precision: str) -> None:
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = threads
        for flag in HALF_FLAGS:
            setattr(net.opt, flag, precision == "fp16")
        for flag in BFLOAT_FLAGS:
            setattr(net.opt, flag, False)

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        rows = [self._run_one(image) for image in images]
        return [np.stack(parts) for parts in zip(*rows)]

    def _run_one(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of one image [C, H, W] without a batch axis."""
        extractor = self._net.create_extractor()
        extractor.input(self._input, self._mat(image).clone())  # the clone has ncnn's own alignment
        outputs = []
        for name in self._outputs:
            code, found = extractor.extract(name)
            if code:
                raise ValueError(f"expected images that the network takes, got {list(image.shape)}")
            outputs.append(np.array(found))
        return outputs


# Large Winograd tiles round too much for parity: up to 9e-4 in tiny YOLO's heads, 1e-5 with small ones, as fast.
WINOGRAD_MEMORY_LEVEL, SMALL_TILES = 3, 1


class MnnRunner(Runner):
    """Run a network on the CPU; "int8" stores the weights of a converted `.onnx` in eight bits.

    By MNN's Python interface: its command lines install a package that reports their use.
    """

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


class LiteRtRunner(Runner):
    """Run a `.tflite` file on the CPU, in what the file says, which may be int8; one image after the other."""

    name, package, suffixes = "litert", "ai_edge_litert", (".tflite",)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        self.import_package()
        from ai_edge_litert.interpreter import Interpreter

        self._open = partial(Interpreter, model_content=path.read_bytes(), num_threads=threads or os.cpu_count())
        self._own, self.metadata = threading.local(), read_manifest(path)["metadata"]
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
