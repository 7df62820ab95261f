"""ncnn, made for phones and boards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file, read_card
from fer_paddle.deployment.runtimes.packages import import_package

HALF_FLAGS = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
BFLOAT_FLAGS = ("use_bf16_packed", "use_bf16_storage")


class NcnnRunner:
    """Runs a network by ncnn on the CPU, one image of the batch after the other: ncnn knows no batches.

    Args:
        path: `.param` with its `.bin` and card, or an `.onnx` that is translated first.
        threads: Threads of one run; 0 lets ncnn choose.
        precision: "fp32", or "fp16": where the processor can, weights and features as float16.

    Raises:
        FileNotFoundError: There is no such file, or its `.bin` or card is missing.
        ValueError: The files are damaged, or the ONNX file has an operator without a translation.
        RuntimeError: ncnn is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        path = check_file(path, [".param", ".onnx"], "ncnn")
        ncnn = import_package("ncnn", "ncnn")
        if path.suffix.lower() == ".onnx":
            from fer_paddle.deployment.convert import convert_onnx

            with tempfile.TemporaryDirectory() as folder:
                converted = Path(folder, "network.param")
                convert_onnx(path, converted, precision)
                self._load(ncnn, converted, threads, precision)
        else:
            self._load(ncnn, path, threads, precision)
        self._mat = ncnn.Mat

    def _load(self, ncnn: object, path: Path, threads: int, precision: str) -> None:
        card = read_card(path)
        net = ncnn.Net()
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = threads or ncnn.get_physical_cpu_count()
        for flag in HALF_FLAGS:
            setattr(net.opt, flag, precision == "fp16")
        for flag in BFLOAT_FLAGS:
            setattr(net.opt, flag, False)
        if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
            raise ValueError(f"expected a network of ncnn at {path}, got a file that ncnn does not read")
        (self._input,) = card["inputs"]
        self._net, self._outputs, self.metadata = net, card["outputs"], card["metadata"]

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        rows = [self._run_one(np.ascontiguousarray(image, np.float32)) for image in images]
        return [np.stack(parts) for parts in zip(*rows)]

    def _run_one(self, image: np.ndarray) -> list[np.ndarray]:
        """float32 [C, H, W] -> the outputs without a batch axis."""
        extractor = self._net.create_extractor()
        extractor.input(self._input, self._mat(image).clone())  # the clone has ncnn's own alignment
        outputs = []
        for name in self._outputs:
            code, found = extractor.extract(name)
            if code:
                raise ValueError(f"expected images that the network takes, got {list(image.shape)}")
            outputs.append(np.array(found))
        return outputs
