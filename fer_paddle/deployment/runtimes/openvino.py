"""OpenVINO: reads the ONNX file as it is."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.onnx_graph import get_metadata, read_onnx
from fer_paddle.deployment.runtimes.base import Runner


class OpenVinoRunner(Runner):
    """Run an ONNX file on the CPU, in fp32 or, on processors that have it, bf16. A thread has its own request."""

    name, suffixes = "openvino", (".onnx",)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        # OpenVINO reports its import to Intel where a user has agreed to that once. Without this package it cannot.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        openvino = self.import_package()
        settings: dict[str, Any] = {
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
        self.metadata = get_metadata(read_onnx(path))
        self._own = threading.local()

    def _run(self, images: np.ndarray) -> Sequence[np.ndarray]:
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        return list(self._own.request.infer([images]).values())  # copies


class SignalStack(ctypes.Structure):
    """stack_t of Linux, see sigaltstack(2)."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Give this thread its signal stack back at the end of a `with` block; does nothing outside of Linux."""
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
