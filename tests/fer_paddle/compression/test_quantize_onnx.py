"""ONNX Runtime's road and the smaller files, on a network of two convolutions made here. No Paddle."""

import copy
import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from fer_paddle.compression import onnx_quantize as ort
from fer_paddle.compression import quant_params
from fer_paddle.compression.quantize import compare
from fer_paddle.deployment.onnx_graph import compact, drop_idle_rounding, read_onnx
from fer_paddle.files import write_json
from fer_paddle.weights import load_card
from tests.fer_paddle.small_onnx import make_onnx, run_onnx

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(24, 1, 12, 12)).astype(np.float32)
BATCHES = [IMAGES[:8], IMAGES[8:16]]


def make_network():
    """3x3 convolution, ELU, mean, 7 logits; the second of two equal constants is a copy."""
    arrays = {
        "conv.weight.with_a_long_name": RNG.normal(size=(16, 1, 3, 3)),
        "second.weight": RNG.normal(size=(16, 16, 3, 3)) / 8,
        "linear.weight": RNG.normal(size=(16, 7)),
        "bias": np.zeros(7),
        "copy": np.zeros(7),
    }
    nodes = [
        helper.make_node("Conv", ["images", "conv.weight.with_a_long_name"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Elu", ["a"], ["b"], "elu"),
        helper.make_node("Conv", ["b", "second.weight"], ["c"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"], "mean"),
        helper.make_node("Flatten", ["d"], ["e"], "flatten"),
        helper.make_node("Gemm", ["e", "linear.weight", "bias"], ["f"], "linear"),
        helper.make_node("Add", ["f", "copy"], ["logits"], "add"),
    ]
    return make_onnx(nodes, arrays, (1, 12, 12), ["logits"], name="images", classes="seven")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("float") / "network.onnx"
    onnx.save(make_network(), path)
    return path


def weights_of(model):
    """The int8 weights that DequantizeLinear nodes read, with their scales, by shape."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in arrays]
    pairs = [(arrays[node.input[0]], arrays[node.input[1]]) for node in nodes]
    return {whole.shape: (whole, scale) for whole, scale in pairs if whole.dtype == np.int8}


def test_compact_changes_no_value(network):
    model = onnx.load(network)
    small = compact(model)
    assert small.ByteSize() < model.ByteSize() and len(small.graph.initializer) == len(model.graph.initializer) - 1
    assert "images" in {value.name for value in small.graph.input}
    outputs = [run_onnx(one, IMAGES)[0] for one in (model, small)]
    assert np.array_equal(*outputs)


def test_compact_folds_quantized_weights():
    """What paddle2onnx leaves: a float weight, its scale as a Constant node, QuantizeLinear, DequantizeLinear."""
    model = make_network()
    graph, weights = model.graph, numpy_helper.to_array(model.graph.initializer[1])
    scales = quant_params.for_weights(weights).scale.astype(np.float32)
    constants = {"scale": scales, "zero": np.zeros(16, np.int8)}
    extra = [helper.make_node("Constant", [], [k], value=numpy_helper.from_array(v)) for k, v in constants.items()]
    extra += [
        helper.make_node("QuantizeLinear", ["second.weight", "scale", "zero"], ["q"], axis=0),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=0),
    ]
    graph.node[2].input[1] = "w"
    nodes = [*extra, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    small = compact(model)
    assert "QuantizeLinear" not in {node.op_type for node in small.graph.node}
    assert small.ByteSize() < model.ByteSize() / 2
    assert np.array_equal(weights_of(small)[weights.shape][0], quant_params.for_weights(weights).quantize(weights))
    outputs = [run_onnx(one, IMAGES)[0] for one in (model, small)]
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-5


def test_idle_rounding_goes_and_the_rest_stays(network, tmp_path):
    """ONNX Runtime rounds each convolution's output: behind the first stands ELU, which has no use for it."""
    model = onnx.load(ort.quantize_onnx(network, tmp_path / "int8.onnx", BATCHES))
    lean = copy.deepcopy(model)
    drop_idle_rounding(lean)
    lean = compact(lean)
    makers = {name: node for node in lean.graph.node for name in node.output}
    for node in lean.graph.node:
        if node.op_type == "Conv":  # its weight is still rounded, and so is its input but for the gray images
            made_by = [makers[name].op_type if name in makers else name for name in node.input[:2]]
            assert made_by in (["DequantizeLinear"] * 2, ["images", "DequantizeLinear"])
    counts = [sum(node.op_type == "QuantizeLinear" for node in one.graph.node) for one in (model, lean)]
    assert counts[1] < counts[0] and counts[1] == 2  # second convolution, linear layer
    exact, found = (run_onnx(one, IMAGES)[0] for one in (network, lean))
    assert np.abs(found - exact).mean() < 0.1 * exact.std()


@pytest.mark.parametrize("method", ort.METHODS)
def test_quantize_onnx_is_close(network, tmp_path, method):
    path = ort.quantize_onnx(network, tmp_path / "int8.onnx", BATCHES, method)
    exact, found = (run_onnx(one, IMAGES)[0] for one in (network, path))
    assert 0 < np.abs(found - exact).mean() < 0.1 * exact.std()
    model = read_onnx(path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["classes"] == "seven" and method in told["quantized"] and "16 calibration" in told["quantized"]
    assert list(tmp_path.iterdir()) == [path]  # nothing half written


def test_weights_and_scales_are_those_by_hand(network, tmp_path):
    model = read_onnx(ort.quantize_onnx(network, tmp_path / "int8.onnx", BATCHES))
    source = {t.name: numpy_helper.to_array(t) for t in onnx.load(network).graph.initializer}
    for name in ("conv.weight.with_a_long_name", "second.weight"):
        by_hand = quant_params.for_weights(source[name])
        whole, scale = weights_of(model)[source[name].shape]
        assert scale == pytest.approx(by_hand.scale, rel=1e-5)
        assert np.abs(by_hand.quantize(source[name]) - whole).max() <= 1
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    activation = next(node.output[0] for node in model.graph.node if node.op_type == "Elu")
    rounding = next(node for node in model.graph.node if node.input[0] == activation)
    seen = run_to(network, "b", IMAGES[:16])
    by_hand = quant_params.asymmetric(seen.min(), seen.max())
    assert rounding.op_type == "QuantizeLinear"
    assert arrays[rounding.input[1]] == pytest.approx(by_hand.scale, rel=1e-5)
    assert abs(int(arrays[rounding.input[2]]) - int(by_hand.zero_point)) <= 1


def run_to(path, name, images):
    """Run a float network up to an inner value."""
    model = onnx.load(path)
    model.graph.output.append(helper.make_empty_tensor_value_info(name))
    return run_onnx(model, images)[-1]


@pytest.mark.parametrize("outputs", [16, 24, 48])
def test_a_convolution_of_gray_images_is_summed_rightly(tmp_path, outputs):
    """ONNX Runtime 1.23.2 sums 24 outputs wrongly in integers on a processor with AMX."""
    nodes = [helper.make_node("Conv", ["images", "w"], ["y"], pads=[1, 1, 1, 1])]
    model = make_onnx(nodes, {"w": RNG.normal(size=(outputs, 1, 3, 3))}, (1, 12, 12), name="images")
    onnx.save(model, tmp_path / "gray.onnx")
    path = ort.quantize_onnx(tmp_path / "gray.onnx", tmp_path / "int8.onnx", BATCHES)
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    found, expected = (run_onnx(path, IMAGES, options)[0] for options in (None, plain))
    assert np.abs(found - expected).max() < 0.02 * expected.std()


class Task:
    """The network as a task, judged by its distance from the float one; QAT must not begin."""

    input_shape, last_layers, keep_last = (None, 1, 12, 12), (), False
    settings, data = {"measure": "closeness"}, {"valid": "a"}

    def __init__(self, onnx, **changes):
        self.onnx, self.batches, self.card, self.finetune_settings = onnx, BATCHES, {}, None
        self.exact = run_onnx(onnx, IMAGES)[0]
        for name, value in changes.items():
            setattr(self, name, value)

    def load(self):
        raise RuntimeError("begins anew")

    def measure(self, forward):
        return 1 - float(np.abs(forward(IMAGES)[0] - self.exact).mean())


def test_a_quantized_file_has_the_card_of_its_network(network, tmp_path):
    card = {"classes": ["a", "b"], "figures": {"accuracy": 0.9}}
    content = compare(Task(network, card=card), ["ort-minmax"], tmp_path, tmp_path / "table.json", {"seed": 0})
    written = load_card(tmp_path / "ort-minmax" / "network.onnx")
    assert written["classes"] == ["a", "b"] and "figures" not in written
    assert content["rows"][1].items() <= written["quantization"].items() and written["quantization"]["seed"] == 0
    assert not (tmp_path / "fp32").exists()


@pytest.mark.parametrize(
    "batches", [[], [IMAGES[:0]], [IMAGES * np.nan], [IMAGES.astype(np.uint8)]], ids=["none", "empty", "NaN", "uint8"]
)
def test_batches_that_are_no_finite_floats_are_refused(batches, network, tmp_path):
    with pytest.raises(ValueError, match="expected calibration batches of finite floats"):
        ort.quantize_onnx(network, tmp_path / "int8.onnx", batches)
    assert not list(tmp_path.iterdir())


def test_float64_batches_quantize_and_a_quantized_network_does_not(network, tmp_path):
    path = ort.quantize_onnx(network, tmp_path / "int8.onnx", [IMAGES.astype(np.float64)])
    assert path.read_bytes() == ort.quantize_onnx(network, tmp_path / "again.onnx", [IMAGES]).read_bytes()
    with pytest.raises(ValueError, match="expected a float network to quantize, got a quantized one"):
        ort.quantize_onnx(path, tmp_path / "twice.onnx", BATCHES)


def test_compare_keeps_its_rows(network, tmp_path):
    result = tmp_path / "results" / "table.json"
    content = compare(Task(network), ["ort-minmax"], tmp_path, result)
    assert json.loads(result.read_text()) == content
    exact, int8 = content["rows"]
    assert (exact["method"], exact["figure"], exact["drop"], exact["share"]) == ("fp32", 1.0, 0.0, 1.0)
    assert int8["drop"] == pytest.approx(100 * (1 - int8["figure"]), abs=1e-3) and int8["share"] < 1
    # a row that is there is not made again; one more method is
    again = compare(Task(network, measure=pytest.fail), ["ort-minmax"], tmp_path, result)
    assert again["rows"] == content["rows"]
    more = compare(Task(network), ["ort-minmax", "ort-entropy"], tmp_path, result)
    assert [row["method"] for row in more["rows"]] == ["fp32", "ort-minmax", "ort-entropy"]
    with pytest.raises(ValueError, match=r"calibration_images \(8, was 16\), data.calibration"):
        compare(Task(network, batches=BATCHES[:1]), ["fp32"], tmp_path, result)


def test_a_row_of_training_stays_as_long_as_its_settings(network, tmp_path):
    result = tmp_path / "table.json"
    content = compare(Task(network), ["fp32"], tmp_path, result)
    row = {**content["rows"][0], "method": "slim-qat", "settings": {"epochs": 2}}
    write_json(result, {**content, "rows": [*content["rows"], row]})
    for methods, epochs in ((["slim-qat"], 2), (["fp32"], 3)):  # who does not ask for it leaves it alone
        task = Task(network, finetune_settings={"epochs": epochs})
        assert compare(task, methods, tmp_path, result)["rows"][1] == row
    with pytest.raises(RuntimeError, match="begins anew"):
        compare(Task(network, finetune_settings={"epochs": 3}), ["slim-qat"], tmp_path, result)
