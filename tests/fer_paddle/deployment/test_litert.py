"""LiteRT: the shipped file, and files that the converter writes where its environment is there."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer_paddle.deployment import convert
from fer_paddle.deployment.convert import convert_onnx, find_tflite_python
from fer_paddle.deployment.export import convert_checked, export_network
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.drawn import make_faces
from fer_paddle.expression.export import export_expression_network
from fer_paddle.expression.predict import Classifier, classifier_file
from fer_paddle.models import DESIGNS
from tests.fer_paddle.deployment.test_export import draw_weights
from yolo3tiny.predict import WEIGHTS as DETECTOR

SHIPPED = "vgg8_flat.fer2013"  # in dynamic int8


def need_converter() -> None:
    pytest.importorskip("ai_edge_litert")
    try:
        find_tflite_python()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def faces():
    return list(make_faces(16, 64, seed=3).images)


def test_the_shipped_file_agrees_with_onnx_and_threads_get_their_own_answers(faces):
    pytest.importorskip("ai_edge_litert")
    classifier, reference = Classifier(SHIPPED, runtime="litert", threads=1), Classifier(SHIPPED, threads=1)
    assert classifier.classes == reference.classes and classifier.input_size == reference.input_size
    probs = classifier(faces)
    np.testing.assert_allclose(probs, reference(faces), atol=0.15)
    assert (probs.argmax(1) == reference(faces).argmax(1)).mean() >= 14 / 16
    with ThreadPoolExecutor(8) as pool:
        for found, expected in zip(pool.map(lambda face: classifier([face])[0], faces * 4), np.tile(probs, (4, 1))):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_damaged_file_is_refused(tmp_path):
    pytest.importorskip("ai_edge_litert")
    source, path = classifier_file(SHIPPED, "litert"), tmp_path / "net.tflite"
    path.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(FileNotFoundError, match="expected net.tflite.json beside .*, found none"):
        load_runner(path, "litert")
    path.with_name("net.tflite.json").write_bytes(source.with_name(f"{source.name}.json").read_bytes())
    with pytest.raises(ValueError, match="the file is damaged"):
        load_runner(path, "litert")


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "atol", "ratio"), [("fp32", 1e-4, 1.1), ("fp16", 0.05, 0.6), ("int8", 1.0, 0.4)])
def test_every_precision_is_written_and_compared(precision, atol, ratio, faces, tmp_path):
    need_converter()
    source, path = classifier_file("mouth.smile"), tmp_path / "net.tflite"
    parity = export_expression_network(source, path, faces, "drawn faces", precision)
    assert parity.max_difference <= atol and parity.top1_agreement >= 0.9
    assert path.stat().st_size < ratio * source.stat().st_size
    assert json.loads((tmp_path / "net.tflite.json").read_text())["metadata"]["precision"] == precision
    np.testing.assert_allclose(Classifier(path)(faces), Classifier(source)(faces), atol=atol)
    assert {one.name for one in tmp_path.iterdir()} == {"net.tflite", "net.tflite.json", "net.tflite.parity.json"}


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_every_design_is_converted(design, tmp_path):
    need_converter()
    images = np.random.default_rng(0).normal(size=(2, 1, 32, 32)).astype(np.float32)
    path, spec = tmp_path / "net.onnx", {"images": (None, 1, 32, 32)}
    export_network(draw_weights(design), path, spec, {"input_size": "32"}, images)
    assert convert_checked(path, tmp_path / "net.tflite", images).holds


def test_what_is_missing_is_named_before_work_begins(tmp_path, monkeypatch):
    monkeypatch.setenv(convert.TFLITE_PYTHON, str(tmp_path / "none"))
    with pytest.raises(RuntimeError, match=r"python3.12 -m venv .* install onnx2tf==.* && .* in FER_TFLITE_PYTHON"):
        convert_onnx(classifier_file("mouth.smile"), tmp_path / "net.tflite")
    with pytest.raises(ValueError, match="a network of a fixed image size for face.tflite"):
        convert_onnx(DETECTOR, tmp_path / "face.tflite")
    assert not list(tmp_path.iterdir())
