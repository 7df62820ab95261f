"""ncnn, made for phones and boards. Every image has an extractor of its own, so threads do not meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.base import Runner
from fer_paddle.deployment.runtimes.model_files import read_manifest

HALF_FLAGS = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
BFLOAT_FLAGS = ("use_bf16_packed", "use_bf16_storage")


class NcnnRunner(Runner):
    """Run a network on the CPU in fp32 or, where the processor can, fp16; one image after the other."""

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
