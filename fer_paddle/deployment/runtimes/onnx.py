"""ONNX Runtime, the default runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from fer_paddle.deployment.runtimes.inputs import check_images
from fer_paddle.deployment.runtimes.model_files import check_file
from fer_paddle.deployment.runtimes.packages import import_package

CPU = ("CPUExecutionProvider",)


class OnnxRunner:
    """Runs an ONNX file with one input.

    Args:
        path: The file.
        threads: Threads of one run; 0 lets ONNX Runtime choose.
        precision: "fp32": as the file says, which may be int8.
        providers: ONNX Runtime's execution providers, the most wanted first; each must be there.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that ONNX Runtime can run.
        RuntimeError: ONNX Runtime is not installed, has no such provider, or the provider does not start.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        threads: int = 0,
        precision: str = "fp32",
        providers: Sequence[str | tuple[str, dict]] = CPU,
    ):
        path = check_file(path, [".onnx"], "onnx")
        onnxruntime = import_package("onnxruntime", "onnxruntime")
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
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=list(providers))
        except Exception as error:  # ONNX Runtime's own error classes share no narrower base
            raise ValueError(f"expected an ONNX file at {path}, got: {str(error).splitlines()[0]}") from error
        if (first := self._session.get_providers()[0]) != names[0]:  # ONNX Runtime fell back without an error
            raise RuntimeError(f"expected {names[0]} to start, got {first}: its libraries or its device are missing")
        self._session.disable_fallback()
        self._input = self._session.get_inputs()[0].name
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, C, H, W] -> the network's outputs."""
        check_images(images, self.metadata)
        return self._session.run(None, {self._input: images})
