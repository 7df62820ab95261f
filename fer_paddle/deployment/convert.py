"""An ONNX file in the format of another runtime."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

from fer_paddle.deployment.ncnn_graph import to_ncnn
from fer_paddle.deployment.onnx_graph import get_metadata, is_quantized, read_onnx, simplify
from fer_paddle.deployment.runtimes.model_files import write_manifest

ALLOWED = {".param": ("fp32", "fp16"), ".mnn": ("fp32", "int8"), ".tflite": ("fp32", "fp16", "int8")}
TFLITE_PYTHON = "FER_TFLITE_PYTHON"  # names the Python of the environment that has onnx2tf
TFLITE_FOLDER = Path.home() / ".cache" / "fer_paddle" / "tflite"
TFLITE_PACKAGES = ("onnx2tf==2.6.9", "ai-edge-quantizer==0.10.0")  # in this order: their pins of one package differ
# In a process of its own: the converter prints, and ends the process where a file makes no sense to it.
_MNN_CONVERT = "import sys, MNN, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


def convert_onnx(source: str | os.PathLike[str], path: str | os.PathLike[str], precision: str = "fp32") -> None:
    """Write a float32 `.onnx` network as `.param`, `.mnn` or `.tflite`, with its manifest; see export.convert_checked.

    The precision of stored weights is "fp32", for ncnn also "fp16", for MNN also "int8", for LiteRT both.
    """
    path = Path(path)
    if precision not in ALLOWED.get(path.suffix, ()):
        known = ", ".join(f"{suffix} in {' or '.join(names)}" for suffix, names in ALLOWED.items())
        raise ValueError(f"expected {known}, got {path.name} in {precision}")
    model = simplify(read_onnx(source))
    if is_quantized(model):
        raise ValueError(f"expected a float32 network to convert, got a quantized one in {source}")
    if path.suffix == ".param":
        text, weights = to_ncnn(model, half=precision == "fp16")
        path.write_text(text, encoding="utf-8", newline="\n")
        path.with_suffix(".bin").write_bytes(weights)
    elif path.suffix == ".tflite":
        _convert_to_tflite(model, path, precision)
    else:
        settings = ["--weightQuantBits", "8"] if precision == "int8" else []
        command = [sys.executable, "-c", _MNN_CONVERT, *settings, "-f", "ONNX", "--MNNModel", str(path.resolve())]
        _run_converter("MNN", [*command, "--modelFile"], [], model, path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in constants]
    outputs = [one.name for one in model.graph.output]
    write_manifest(path, inputs, outputs, get_metadata(model) | {"precision": precision})


def _run_converter(name: str, command: list[str], rest: list[str], model: onnx.ModelProto, path: Path) -> None:
    """Write a network to `path` by another program; the `.onnx` file stands between `command` and `rest`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "network.onnx")
        onnx.save(model, source)
        # MNN keeps a file of its own in the working directory meanwhile, `.__convert_external_data.bin`.
        whole = [*command, str(source), *rest]
        done = subprocess.run(whole, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not path.is_file():
        reason = " ".join((done.stdout + done.stderr).split())[-300:]
        raise RuntimeError(f"expected {name} to convert the network, it ended with {done.returncode}: {reason}")


def find_tflite_python() -> Path:
    """Return the Python that converts to LiteRT; RuntimeError says how to make its environment."""
    folder = "Scripts" if os.name == "nt" else "bin"
    python = Path(os.environ.get(TFLITE_PYTHON) or TFLITE_FOLDER / folder / "python")
    if not python.is_file():
        made = f"python3.12 -m venv {TFLITE_FOLDER}"
        steps = [f"{TFLITE_FOLDER / folder / 'pip'} install {package}" for package in TFLITE_PACKAGES]
        raise RuntimeError(
            f"expected an environment for the conversion to .tflite at {python}, found none; "
            f"make it by: {' && '.join([made, *steps])}; or name its Python in {TFLITE_PYTHON}"
        )
    return python


def _convert_to_tflite(model: onnx.ModelProto, path: Path, precision: str) -> None:
    sides = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    if not all(sides):
        raise ValueError(f"expected a network of a fixed image size for {path.name}, got one that takes any")
    command = [str(find_tflite_python().absolute()), str(Path(__file__).with_name("tflite_convert.py"))]
    _run_converter("onnx2tf", command, [str(path.resolve()), precision], model, path)
