"""ONNX files read, given metadata, and made shorter or smaller without changing what they compute.

Source: ONNX Runtime's "basic" optimizations, https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from fer_paddle.deployment.runtimes.model_files import check_file

QUANTIZED = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
    "MatMulInteger",
}  # fmt: skip


def read_onnx(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Read a whole ONNX file; other files that it names are never opened."""
    path, model = check_file(path, (".onnx",), "onnx"), onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's DecodeError and onnx's ValidationError share no narrower base
        raise ValueError(f"expected an ONNX file at {path}, got: {' '.join(str(error).split())[:120]}") from error
    return model


def get_metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Return the text fields that a network carries."""
    return {field.key: field.value for field in model.metadata_props}


def add_metadata(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Add text fields to those that a network carries; a new value replaces an old one."""
    onnx.helper.set_model_props(model, get_metadata(model) | dict(metadata))


def read_settings(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node that are set, by name."""
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def read_constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the weights and other constants of a graph, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def makers_of(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """Return the node that computes each tensor, by its name."""
    return {name: node for node in graph.node for name in node.output}


def is_quantized(model: onnx.ModelProto) -> bool:
    """Return whether a network computes in int8 somewhere."""
    return bool(QUANTIZED & {node.op_type for node in model.graph.node})


def simplify(model: onnx.ModelProto, output_names: Sequence[str] | None = None) -> onnx.ModelProto:
    """Fold constants, batch normalization behind convolutions and computed shapes, in a copy; outputs get new names.

    ONNX Runtime does it at every start; runtimes that optimize less, and converters that know fewer operators, get
    the short graph too.
    """
    short = copy.deepcopy(model)
    _constants_to_initializers(short.graph)
    _flatten_instead_of_reshape(short.graph)
    _drop_dead_nodes(short.graph)
    short = _fold(short)
    _drop_unused_opsets(short)
    _fold_scale(short.graph)
    _transpose_linear(short.graph)
    short.ir_version = model.ir_version
    del short.metadata_props[:]
    short.metadata_props.extend(model.metadata_props)
    if output_names is not None:
        rename_outputs(short.graph, output_names)
    return short


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a smaller network with the same values: int8 weights folded, names cut short, equal constants shared."""
    small = copy.deepcopy(model)
    _constants_to_initializers(small.graph)
    _fold_weights(small.graph)
    _share_constants(small.graph)
    _drop_unread(small.graph)
    _shorten_names(small.graph)
    del small.graph.value_info[:]  # runtimes infer the shapes anew
    _drop_unused_opsets(small)
    onnx.checker.check_model(small)
    return small


def drop_idle_rounding(model: onnx.ModelProto) -> None:
    """Remove QuantizeLinear with DequantizeLinear behind it, in place, where no integer operator reads the result."""
    graph, outputs = model.graph, {output.name for output in model.graph.output}
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    constants = {tensor.name for tensor in graph.initializer}
    for first in [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constants]:
        seconds = readers[first.output[0]]
        reading = [reader for second in seconds for reader in readers[second.output[0]]]
        kept = any(second.op_type != "DequantizeLinear" or second.output[0] in outputs for second in seconds)
        if kept or any(reader.op_type in ("Conv", "Gemm", "MatMul") for reader in reading):
            continue
        for second in seconds:
            for reader in readers[second.output[0]]:
                reader.input[:] = [first.input[0] if name == second.output[0] else name for name in reader.input]
                readers[first.input[0]].append(reader)
            graph.node.remove(second)
        graph.node.remove(first)


def drop_gray_rounding(model: onnx.ModelProto) -> None:
    """Let convolutions of one input channel compute in float, in place; their weights stay int8.

    ONNX Runtime 1.23.2 sums them wrongly in integers on a processor with AMX: VGG8's first, of 24 outputs, cost 13
    points of accuracy.
    """
    graph, makers = model.graph, makers_of(model.graph)
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        weight, image = (makers.get(node.input[i]) for i in (1, 0))
        shape = shapes.get(weight.input[0] if weight else node.input[1], ())
        rounding = makers.get(image.input[0]) if image and image.op_type == "DequantizeLinear" else None
        if rounding and read_settings(node).get("group", 1) == 1 and list(shape[1:2]) == [1]:
            node.input[0] = rounding.input[0]
    _drop_dead_nodes(graph)


def rename_outputs(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """Rename the outputs of a graph in order, in place; ValueError where there are more or fewer."""
    if len(names) != len(graph.output):
        raise ValueError(f"expected names of {len(graph.output)} outputs, got {list(names)}")
    new = {output.name: name for output, name in zip(graph.output, names)}
    for output in graph.output:
        output.name = new[output.name]
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def _fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network as ONNX Runtime writes it after its basic optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "network.onnx")
        options.optimized_model_filepath = str(written)
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own error classes share no narrower base
            reason = " ".join(str(error).split())
            raise ValueError(f"expected a network that ONNX Runtime can read, got: {reason}") from error
        return onnx.load(written)


def _fold_scale(graph: onnx.GraphProto) -> None:
    """Scale the weights of the first convolution instead of the image: Mul, Add, Conv become Add, Conv."""
    if [node.op_type for node in graph.node[:3]] != ["Mul", "Add", "Conv"]:
        return
    scale, shift, conv = graph.node[:3]
    constants = read_constants(graph)
    values = [constants.get(node.input[1], np.zeros(0)) for node in (scale, shift, conv)]
    reads = Counter([*(name for node in graph.node for name in node.input), *(one.name for one in graph.output)])
    between = [*scale.output, *shift.output]
    chained = between == [shift.input[0], conv.input[0]] and all(reads[name] == 1 for name in between)
    if not chained or [value.size for value in values[:2]] != [1, 1] or not values[0].all() or not values[2].size:
        return
    for node, value in ((shift, values[1] / values[0]), (conv, values[2] * values[0])):
        node.input[1] += "_scaled"
        graph.initializer.append(numpy_helper.from_array(value, node.input[1]))
    shift.input[0] = scale.input[0]
    graph.node.remove(scale)
    _drop_unread(graph)


def _transpose_linear(graph: onnx.GraphProto) -> None:
    """Store the weights of linear layers as [out, in], as PyTorch's files do: OpenCV reads no others."""
    constants = read_constants(graph)
    for node in [node for node in graph.node if node.op_type == "Gemm" and node.input[1] in constants]:
        settings = read_settings(node)
        if settings.get("transB", 0):
            continue
        weights = np.ascontiguousarray(constants[node.input[1]].T)
        node.input[1] += "_transposed"
        graph.initializer.append(numpy_helper.from_array(weights, node.input[1]))
        del node.attribute[:]
        node.attribute.extend(onnx.helper.make_attribute(*one) for one in (settings | {"transB": 1}).items())
    _drop_unread(graph)


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        if "value" in (settings := read_settings(node)):
            graph.initializer.append(settings["value"])
            graph.initializer[-1].name = node.output[0]
            graph.node.remove(node)


def _flatten_instead_of_reshape(graph: onnx.GraphProto) -> None:
    """[N, ...] -> [N, -1]: paddle2onnx computes the shape from the input's, where Flatten says the same."""
    made_by, constants = makers_of(graph), read_constants(graph)
    for node in [node for node in graph.node if node.op_type == "Reshape"]:
        if _is_batch_and_rest(made_by.get(node.input[1]), node.input[0], made_by, constants):
            node.op_type = "Flatten"
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("axis", 1))
            del node.input[1:]


def _is_batch_and_rest(shape: onnx.NodeProto | None, features: str, made_by: dict, constants: dict) -> bool:
    """Return whether a node computes Concat(Shape(features)[0:1], [-1])."""
    if shape is None or shape.op_type != "Concat" or len(shape.input) != 2:
        return False
    first, rest = made_by.get(shape.input[0]), constants.get(shape.input[1])
    if rest is None or rest.tolist() != [-1] or first is None or first.op_type != "Slice" or len(first.input) < 3:
        return False
    whole = made_by.get(first.input[0])
    bounds = [constants.get(name, np.zeros(0)).tolist() for name in first.input[1:3]]
    return whole is not None and whole.op_type == "Shape" and whole.input[0] == features and bounds == [[0], [1]]


def _drop_dead_nodes(graph: onnx.GraphProto) -> None:
    """Remove what no output needs; nodes stand behind those that they read from."""
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
    _drop_unread(graph)


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _drop_unused_opsets(model: onnx.ModelProto) -> None:
    used = {node.domain for node in model.graph.node} | {""}
    opsets = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(opsets)


def _fold_weights(graph: onnx.GraphProto) -> None:
    """Replace QuantizeLinear of a constant, such as paddle2onnx writes for each weight, by its int8 result."""
    constants = read_constants(graph)
    for node in list(graph.node):
        if node.op_type != "QuantizeLinear" or not all(name in constants for name in node.input):
            continue
        values, scale, *zero_points = (constants[name] for name in node.input)
        zero_point = zero_points[0] if zero_points else np.zeros(scale.shape, np.uint8)
        shape = [1] * values.ndim
        if scale.ndim:
            shape[read_settings(node).get("axis", 1)] = -1
        limits = np.iinfo(zero_point.dtype)
        integers = np.round(values / scale.reshape(shape)) + zero_point.reshape(shape).astype(np.int32)
        integers = np.clip(integers, limits.min, limits.max).astype(zero_point.dtype)
        graph.initializer.append(numpy_helper.from_array(integers, node.output[0]))
        graph.node.remove(node)


def _share_constants(graph: onnx.GraphProto) -> None:
    """Keep one of several equal constants; constants that are outputs of the network stay as they are."""
    outputs = {output.name for output in graph.output}
    first: dict[tuple, str] = {}
    renamed: dict[str, str] = {}
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


def _shorten_names(graph: onnx.GraphProto) -> None:
    """Number the tensors and leave the nodes nameless; inputs and outputs of the network keep their names."""
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
