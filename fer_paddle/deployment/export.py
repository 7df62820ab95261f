"""A Paddle network as an ONNX file that says itself how to use it. Knows no task.

Source: paddle2onnx 1.3.1, https://github.com/PaddlePaddle/Paddle2ONNX.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fer_paddle.environment import paddle

OPSET = 13
LARGEST_DIFFERENCE = 1e-4


def export_onnx(
    network: paddle.nn.Layer,
    path: str | os.PathLike[str],
    input_spec: Mapping[str, Sequence[int | None]],
    metadata: Mapping[str, str],
    example: Mapping[str, np.ndarray],
) -> float:
    """Writes a network as ONNX, and compares it with Paddle before the file gets its name.

    Args:
        network: The network; it is put into eval mode.
        path: The file to write, `.onnx`.
        input_spec: Shape of each float32 input by name, None for a free axis.
        metadata: Text kept inside the file, such as classes and normalisation.
        example: One float32 array for each input, on which ONNX Runtime and Paddle are compared.

    Returns:
        The largest absolute difference of any output on the example.

    Raises:
        ValueError: The path does not end in `.onnx`.
        RuntimeError: ONNX Runtime and Paddle differ by more than LARGEST_DIFFERENCE.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"expected a file name that ends in .onnx, got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    network.eval()
    specs = [paddle.static.InputSpec([*shape], "float32", name) for name, shape in input_spec.items()]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        exported = Path(folder, "network.onnx")
        paddle.onnx.export(network, str(exported.with_suffix("")), input_spec=specs, opset_version=OPSET)
        _add_metadata(exported, metadata)
        difference = _compare(network, exported, example)
        if not difference <= LARGEST_DIFFERENCE:
            raise RuntimeError(
                f"expected ONNX within {LARGEST_DIFFERENCE} of Paddle, got a difference of {difference:.3g}"
            )
        os.replace(exported, path)
    return difference


def _add_metadata(path: Path, metadata: Mapping[str, str]) -> None:
    """Checks the file and writes text fields into it."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _compare(network: paddle.nn.Layer, path: Path, example: Mapping[str, np.ndarray]) -> float:
    """The largest absolute difference between Paddle and ONNX Runtime over all outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    with paddle.no_grad():
        ours = network(*(paddle.to_tensor(array) for array in example.values()))
    ours = [tensor.numpy() for tensor in (ours if isinstance(ours, (list, tuple)) else [ours])]
    theirs = session.run(None, dict(example))
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
