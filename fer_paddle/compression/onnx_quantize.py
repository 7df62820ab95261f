"""ONNX Runtime's static quantization of an ONNX file, without Paddle.

Weights become symmetric int8 with a scale for each output channel, activations asymmetric int8 with one scale, in
QuantizeLinear and DequantizeLinear nodes (QDQ) around convolutions and matrix products.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from fer_paddle.compression.activation_ranges import check_batches
from fer_paddle.deployment.onnx_graph import (
    add_metadata,
    compact,
    drop_gray_rounding,
    get_metadata,
    is_quantized,
    makers_of,
    read_onnx,
)
from fer_paddle.environment import quiet
from fer_paddle.files import temporary_folder

METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
# Others, such as the sum of two branches, gain little in size and cost accuracy: ELU has no int8 form.
QUANTIZED = ("Conv", "Gemm", "MatMul")


class CalibrationBatches:
    """Calibration batches float32 [N, C, H, W] as ONNX Runtime's quantizer reads them; `name` is the input's."""

    def __init__(self, name: str, batches: Sequence[np.ndarray]):
        self._name, self._batches = name, batches
        self.set_range(0, len(batches))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on with the batches from start_index up to, without, end_index."""
        self._rest = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch by the input's name; None after the last."""
        batch = next(self._rest, None)
        return None if batch is None else {self._name: np.asarray(batch, np.float32)}


def quantize_onnx(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    batches: Sequence[np.ndarray],
    method: str = "minmax",
    keep_last: bool = False,
) -> Path:
    """Write a float ONNX file in int8, its metadata inside, and return the path.

    `batches` are calibration images as the network gets them, float32 [N, C, H, W]; `method`, of METHODS, chooses the
    ranges of activations. `keep_last` leaves the last layer before each output in float.
    """
    from onnxruntime import quantization

    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}, got {method!r}")
    check_batches(batches)
    model, path = read_onnx(source), Path(path)
    if is_quantized(model):
        raise ValueError(f"expected a float network to quantize, got a quantized one in {source}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path) as folder, quiet():
        prepared, written = folder / "prepared.onnx", folder / "network.onnx"
        # Infers shapes and folds batch normalizations. Symbolic inference is for transformers; on a network of any
        # height and width it ends in "Incomplete symbolic shape inference".
        quantization.quant_pre_process(str(source), prepared, skip_symbolic_shape=True)
        named = _name_nodes(prepared)
        quantization.quantize_static(
            prepared,
            written,
            CalibrationBatches(model.graph.input[0].name, batches),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=last_layers(named) if keep_last else [],
            calibrate_method=getattr(quantization.CalibrationMethod, METHODS[method]),
            # Batch by batch, else all activations of all images lie in memory at once.
            extra_options={"CalibStridedMinMax": 1, "CalibTensorRangeSymmetric": False},
        )
        small = compact(onnx.load(written))
        drop_gray_rounding(small)
        fields = get_metadata(model)
        images = sum(len(batch) for batch in batches)
        fields["quantized"] = f"int8 QDQ by ONNX Runtime, {method}, {images} calibration images"
        del small.metadata_props[:]
        add_metadata(small, fields)
        onnx.save(small, written)
        os.replace(written, path)
    return path


def last_layers(model: onnx.ModelProto) -> list[str]:
    """Return the names of the last convolution or matrix product before each output."""
    makers = makers_of(model.graph)
    found = []
    for output in model.graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type not in QUANTIZED:
            node = next((makers[name] for name in node.input if name in makers), None)
        if node is not None:
            found.append(node.name)
    return found


def _name_nodes(path: Path) -> onnx.ModelProto:
    """Give a name to every node without one: the quantizer excludes by name."""
    model = onnx.load(path)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"node{number}"
    onnx.save(model, path)
    return model
