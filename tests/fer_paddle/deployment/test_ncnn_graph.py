"""Each operator that has a translation gives in ncnn what it gives in ONNX Runtime; the others are refused."""

import numpy as np
import pytest
from onnx import helper

from fer_paddle.deployment.ncnn_graph import to_ncnn
from tests.fer_paddle.small_onnx import make_onnx, run_onnx

ncnn = pytest.importorskip("ncnn")
RNG = np.random.default_rng(0)
SHAPE = (1, 4, 9, 7)  # height and width differ, and are odd


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def make(nodes, arrays=None, outputs=("y",)):
    return make_onnx(nodes, arrays or {}, SHAPE[1:], outputs, opset=14)


def run_ncnn(model, image, folder, half=False):
    text, weights = to_ncnn(model, half)
    (folder / "n.param").write_text(text)
    (folder / "n.bin").write_bytes(weights)
    net = ncnn.Net()
    net.opt.num_threads = 1
    for flag in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, flag, False)
    assert net.load_param(str(folder / "n.param")) == 0 and net.load_model(str(folder / "n.bin")) == 0
    extractor = net.create_extractor()
    extractor.input("x", ncnn.Mat(image[0]).clone())
    return [np.array(extractor.extract(output.name)[1]) for output in model.graph.output]


def node(kind, inputs="x", output="y", **settings):
    return helper.make_node(kind, inputs.split(), [output], **settings)


CONV = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
KERNELS = {"w": draw(5, 4, 3, 3), "b": draw(5)}
CASES = {
    # operator: nodes, constants
    "Conv": ([node("Conv", "x w b", **CONV)], KERNELS),
    "Conv stride": ([node("Conv", "x w b", strides=[2, 1], pads=[1, 0, 0, 2])], {"w": draw(5, 4, 3, 5), "b": draw(5)}),
    "Conv dilated": ([node("Conv", "x w b", dilations=[2, 1])], KERNELS),
    "Conv depthwise": ([node("Conv", "x w b", group=4, **CONV)], {"w": draw(4, 1, 3, 3), "b": draw(4)}),
    "Conv groups": ([node("Conv", "x w b", group=2, **CONV)], {"w": draw(6, 2, 3, 3), "b": draw(6)}),
    "Conv and ReLU": ([node("Conv", "x w b", "a", **CONV), node("Relu", "a")], KERNELS),
    "Conv and leaky ReLU": ([node("Conv", "x w b", "a", **CONV), node("LeakyRelu", "a", alpha=0.1)], KERNELS),
    "Conv that others read before ReLU": (
        [node("Conv", "x w b", "a", **CONV), node("Relu", "a", "r"), node("Add", "a r")], KERNELS,
    ),
    "BatchNormalization": (
        [node("BatchNormalization", "x s b m v")],
        {"s": draw(4), "b": draw(4), "m": draw(4), "v": draw(4) ** 2 + 0.1},
    ),
    "Elu": ([node("Elu", alpha=1.5)], {}),
    "LeakyRelu": ([node("LeakyRelu", alpha=0.3)], {}),
    "Sigmoid": ([node("Sigmoid")], {}),
    "HardSigmoid": ([node("HardSigmoid", alpha=0.25, beta=0.4)], {}),
    "HardSwish": ([node("HardSwish")], {}),
    "Clip": ([node("Clip", "x l h")], {"l": np.float32(-0.5), "h": np.float32(0.75)}),
    "MaxPool": ([node("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])], {}),
    "MaxPool tiny YOLO": ([node("MaxPool", kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])], {}),
    "MaxPool rounds up": ([node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], {}),
    "AveragePool": ([node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {}),
    "AveragePool of the border too": (
        [node("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
    ),
    "GlobalAveragePool, Flatten, Gemm": (
        [node("GlobalAveragePool", "x", "a"), node("Flatten", "a", "f", axis=1), node("Gemm", "f w b")],
        {"w": draw(4, 7), "b": draw(7)},
    ),
    "Gemm transposed": (
        [node("Flatten", "x", "f"), node("Gemm", "f w b", transB=1)],
        {"w": draw(7, 252), "b": draw(7)},
    ),
    "MatMul": ([node("Flatten", "x", "f"), node("MatMul", "f w")], {"w": draw(252, 3)}),
    "Add": ([node("Relu", "x", "a"), node("Add", "x a")], {}),
    "Mul of a gate": ([node("GlobalAveragePool", "x", "a"), node("Sigmoid", "a", "g"), node("Mul", "x g")], {}),
    "Mul by a number": ([node("Mul", "x k")], {"k": np.float32([0.3])}),
    "Concat": ([node("Relu", "x", "a"), node("Concat", "x a x", axis=1)], {}),
    "Resize": (
        [
            helper.make_node(
                "Resize", ["x", "", "s"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"s": np.float32([1, 1, 2, 2])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=CASES)
def test_ncnn_gives_what_onnx_runtime_gives(case, tmp_path):
    model, image = make(*CASES[case]), draw(*SHAPE)
    (expected,), (found,) = run_onnx(model, image), run_ncnn(model, image, tmp_path)
    np.testing.assert_allclose(found.reshape(expected.shape[1:]), expected[0], rtol=1e-4, atol=2e-5)
    assert expected.std() > 1e-3  # an output that is the same everywhere would hide a fault


def test_a_blob_that_many_read_and_that_is_an_output_too(tmp_path):
    nodes = [node("Relu", "x", "a"), node("Add", "a a", "b"), node("Mul", "a b", "c")]
    model, image = make(nodes, outputs=("a", "b", "c")), draw(*SHAPE)
    for expected, found in zip(run_onnx(model, image), run_ncnn(model, image, tmp_path), strict=True):
        np.testing.assert_allclose(found, expected[0], rtol=1e-5)


def test_half_the_bytes_for_float16(tmp_path):
    model, image = make([node("Conv", "x w b", **CONV)], KERNELS), draw(*SHAPE)
    whole, half = (to_ncnn(model, flag)[1] for flag in (False, True))
    assert (len(whole), len(half)) == (4 + 180 * 4 + 20, 4 + 180 * 2 + 20)
    found = run_ncnn(model, image, tmp_path, half=True)[0]
    difference = np.abs(found - run_onnx(model, image)[0][0]).max()
    assert 1e-5 < difference < 0.02  # rounded, and no more


REFUSED = [
    ([node("Softplus")], {}, "got Softplus"),
    ([node("Conv", "x w", auto_pad="SAME_UPPER")], {"w": draw(5, 4, 3, 3)}, "auto_pad"),
    ([node("Concat", "x x", axis=0)], {}, "Concat"),
    ([node("Flatten", "x", "y", axis=2)], {}, "Flatten"),
    ([node("Add", "x k")], {"k": draw(4, 1, 1)}, "Add"),
]


@pytest.mark.parametrize(("nodes", "arrays", "why"), REFUSED)
def test_what_has_no_translation_is_refused_by_name(nodes, arrays, why):
    with pytest.raises(ValueError, match=f"translation to ncnn.*{why}|{why}.*translation to ncnn"):
        to_ncnn(make(nodes, arrays))
