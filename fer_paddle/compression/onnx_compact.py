"""An ONNX file made smaller without changing what it computes: int8 weights folded, names cut short, copies shared.

In a quantised file of a small network the names and the copies of equal zero points outweigh a fifth of the weights.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """Gives a smaller network with the same inputs, outputs, metadata and values.

    Args:
        model: Any network, not changed.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    _constants_to_initializers(small.graph)
    _fold_weights(small.graph)
    _share_constants(small.graph)
    _drop_unused(small.graph)
    _shorten_names(small.graph)
    del small.graph.value_info[:]  # runtimes infer the shapes anew
    used = {node.domain for node in small.graph.node} | {""}
    opsets = [opset for opset in small.opset_import if opset.domain in used]
    del small.opset_import[:]
    small.opset_import.extend(opsets)
    onnx.checker.check_model(small)
    return small


def drop_idle_rounding(model: onnx.ModelProto, operators: Collection[str] = ("Conv", "Gemm", "MatMul")) -> None:
    """Removes QuantizeLinear with DequantizeLinear behind it where no integer operator reads the result.

    paddle2onnx also rounds the outputs of convolutions, before batch normalisation or ELU. Training with fake
    quantisation never saw that, and neither oneDNN nor OpenVINO needs it; ONNX Runtime does for its int8 convolution,
    and computes one without it in float.

    Args:
        model: A network with QDQ nodes, changed in place.
        operators: Kinds of nodes that run on whole numbers.
    """
    graph, outputs = model.graph, {output.name for output in model.graph.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    constants = {tensor.name for tensor in graph.initializer}
    for first in [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constants]:
        seconds = readers.get(first.output[0], [])
        reading = [reader for second in seconds for reader in readers.get(second.output[0], [])]
        kept = any(second.op_type != "DequantizeLinear" or second.output[0] in outputs for second in seconds)
        if kept or any(reader.op_type in operators for reader in reading):
            continue
        for second in seconds:
            for reader in readers.get(second.output[0], []):
                reader.input[:] = [first.input[0] if name == second.output[0] else name for name in reader.input]
                readers.setdefault(first.input[0], []).append(reader)
            graph.node.remove(second)
        graph.node.remove(first)


def add_metadata(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Adds text fields to those that the network carries; of the same name the new one stays."""
    fields = {field.key: field.value for field in model.metadata_props} | dict(metadata)
    onnx.helper.set_model_props(model, fields)


def read_onnx(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Reads a network.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a pickle, truncated, or no ONNX file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected an ONNX file, found none at {path}")
    content = path.read_bytes()
    if content[:1] == b"\x80" or content[:4] == b"PK\x03\x04":
        raise ValueError(f"expected an ONNX file at {path}, got a pickle: these can run code and are never loaded")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's DecodeError and onnx's ValidationError share no narrower base
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"expected a whole ONNX file at {path}, got: {reason}") from error
    return model


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        if node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)


def _fold_weights(graph: onnx.GraphProto) -> None:
    """Replaces QuantizeLinear of a constant, such as paddle2onnx writes for each weight, by its int8 result."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "QuantizeLinear" or not all(name in constants for name in node.input):
            continue
        values, scale, *zero_points = (numpy_helper.to_array(constants[name]) for name in node.input)
        zero_point = zero_points[0] if zero_points else np.zeros(scale.shape, np.uint8)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        shape = [1] * values.ndim
        if scale.ndim:
            shape[axis] = -1
        limits = np.iinfo(zero_point.dtype)
        whole = np.round(values / scale.reshape(shape)) + zero_point.reshape(shape).astype(np.int32)
        whole = np.clip(whole, limits.min, limits.max).astype(zero_point.dtype)
        graph.initializer.append(numpy_helper.from_array(whole, node.output[0]))
        graph.node.remove(node)


def _share_constants(graph: onnx.GraphProto) -> None:
    """Keeps one of several equal constants. Constants that are outputs of the network stay as they are."""
    outputs = {output.name for output in graph.output}
    first, renamed = {}, {}
    for tensor in list(graph.initializer):
        array = numpy_helper.to_array(tensor)
        key = (tensor.data_type, array.shape, array.tobytes())
        if key in first and tensor.name not in outputs:
            renamed[tensor.name] = first[key]
            graph.initializer.remove(tensor)
        else:
            first.setdefault(key, tensor.name)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def _shorten_names(graph: onnx.GraphProto) -> None:
    """Numbers the tensors within the network and leaves its nodes nameless; inputs and outputs keep their names."""
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
           for node in graph.node for attribute in node.attribute):  # fmt: skip
        return  # a branch or loop refers to tensors outside of it
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    for tensor in graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"t{len(names)}")
    for node in graph.node:
        node.name = node.doc_string = ""
        for side in (node.input, node.output):
            side[:] = [names.setdefault(name, f"t{len(names)}") for name in side]
