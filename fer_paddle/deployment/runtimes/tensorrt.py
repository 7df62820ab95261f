"""TensorRT through ONNX Runtime's provider: needs an NVIDIA GPU, onnxruntime-gpu and TensorRT."""

from __future__ import annotations

import os

from fer_paddle.deployment.runtimes.onnx import OnnxRunner


class TensorRtRunner(OnnxRunner):
    """Runs an ONNX file by TensorRT; what TensorRT cannot do, CUDA does.

    Args:
        path: The file.
        threads: Of the CPU's part; 0 lets ONNX Runtime choose.
        precision: "fp32", or "fp16" on the GPU's half-precision units.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that ONNX Runtime can run.
        RuntimeError: This ONNX Runtime has no TensorRT, or it does not start: its libraries or the GPU are missing.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0, precision: str = "fp32"):
        engine = ("TensorrtExecutionProvider", {"trt_fp16_enable": precision == "fp16"})
        super().__init__(path, threads, precision, [engine, "CUDAExecutionProvider"])
