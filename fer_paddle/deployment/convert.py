"""An ONNX file in the format of another runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx

from fer_paddle.deployment.ncnn_graph import to_ncnn
from fer_paddle.deployment.onnx_graph import get_metadata, is_quantized, read_onnx, simplify
from fer_paddle.deployment.runtimes.model_files import write_manifest

ALLOWED = {".param": ("fp32", "fp16"), ".mnn": ("fp32", "int8")}
# In a process of its own: the converter prints, and ends the process where a file makes no sense to it.
_MNN_CONVERT = "import sys, MNN, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


def convert_onnx(source: str | os.PathLike[str], path: str | os.PathLike[str], precision: str = "fp32") -> None:
    """Write a float32 `.onnx` network as `.param` or `.mnn`, with its manifest; see export.convert_checked.

    The precision of stored weights is "fp32", for ncnn also "fp16", for MNN also "int8".
    """
    path = Path(path)
    if precision not in ALLOWED.get(path.suffix, ()):
        raise ValueError(f"expected .param in fp32 or fp16, or .mnn in fp32 or int8, got {path.name} in {precision}")
    model = simplify(read_onnx(source))
    if is_quantized(model):
        raise ValueError(f"expected a float32 network to convert, got a quantized one in {source}")
    if path.suffix == ".param":
        text, weights = to_ncnn(model, half=precision == "fp16")
        path.write_text(text, encoding="utf-8", newline="\n")
        path.with_suffix(".bin").write_bytes(weights)
    else:
        _convert_to_mnn(model, path, precision)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in constants]
    outputs = [one.name for one in model.graph.output]
    write_manifest(path, inputs, outputs, get_metadata(model) | {"precision": precision})


def _convert_to_mnn(model: onnx.ModelProto, path: Path, precision: str) -> None:
    source = path.with_name(f".{path.name}.onnx")
    settings = ["--weightQuantBits", "8"] if precision == "int8" else []
    try:
        onnx.save(model, source)
        files = ["--modelFile", str(source), "--MNNModel", str(path)]
        command = [sys.executable, "-c", _MNN_CONVERT, "-f", "ONNX", *files, *settings]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    finally:
        source.unlink(missing_ok=True)
    if done.returncode or not path.is_file():
        reason = " ".join((done.stdout + done.stderr).split())[-300:]
        raise RuntimeError(f"expected MNN to convert the network, it ended with {done.returncode}: {reason}")
