"""An ONNX graph made shorter without changing what it computes.

Source: ONNX Runtime's "basic" optimisations, https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def simplify(model: onnx.ModelProto, output_names: Sequence[str] | None = None) -> onnx.ModelProto:
    """Folds constants, batch normalisations behind convolutions and computed shapes.

    It does once what ONNX Runtime would do at every start, so that runtimes that optimise less, and converters
    that know fewer operators, get the short graph too.

    Args:
        model: A network of standard ONNX operators, not changed.
        output_names: New names of the outputs, in order; None keeps them.

    Returns:
        The shorter network with the same inputs, outputs and metadata.

    Raises:
        ValueError: It is no network that ONNX Runtime can read, or there are other than `output_names` outputs.
    """
    short = onnx.ModelProto()
    short.CopyFrom(model)
    _constants_to_initializers(short.graph)
    _flatten_instead_of_reshape(short.graph)
    _drop_dead_nodes(short.graph)
    short = _fold(short)
    used = {node.domain for node in short.graph.node} | {""}
    opsets = [opset for opset in short.opset_import if opset.domain in used]
    del short.opset_import[:]
    short.opset_import.extend(opsets)
    short.ir_version = model.ir_version
    del short.metadata_props[:]
    short.metadata_props.extend(model.metadata_props)
    if output_names is not None:
        rename_outputs(short.graph, output_names)
    return short


def _fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network as ONNX Runtime writes it after its basic optimisations."""
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
            raise ValueError(
                f"expected a network that ONNX Runtime can read, got: {' '.join(str(error).split())}"
            ) from error
        return onnx.load(written)


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        (value,) = [one.t for one in node.attribute if one.name == "value"] or [None]
        if value is not None:
            tensor = graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            graph.node.remove(node)


def _flatten_instead_of_reshape(graph: onnx.GraphProto) -> None:
    """[N, ...] -> [N, -1]: paddle2onnx computes the shape from the input's, where Flatten says the same."""
    made_by = {output: node for node in graph.node for output in node.output}
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Reshape"]:
        if _is_batch_and_rest(made_by.get(node.input[1]), node.input[0], made_by, constants):
            node.op_type = "Flatten"
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("axis", 1))
            del node.input[1:]


def _is_batch_and_rest(shape: onnx.NodeProto | None, features: str, made_by: dict, constants: dict) -> bool:
    """Whether a node computes Concat(Shape(features)[0:1], [-1])."""
    if shape is None or shape.op_type != "Concat" or len(shape.input) != 2:
        return False
    first, rest = made_by.get(shape.input[0]), constants.get(shape.input[1])
    if rest is None or rest.tolist() != [-1] or first is None or first.op_type != "Slice" or len(first.input) < 3:
        return False
    whole = made_by.get(first.input[0])
    bounds = [constants.get(name, np.zeros(0)).tolist() for name in first.input[1:3]]
    return whole is not None and whole.op_type == "Shape" and whole.input[0] == features and bounds == [[0], [1]]


def _drop_dead_nodes(graph: onnx.GraphProto) -> None:
    """Removes what no output needs; nodes stand behind those that they read from."""
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
    unread = [tensor for tensor in graph.initializer if tensor.name not in needed]
    for tensor in unread:
        graph.initializer.remove(tensor)


def rename_outputs(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """Gives the outputs of a graph new names, in order, in place.

    Raises:
        ValueError: There are more or fewer outputs.
    """
    if len(names) != len(graph.output):
        raise ValueError(f"expected names of {len(graph.output)} outputs, got {list(names)}")
    new = {output.name: name for output, name in zip(graph.output, names)}
    for output in graph.output:
        output.name = new[output.name]
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
