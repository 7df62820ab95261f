"""Small ONNX networks for tests: made of their nodes, and run by ONNX Runtime on one thread."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def make_onnx(nodes, arrays, input_shape, outputs=("y",), opset=13, name="x", **metadata):
    """A network with one input; `arrays` become float32, but for those of integers."""
    x = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *input_shape])
    ys = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs]
    graph = helper.make_graph(nodes, "test", [x], ys, make_tensors(arrays))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)
    ys = onnx.shape_inference.infer_shapes(model).graph.output  # where none has a shape, the checker refuses
    del model.graph.output[:]
    model.graph.output.extend(ys)
    helper.set_model_props(model, metadata)
    return model


def make_tensors(arrays):
    """The arrays as ONNX holds them."""
    found = {name: np.asarray(array) for name, array in arrays.items()}
    kinds = {name: array.dtype if array.dtype.kind == "i" else np.float32 for name, array in found.items()}
    return [numpy_helper.from_array(array.astype(kinds[name]), name) for name, array in found.items()]


def run_onnx(model, images, options=None):
    """The outputs of a network, or of the file of one."""
    content = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model.read_bytes()
    if options is None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})
