"""An ONNX network as ncnn's files: a `.param` text of layers and a `.bin` of their weights.

ncnn's own converter, pnnx, brings torch. The networks of this course use few operators, and each is one line here.
ncnn knows no batch axis: an axis of ONNX is one less in ncnn.

Source: https://github.com/Tencent/ncnn/wiki/operators and .../param-and-model-file-structure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from fer_paddle.deployment.onnx_graph import makers_of, read_constants, read_settings

MAGIC = 7767517
RAW, HALF = 0, 0x01306B47  # how the weights that follow are stored: float32, float16
SCALAR_KINDS = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3}


@dataclass
class _Layer:
    """One line of the `.param`: kind, blobs read and written, numbered parameters, weights."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    params: dict[int, Any] = field(default_factory=dict)
    weights: list[tuple[np.ndarray, bool]] = field(default_factory=list)  # and whether a storage flag stands before


def to_ncnn(model: onnx.ModelProto, half: bool = False) -> tuple[str, bytes]:
    """Translate a network."""
    constants = read_constants(model.graph)
    layers = [_input(one) for one in model.graph.input if one.name not in constants]
    for node in _fuse_shuffles(model.graph, constants):
        if node.op_type not in TRANSLATIONS:
            known = ", ".join(sorted(TRANSLATIONS))
            raise ValueError(f"expected operators that have a translation to ncnn ({known}), got {node.op_type}")
        layers.append(TRANSLATIONS[node.op_type](_Node(node, constants)))
    layers = _split_shared_blobs(_fuse_relu(layers), {one.name for one in model.graph.output})
    return _param_text(layers), _weights_bytes(layers, half)


def _fuse_shuffles(graph: onnx.GraphProto, constants: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """Put one node for Reshape [N, groups, C, H, W], Transpose, Reshape back: the channels of ShuffleNet exchanged."""
    made_by = makers_of(graph)
    fused: dict[str, onnx.NodeProto] = {}
    dropped: set[str] = set()
    for last in graph.node:
        middle = made_by.get(last.input[0]) if last.op_type == "Reshape" else None
        first = made_by.get(middle.input[0]) if middle is not None and middle.op_type == "Transpose" else None
        if first is None or middle is None or first.op_type != "Reshape":
            continue
        order, shape = list(middle.attribute[0].ints), constants.get(first.input[1], np.zeros(0)).tolist()
        if order == [0, 2, 1, 3, 4] and len(shape) == 5:
            shuffle = onnx.helper.make_node("ChannelShuffle", first.input[:1], last.output, group=int(shape[1]))
            fused[last.output[0]] = shuffle
            dropped |= {first.output[0], middle.output[0]}
    return [fused.get(node.output[0], node) for node in graph.node if node.output[0] not in dropped]


class _Node:
    """One ONNX node with its attributes, and its constant inputs as arrays."""

    def __init__(self, node: onnx.NodeProto, constants: dict[str, np.ndarray]):
        self.kind, self.settings, self.outputs = node.op_type, read_settings(node), list(node.output)
        self.inputs = [name for name in node.input if name and name not in constants]
        self.arrays = [constants[name] for name in node.input if name in constants]

    def layer(self, kind: str, params: dict[int, Any] | None = None, *weights: tuple[np.ndarray, bool]) -> _Layer:
        return _Layer(kind, self.inputs, self.outputs, params or {}, list(weights))

    def check(self, fits: bool) -> None:
        if not fits:
            got = f"settings {self.settings} and constants of shapes {[list(array.shape) for array in self.arrays]}"
            raise ValueError(f"expected a {self.kind} that has a translation to ncnn, got {got}")


def _input(value: onnx.ValueInfoProto) -> _Layer:
    """Return an input with its width, height and channels, 0 where they are free."""
    _, *sides = (one.dim_value for one in value.type.tensor_type.shape.dim)
    return _Layer("Input", [], [value.name], dict(enumerate(reversed(sides))))


def _convolution(node: _Node) -> _Layer:
    weight, *bias = node.arrays
    node.check(weight.ndim == 4 and node.settings.get("auto_pad", b"NOTSET") == b"NOTSET")
    group = node.settings.get("group", 1)
    kernel_h, kernel_w = weight.shape[2:]
    dilation_h, dilation_w = node.settings.get("dilations", (1, 1))
    params = {0: weight.shape[0], 1: kernel_w, 11: kernel_h, 2: dilation_w, 12: dilation_h}
    params |= _window(node, 3, pads=(4, 14, 15, 16)) | {5: len(bias), 6: weight.size}
    params |= {7: group} if group > 1 else {}
    weights = [(weight, True), *((one, False) for one in bias)]
    return node.layer("ConvolutionDepthWise" if group > 1 else "Convolution", params, *weights)


def _window(node: _Node, stride: int, pads: Sequence[int]) -> dict[int, int]:
    """Return strides and pads of a window, these by their numbers for left, top, right and bottom."""
    stride_h, stride_w = node.settings.get("strides", (1, 1))
    top, left, bottom, right = node.settings.get("pads", (0, 0, 0, 0))
    return {stride: stride_w, stride + 10: stride_h} | dict(zip(pads, (left, top, right, bottom)))


def _pool(node: _Node) -> _Layer:
    node.check(set(node.settings.get("dilations", (1,))) == {1} and len(node.outputs) == 1)
    is_average = node.kind == "AveragePool"
    kernel_h, kernel_w = node.settings["kernel_shape"]
    params = {0: int(is_average), 1: kernel_w, 11: kernel_h} | _window(node, 2, pads=(3, 13, 14, 15))
    params |= {5: int(not node.settings.get("ceil_mode", 0))}  # 1 rounds down
    params |= {6: node.settings.get("count_include_pad", 0)} if is_average else {}
    return node.layer("Pooling", params)


def _batch_norm(node: _Node) -> _Layer:
    scale, shift, mean, variance = node.arrays
    params = {0: scale.size, 1: node.settings.get("epsilon", 1e-5)}
    return node.layer("BatchNorm", params, (scale, False), (mean, False), (variance, False), (shift, False))


def _linear(node: _Node) -> _Layer:
    weight, *bias = node.arrays
    settings = {"alpha": 1, "beta": 1, "transA": 0, "transB": 0} | node.settings
    node.check(len(node.inputs) == 1 and not settings["transA"] and settings["alpha"] == settings["beta"] == 1)
    weight = weight if settings["transB"] else weight.T  # ncnn wants [out, in]
    params = {0: weight.shape[0], 1: len(bias), 2: weight.size}
    return node.layer("InnerProduct", params, (weight, True), *((one, False) for one in bias))


def _arithmetic(node: _Node) -> _Layer:
    params: dict[int, Any] = {0: SCALAR_KINDS[node.kind]}
    if len(node.inputs) == 1:  # with a number
        (array,) = node.arrays
        node.check(array.size == 1 and node.kind in ("Add", "Mul"))
        params |= {1: 1, 2: float(array.reshape(()))}
    return node.layer("BinaryOp", params)


def _concat(node: _Node) -> _Layer:
    node.check(node.settings["axis"] >= 1 and not node.arrays)
    return node.layer("Concat", {0: node.settings["axis"] - 1})


def _flatten(node: _Node) -> _Layer:
    node.check(node.settings.get("axis", 1) == 1)
    return node.layer("Flatten")


def _resize(node: _Node) -> _Layer:
    scales = [array for array in node.arrays if array.size == 4]
    modes = (node.settings.get("mode"), node.settings.get("coordinate_transformation_mode"))
    is_nearest = modes == (b"nearest", b"asymmetric") and node.settings.get("nearest_mode") == b"floor"
    node.check(len(scales) == 1 and is_nearest)
    *_, scale_h, scale_w = scales[0].tolist()
    return node.layer("Interp", {0: 1, 1: scale_h, 2: scale_w})


def _reduction(node: _Node) -> _Layer:
    axes = node.settings.get("axes") or (0,)
    node.check(min(axes) >= 1 and bool(node.settings.get("keepdims", 1)) and not node.arrays)
    operation = {"ReduceMean": 3, "ReduceMax": 4}[node.kind]
    return node.layer("Reduction", {0: operation, 1: 0, -23303: [axis - 1 for axis in axes], 4: 1, 5: 1})


def _split(node: _Node) -> _Layer:
    sizes = node.arrays[0].tolist() if node.arrays else list(node.settings.get("split", ()))
    node.check(node.settings.get("axis", 0) >= 1 and bool(sizes))
    return node.layer("Slice", {-23300: sizes, 1: node.settings["axis"] - 1})


def _clip(node: _Node) -> _Layer:
    node.check(len(node.arrays) == 2)
    low, high = (float(bound) for bound in node.arrays)
    return node.layer("Clip", {0: low, 1: high})


# By ONNX operator, a function from its node to the ncnn layer; another entry teaches another operator.
TRANSLATIONS: dict[str, Callable[[_Node], _Layer]] = {
    "Conv": _convolution,
    "BatchNormalization": _batch_norm,
    "Elu": lambda node: node.layer("ELU", {0: node.settings.get("alpha", 1.0)}),
    "Relu": lambda node: node.layer("ReLU"),
    "LeakyRelu": lambda node: node.layer("ReLU", {0: node.settings.get("alpha", 0.01)}),
    "Sigmoid": lambda node: node.layer("Sigmoid"),
    "HardSigmoid": lambda node: node.layer(
        "HardSigmoid", {0: node.settings.get("alpha", 0.2), 1: node.settings.get("beta", 0.5)}
    ),
    "HardSwish": lambda node: node.layer("HardSwish", {0: 1 / 6, 1: 0.5}),
    "Clip": _clip,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": lambda node: node.layer("Pooling", {0: 1, 4: 1}),
    "Flatten": _flatten,
    "Gemm": _linear,
    "MatMul": _linear,
    **dict.fromkeys(SCALAR_KINDS, _arithmetic),
    "ChannelShuffle": lambda node: node.layer("ShuffleChannel", {0: node.settings["group"]}),
    "Concat": _concat,
    "Split": _split,
    "ReduceMean": _reduction,
    "ReduceMax": _reduction,
    "Resize": _resize,
}


def _fuse_relu(layers: list[_Layer]) -> list[_Layer]:
    """Let a convolution do the ReLU that alone reads it: one pass over memory less."""
    reads = Counter(name for layer in layers for name in layer.inputs)
    made_by = {name: layer for layer in layers for name in layer.outputs}
    kept = []
    for layer in layers:
        before = made_by.get(layer.inputs[0]) if layer.kind == "ReLU" else None
        if before is None or not before.kind.startswith("Convolution") or reads[layer.inputs[0]] > 1:
            kept.append(layer)
            continue
        slope = layer.params.get(0)
        before.params |= {9: 1} if slope is None else {9: 2, -23310: [slope]}
        before.outputs = layer.outputs
    return kept


def _split_shared_blobs(layers: list[_Layer], outputs: set[str]) -> list[_Layer]:
    """Add a Split, whose copies cost nothing, where several layers read a blob: ncnn lets only one."""
    reads = Counter(name for layer in layers for name in layer.inputs)
    copies: dict[str, list[str]] = {}
    result = []
    for layer in layers:
        layer.inputs = [copies[name].pop(0) if name in copies else name for name in layer.inputs]
        result.append(layer)
        for place, name in enumerate(layer.outputs):
            kept = [name] if name in outputs else []  # an output of the network keeps its name
            if reads[name] + len(kept) > 1:
                copies[name] = [f"{name}_copy{number}" for number in range(reads[name])]
                whole = f"{name}_whole" if kept else name
                layer.outputs[place] = whole
                result.append(_Layer("Split", [whole], kept + copies[name]))
    return result


def _param_text(layers: list[_Layer]) -> str:
    blobs = {name for layer in layers for name in layer.outputs}
    lines = [str(MAGIC), f"{len(layers)} {len(blobs)}"]
    for number, layer in enumerate(layers):
        params = " ".join(f"{key}={_say(value)}" for key, value in layer.params.items())
        names = " ".join((*layer.inputs, *layer.outputs))
        counts = f"{len(layer.inputs)} {len(layer.outputs)}"
        lines.append(f"{layer.kind:24} {layer.kind.lower()}_{number} {counts} {names} {params}".rstrip())
    return "\n".join(lines) + "\n"


def _say(value: Any) -> str:
    if isinstance(value, list):
        return ",".join([str(len(value)), *map(_say, value)])
    return f"{value:.8e}" if isinstance(value, float) else str(value)


def _weights_bytes(layers: list[_Layer], half: bool) -> bytes:
    parts = []
    for layer in layers:
        for array, is_flagged in layer.weights:
            if is_flagged:
                parts.append(np.uint32(HALF if half else RAW).tobytes())
            stored = np.ascontiguousarray(array, np.float16 if half and is_flagged else np.float32).tobytes()
            parts.append(stored + bytes(-len(stored) % 4))  # every part begins at a multiple of 4
    return b"".join(parts)
