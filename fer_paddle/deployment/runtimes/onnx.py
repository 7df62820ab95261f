"""ONNX Runtime, the default runtime, and TensorRT as its provider. A session may run in several threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.base import Runner


class OnnxRunner(Runner):
    """Run an ONNX file with one input, in what the file says, which may be int8."""

    name, package, suffixes = "onnx", "onnxruntime", (".onnx",)

    def _providers(self, precision: str) -> list[str | tuple[str, dict[str, Any]]]:
        """List ONNX Runtime's execution providers, the most wanted first; each must be there."""
        return ["CPUExecutionProvider"]

    def _load(self, path: Path, threads: int, precision: str) -> None:
        onnxruntime, providers = self.import_package(), self._providers(precision)
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        if missing := [name for name in names if name not in onnxruntime.get_available_providers()]:
            there = ", ".join(onnxruntime.get_available_providers())
            raise RuntimeError(f"expected ONNX Runtime with {', '.join(missing)}, got one with {there}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Detector and classifier take turns: threads that spin while they wait take the cores from the other.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # From bytes, because ONNX Runtime would also read other files that the ONNX file names.
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own error classes share no narrower base
            raise ValueError(f"expected an ONNX file at {path}, got: {str(error).splitlines()[0]}") from error
        if (first := self._session.get_providers()[0]) != names[0]:  # ONNX Runtime fell back without an error
            raise RuntimeError(f"expected {names[0]} to start, got {first}: its libraries or its device are missing")
        self._session.disable_fallback()
        self._input = self._session.get_inputs()[0].name
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        return self._session.run(None, {self._input: images})


class TensorRtRunner(OnnxRunner):
    """Run an ONNX file by TensorRT; what it cannot do, CUDA does. Needs an NVIDIA GPU and onnxruntime-gpu."""

    name = "tensorrt"

    def _providers(self, precision: str) -> list[str | tuple[str, dict[str, Any]]]:
        return [("TensorrtExecutionProvider", {"trt_fp16_enable": precision == "fp16"}), "CUDAExecutionProvider"]
