"""ONNX Runtime, the default runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime


class OnnxRunner:
    """Runs an ONNX file with one input on the CPU.

    Args:
        path: The file.
        threads: Threads of one run; 0 lets ONNX Runtime choose.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that ONNX Runtime can run.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0):
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"expected an ONNX file, found none at {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Detector and classifier take turns: threads that spin while they wait take the cores from the other.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own error classes share no narrower base
            raise ValueError(f"expected an ONNX file at {path}, got: {str(error).splitlines()[0]}") from error
        self._input = self._session.get_inputs()[0].name
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        return self._session.run(None, {self._input: images})
