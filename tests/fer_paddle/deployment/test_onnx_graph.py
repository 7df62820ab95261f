"""A simplified graph is shorter and gives the same bits."""

import numpy as np
import onnx
import pytest
from onnx import helper

from fer_paddle.deployment.onnx_graph import simplify
from tests.fer_paddle.small_onnx import make_onnx, make_tensors, run_onnx

RNG = np.random.default_rng(0)
SHAPE = (2, "h", "w")


def as_paddle_writes_it(rest=-1):
    """Convolution, BN, pool, a shape that is computed, MatMul and Add; weights as Constant nodes, one in vain."""
    arrays = {
        "w": RNG.normal(size=(6, 2, 3, 3)), "scale": RNG.random(6) + 0.5, "shift": RNG.normal(size=6),
        "mean": RNG.normal(size=6), "variance": RNG.random(6) + 0.5, "linear": RNG.normal(size=(6, 3)),
        "bias": RNG.normal(size=3), "nobody": RNG.normal(size=9),
    }  # fmt: skip
    arrays |= {"zero": [0], "one": [1], "rest": [rest]}
    nodes = [helper.make_node("Constant", [], [one.name], value=one) for one in make_tensors(arrays)]
    nodes += [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["c", "shape"], ["f"]),
        helper.make_node("MatMul", ["f", "linear"], ["g"]),
        helper.make_node("Add", ["g", "bias"], ["y"]),
    ]
    return make_onnx(nodes, {}, SHAPE, classes='["a"]')


def test_shorter_and_the_same_bits():
    model = as_paddle_writes_it()
    before = model.SerializeToString()
    short = simplify(model)
    assert model.SerializeToString() == before  # the original is left alone
    assert [node.op_type for node in short.graph.node] == ["Conv", "GlobalAveragePool", "Flatten", "Gemm"]
    assert [(opset.domain, opset.version) for opset in short.opset_import] == [("", 13)]
    assert {tensor.name for tensor in short.graph.initializer}.isdisjoint({"nobody", "zero", "rest"})
    assert {one.key: one.value for one in short.metadata_props} == {"classes": '["a"]'}
    onnx.checker.check_model(short)
    for batch in (1, 3):
        image = RNG.normal(size=(batch, 2, 8, 9)).astype(np.float32)
        np.testing.assert_array_equal(run_onnx(short, image)[0], run_onnx(model, image)[0])


@pytest.mark.parametrize(
    ("factor", "weights", "folded"),
    [([1 / 255], "w", True), ([0.0], "w", False), ([1 / 255] * 2, "w", False), ([1 / 255], "x", False)],
)
def test_the_scale_of_the_image_goes_into_the_first_convolution(factor, weights, folded):
    arrays = {"factor": np.reshape(factor, (-1, 1, 1)), "offset": np.float64(-0.5), "w": RNG.normal(size=(6, 2, 3, 3))}
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["a"]),
        helper.make_node("Add", ["a", "offset"], ["b"]),
        helper.make_node("Conv", ["b", weights], ["y"], pads=[1, 1, 1, 1]),  # of zeros: they are no pixels of 0
    ]
    model = make_onnx(nodes, {name: arrays[name] for name in ("factor", "offset", weights) if name in arrays}, SHAPE)
    short = simplify(model)
    assert (short.graph.node[0].op_type == "Add") == folded
    image = RNG.uniform(0, 255, (2, 2, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(run_onnx(short, image)[0], run_onnx(model, image)[0], atol=1e-5)


def test_other_reshapes_are_left():
    short = simplify(as_paddle_writes_it(rest=6))
    assert "Reshape" in [node.op_type for node in short.graph.node]


def test_outputs_get_names():
    short = simplify(as_paddle_writes_it(), ["logits"])
    assert [output.name for output in short.graph.output] == ["logits"]
    assert run_onnx(short, np.ones((2, 2, 8, 8), np.float32))[0].shape == (2, 3)
    with pytest.raises(ValueError, match="expected names of 1 outputs"):
        simplify(as_paddle_writes_it(), ["a", "b"])
