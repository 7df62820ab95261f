"""Runtimes: a network file as a function of arrays, behind one class.

| name | what runs | files it reads |
|---|---|---|
| onnx | ONNX Runtime | .onnx |
| openvino | OpenVINO | .onnx |
| ncnn | ncnn | .param with .bin, .onnx |
| mnn | MNN | .mnn, .onnx |
| paddle | Paddle Inference with oneDNN | .pdmodel with .pdiparams (int8 too), .safetensors |
| dynamic | Paddle as in training | .safetensors |
| litert | LiteRT | .tflite |
| tensorrt | TensorRT by ONNX Runtime's provider | .onnx |
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

import numpy as np

from fer_paddle import environment
from fer_paddle.deployment.runtimes.base import LOAD_BYTES, Runner, bounded_memory
from fer_paddle.deployment.runtimes.model_files import check_file, read_manifest, size_on_disk
from fer_paddle.files import is_number
from fer_paddle.labels import look_up
from fer_paddle.weights import NETWORK_OF, check_task, find_weights, load_card

# Name -> module and class, which is imported, and its package with it, when it is asked for; and what it can compute
# in, first the precision to compare with others. A quantized file is int8 by itself.
RUNTIMES = {
    "onnx": ("onnx", "OnnxRunner", ("fp32",)),
    "openvino": ("openvino", "OpenVinoRunner", ("fp32", "bf16")),
    "ncnn": ("mobile", "NcnnRunner", ("fp32", "fp16")),
    "mnn": ("mobile", "MnnRunner", ("fp32", "int8")),
    "paddle": ("paddle", "PaddleInferenceRunner", ("fp32", "bf16")),
    "dynamic": ("paddle", "NetworkRunner", ("fp32",)),
    "litert": ("mobile", "LiteRtRunner", ("fp32",)),
    "tensorrt": ("onnx", "TensorRtRunner", ("fp32", "fp16")),
}
RUNTIME_OF = {
    ".onnx": "onnx",
    ".pdmodel": "paddle",
    ".param": "ncnn",
    ".mnn": "mnn",
    ".tflite": "litert",
    ".safetensors": "dynamic",
}
PADDLES = ("paddle", "dynamic")  # which also run a `.safetensors` network that a task can load


def choose_runtime(path: str | os.PathLike[str] | None, runtime: str | None = None, threads: int | None = None) -> str:
    """Return the runtime asked for, else the one that a file was made for; Paddle's threads are set before its import.

    Args:
        path: The file; None, and the name of a network that ships, are ONNX.
        runtime: One of RUNTIMES, or None.
        threads: Threads of Paddle; None and 0 leave the environment's choice.
    """
    runtime = runtime or RUNTIME_OF.get(Path(path or "").suffix.lower(), "onnx")
    if threads and runtime in PADDLES:
        environment.prepare(threads)
    return runtime


def network_file(weights: str | os.PathLike[str], task: str, runtime: str | None = None) -> Path:
    """Return the file of a network that ships, by name, as a runtime reads it; a path stays as it is."""
    suffix = ".safetensors" if runtime in PADDLES else ".tflite" if runtime == "litert" else ".onnx"
    return find_weights(weights, task, suffix)


@contextmanager
def used_as(task: str, told: Mapping[str, str], path: object) -> Iterator[None]:
    """Turn what goes wrong with a network of another task into one line; `told` is what it says of itself."""
    try:
        yield
    except Exception as error:  # the runtimes' own errors share no narrower base
        check_task(told, task, path)
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"expected {NETWORK_OF[task]} at {path}, got another network: {reason}") from error


def check_outputs(runner: Runner, image_chw: tuple[int, int, int], count: int) -> None:
    """Run a network on one empty image; ValueError where it does not answer by `count` numbers, or so many a cell."""
    outputs = runner(np.zeros((1, *image_chw), np.float32))
    if outputs[0].shape[:2] != (1, count):
        raise ValueError(f"expected {count} numbers, got an output {list(outputs[0].shape)}")


def load_runner(
    path: str | os.PathLike[str],
    runtime: str | None = None,
    threads: int = 0,
    precision: str = "fp32",
    loader: str = "",
) -> Runner:
    """Load a network file.

    Args:
        path: The file; the table at the head of this module says which runtime reads which.
        runtime: One of RUNTIMES; None takes the one that the file was made for, else ONNX Runtime.
        threads: Threads of one run; 0 lets the runtime choose.
        precision: One of those in RUNTIMES: what it computes in.
        loader: "module:function" that reads a `.safetensors` network of a task as a Model, for PADDLES.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The runtime or its precision is unknown, threads are negative, or the file is not one that the
            runtime reads, damaged, or a pickle.
        RuntimeError: The runtime's package is not installed.
    """
    runtime = choose_runtime(path, runtime)
    module, name, precisions = look_up(RUNTIMES, runtime, "a runtime of {}")
    if precision not in precisions:
        raise ValueError(f"expected a precision of {', '.join(precisions)} for {runtime}, got {precision!r}")
    if not is_number(threads, Integral) or not 0 <= threads <= environment.MAX_THREADS:
        raise ValueError(f"expected threads in 0..{environment.MAX_THREADS}, got {threads!r}")
    try:
        loaded = importlib.import_module(f"{__name__}.{module}")
        if loader and runtime in PADDLES and Path(path).suffix.lower() == ".safetensors":
            model = pkgutil.resolve_name(loader)(check_file(path, (".safetensors",), runtime))
            runner = loaded.run_model(model, runtime, threads, precision)
            runner._made_of = load_runner, (path, runtime, threads, precision, loader)
            return runner
    except ModuleNotFoundError as error:
        package = {"paddle": "paddlepaddle"}.get(error.name or "", error.name)
        raise RuntimeError(
            f"expected the package {package} for the runtime {runtime} (pip install {package})"
        ) from error
    if runtime == "dynamic":
        raise ValueError(f"expected a file .safetensors for the runtime dynamic, got {path}")
    # A network of some hundred bytes can ask for any memory: constants to fill, shapes to compute.
    with bounded_memory(LOAD_BYTES + 16 * size_on_disk(path)):
        loaded_runner: Runner = getattr(loaded, name)(path, threads, precision)
        try:
            loaded_runner.try_once()
        except Exception as error:  # the runtimes' own errors share no narrower base
            reason = " ".join(str(error).split())[-200:]
            raise ValueError(f"expected a network at {path} that {runtime} can run, got: {reason}") from error
    return loaded_runner


def read_metadata(path: Path) -> Mapping[str, str]:
    """Return what the file of a network says of itself, or the card beside it; Paddle is not needed."""
    if path.suffix.lower() == ".onnx":
        return load_runner(path).metadata
    if path.suffix.lower() == ".safetensors":
        card = load_card(check_file(path, [".safetensors"], "paddle"))
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in card.items()}
    if not path.is_file():
        raise FileNotFoundError(f"expected a network, found no file at {path}")
    return read_manifest(path)["metadata"]
