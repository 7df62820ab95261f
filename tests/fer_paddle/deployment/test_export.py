"""Export: the same numbers in every runtime, metadata with the file, and no half file."""

import json

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fer_paddle.deployment import export as export_module
from fer_paddle.deployment.export import convert_checked, export_network
from fer_paddle.deployment.onnx_graph import simplify
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.export import export_expression_network
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import Classifier
from fer_paddle.models import DESIGNS, build_model, find_design

nn = paddle.nn
IMAGES = np.random.default_rng(0).normal(size=(6, 1, 12, 12)).astype(np.float32)
SPEC = {"images": (None, 1, 12, 12)}
METADATA = {"classes": '["a", "b"]', "input_size": "12"}
FILES = {
    # the file that is named, and all that it needs
    "net.onnx": {"net.onnx"},
    "net.pdmodel": {"net.pdmodel", "net.pdiparams", "net.pdmodel.json"},
    "net.param": {"net.param", "net.bin", "net.param.json"},
    "net.mnn": {"net.mnn", "net.mnn.json"},
}
PACKAGES = {"net.param": "ncnn", "net.mnn": "MNN"}


def need(name):
    """Skip where the package that writes or reads a file is not installed."""
    pytest.importorskip(PACKAGES.get(name, "paddle"))


@pytest.fixture(scope="module")
def small():
    """A network of the operators that both networks of the course share."""
    seed_everything(0)
    return nn.Sequential(
        nn.Conv2D(1, 4, 3, padding=1, bias_attr=False), nn.BatchNorm2D(4), nn.ELU(), nn.MaxPool2D(3, 2, padding=1),
        nn.BatchNorm2D(4), nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small network of the course; the large ones are exported design by design below."""
    model, arguments = find_design("vgg8_tiny")
    path = tmp_path_factory.mktemp("权重") / "model.safetensors"
    network = draw_weights("vgg8_tiny")
    ExpressionModel.of(model, network, 32, {"note": "made by a test"}, arguments).save(path)
    return path


@pytest.fixture(scope="module")
def exported(weights):
    faces = list(np.random.default_rng(1).integers(0, 256, (12, 40, 40), np.uint8))
    path = weights.with_suffix(".onnx")
    export_expression_network(weights, path, faces, "noise")
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_format_agrees_with_paddle_and_says_so(name, small, tmp_path):
    need(name)
    folder = tmp_path / "新"
    parity = export_network(small, folder / name, SPEC, METADATA, IMAGES, "noise")
    assert {path.name for path in folder.iterdir()} == FILES[name] | {f"{name}.parity.json"}
    assert parity.holds and parity.top1_agreement == 1 and parity.inputs == 6
    report = json.loads((folder / f"{name}.parity.json").read_text(encoding="utf-8"))
    assert report == parity.to_json() and report["description"] == "noise"
    runner = load_runner(folder / name, export_module.RUNTIME_OF[(folder / name).suffix], threads=1)
    assert {key: runner.metadata[key] for key in METADATA} == METADATA
    small.eval()
    expected = small(paddle.to_tensor(IMAGES)).numpy()
    for chosen in (slice(0, 1), slice(0, 6), slice(2, 5)):  # any batch
        (found,) = runner(IMAGES[chosen])
        np.testing.assert_allclose(found, expected[chosen], atol=1e-5)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("fault", ["interrupted", "too different"])
def test_nothing_is_left_and_the_old_file_stays(name, fault, small, tmp_path, monkeypatch):
    need(name)
    (tmp_path / name).write_bytes(b"the old one")

    def compare(*args):
        assert [path.name for path in tmp_path.iterdir()] == [name]  # what is being built is elsewhere
        if fault == "interrupted":
            raise KeyboardInterrupt
        return export_module.Parity("", "", 1, "", 1e-3, 0, None)

    monkeypatch.setattr(export_module, "compare", compare)
    expected = (KeyboardInterrupt, None) if fault == "interrupted" else (RuntimeError, "expected .* within 0.0001 of")
    with pytest.raises(expected[0], match=expected[1]):
        export_network(small, tmp_path / name, SPEC, METADATA, IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"the old one"


def test_an_onnx_file_becomes_ncnn(exported, tmp_path):
    need("net.param")
    faces = list(np.random.default_rng(2).integers(0, 256, (3, 40, 40), np.uint8))
    parity = export_expression_network(exported, tmp_path / "face.param", faces)
    assert parity.reference == "ONNX Runtime" and parity.holds
    np.testing.assert_allclose(Classifier(tmp_path / "face.param")(faces), Classifier(exported)(faces), atol=1e-4)
    half = convert_checked(exported, tmp_path / "half.param", np.zeros((1, 1, 32, 32), np.float32), precision="fp16")
    sizes = [(tmp_path / name).stat().st_size for name in ("half.bin", "face.bin")]
    assert half.inputs == 1 and sizes[0] < 0.55 * sizes[1]


@pytest.mark.parametrize(("change", "kept"), [(1e-7, True), (1e-3, False)])
def test_a_simplification_is_kept_where_it_changes_no_more_than_rounding(change, kept, small, tmp_path, monkeypatch):
    simplified = []

    def changing(model, output_names=None):
        short = simplify(model, output_names)
        tensor = next(one for one in short.graph.initializer if len(one.dims) == 4)
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1 + change), tensor.name))
        simplified.append(short)
        return short

    monkeypatch.setattr(export_module, "simplify", changing)
    export_network(small, tmp_path / "net.onnx", SPEC, METADATA, IMAGES, output_names=["logits"])
    written = onnx.load(tmp_path / "net.onnx")
    assert (len(written.graph.node) == len(simplified[0].graph.node)) == kept
    assert [output.name for output in written.graph.output] == ["logits"]


def draw_weights(design):
    """A design whose every layer matters: no scale of zero, and the statistics of the batch normalization measured."""
    seed_everything(0)
    model, arguments = find_design(design)
    network = build_model(model, **arguments)
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer._momentum = 0.0
            layer.weight.set_value(paddle.uniform(layer.weight.shape, min=0.3, max=0.7))
    with paddle.no_grad():
        network(paddle.randn([8, 1, 32, 32]))
    return network


@pytest.mark.slow
@pytest.mark.parametrize("design", [name for name, (_, changed) in DESIGNS.items() if "width" not in changed])
def test_every_design_reaches_every_format(design, tmp_path):
    """Each graph once: another width changes none of its operators."""
    for name in FILES:
        need(name)
    network, images = draw_weights(design), np.random.default_rng(0).normal(size=(2, 1, 32, 32)).astype(np.float32)
    network.eval()
    assert network(paddle.to_tensor(images)).numpy().std() > 1e-3  # outputs of zero would always agree
    for name, files in FILES.items():
        folder = tmp_path / name
        if name in PACKAGES:
            parity = convert_checked(tmp_path / "net.onnx" / "net.onnx", folder / name, images)
        else:
            spec = {"images": (None, 1, 32, 32)}
            parity = export_network(network, folder / name, spec, {"input_size": "32"}, images)
        assert parity.holds and {path.name for path in folder.iterdir()} == files | {f"{name}.parity.json"}
    source = tmp_path / "net.onnx" / "net.onnx"
    if design == "mobilenet_v2":  # OpenCV 4.6 knows no Clip whose bounds are inputs
        source = tmp_path / "older.onnx"
        export_network(network, source, spec, {"input_size": "32"}, images, opset=10)
    opencv = cv2.dnn.readNetFromONNX(str(source))
    for image in images:
        opencv.setInput(image[None])
        np.testing.assert_allclose(opencv.forward(), network(paddle.to_tensor(image[None])).numpy(), atol=1e-4)


@pytest.mark.parametrize(("opset", "batch"), [(11, None), (16, 4), (13, 1)])
def test_opset_and_batch_are_chosen(opset, batch, weights, tmp_path):
    faces = list(np.random.default_rng(1).integers(0, 256, (6, 40, 40), np.uint8))
    path = tmp_path / "fixed.onnx"
    parity = export_expression_network(weights, path, faces, opset=opset, batch=batch)
    model = onnx.load(path)
    assert [one.version for one in model.opset_import] == [opset]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == (batch or 0)
    assert parity.holds and parity.inputs == 6
    probs = Classifier(path)(faces)  # of more or fewer than the batch, too
    np.testing.assert_allclose(Classifier(path)(faces[:3]), probs[:3], atol=1e-5)
    for source, target in ((weights, "x.pdmodel"), (path, "x.onnx")):
        with pytest.raises(ValueError, match="to choose opset and batch of"):
            export_expression_network(source, tmp_path / target, faces, opset=12)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"opset": 99}, "expected opset in 7..21, got 99"),  # which ends the process in paddle2onnx
        ({"opset": 9}, "expected an opset of 10 or more for this network's operators, got 9"),  # its pools
        ({"opset": 11.5}, "expected an integer as opset, got 11.5"),
        ({"batch": -1}, "expected batch of 1 or more, got -1"),
        ({"batch": 0}, "expected batch of 1 or more, got 0"),
    ],
)
def test_an_opset_or_batch_that_cannot_be_leaves_no_file(wrong, says, tmp_path):
    images, spec = np.zeros((1, 1, 16, 16), np.float32), {"images": (None, 1, 16, 16)}
    with pytest.raises(ValueError, match=says):
        export_network(build_model("vgg8", width=0.14), tmp_path / "x.onnx", spec, {}, images, **wrong)
    assert not list(tmp_path.iterdir())
