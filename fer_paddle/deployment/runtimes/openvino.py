"""OpenVINO: reads the ONNX file as it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np

from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file
from fer_paddle.deployment.runtimes.packages import import_package
from fer_paddle.deployment.runtimes.signal_stack import signal_stack_kept


class OpenVinoRunner:
    """Runs an ONNX file with one input by OpenVINO on the CPU.

    Args:
        path: The file.
        threads: Threads of one run; 0 lets OpenVINO choose.
        precision: "fp32", or "bf16", which OpenVINO would take by itself on processors that have it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that OpenVINO can run.
        RuntimeError: OpenVINO is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        path = check_file(path, [".onnx"], "openvino")
        # OpenVINO reports its import to Intel where a user has agreed to that once. Without this package it cannot.
        sys.modules.setdefault("openvino_telemetry", None)
        openvino = import_package("openvino", "openvino")
        settings = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            # From bytes, because the file could name others.
            model = openvino.Core().read_model(path.read_bytes())
            with signal_stack_kept():
                self._network = openvino.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ValueError(f"expected an ONNX file at {path}, got: {str(error).splitlines()[-1]}") from error
        self.metadata = read_metadata(path)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        return list(self._network([images]).values())


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata inside an ONNX file that is known to be one."""
    import onnx

    return {one.key: one.value for one in onnx.load(path, load_external_data=False).metadata_props}
