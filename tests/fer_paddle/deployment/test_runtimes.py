"""Every runtime behind one protocol: the same numbers for both networks, and one clear line for a bad file."""

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from fer_paddle.deployment.convert import convert_onnx
from fer_paddle.deployment.runtimes import RUNTIMES, load_runner
from fer_paddle.deployment.runtimes.model_files import read_manifest, size_on_disk, write_manifest
from fer_paddle.deployment.runtimes.paddle import write_inference_model
from fer_paddle.expression.predict import COURSE, WEIGHTS, Classifier
from fer_paddle.weights import find_weights
from fer_paddle.zoo import load_model
from tests.processes import run_python
from yolo3tiny.predict import load_network

PACKAGES = {"openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN"}
HERE = [name for name in RUNTIMES if name not in ("tensorrt", "litert")]  # no GPU here; see test_litert
OTHERS = [name for name in HERE if name != "onnx"]


def need(runtime):
    if runtime in PACKAGES:
        pytest.importorskip(PACKAGES[runtime])


def threads_for(runtime):
    return 0 if runtime == "dynamic" else 1


@pytest.fixture(scope="module")
def faces():
    size = Classifier(COURSE, threads=1).input_size
    return np.random.default_rng(0).normal(size=(5, 1, size, size)).astype(np.float32)


@pytest.fixture(scope="module")
def photos():
    return np.random.default_rng(0).random((3, 3, 64, 96), np.float32)


@pytest.fixture(scope="module")
def expected(faces, photos):
    return {"faces": load_runner(WEIGHTS, threads=1)(faces), "photos": load_network(threads=1)(photos)}


SMALL = "vgg8_flat.fer2013"
SUFFIX = {"onnx": ".onnx", "openvino": ".onnx", "ncnn": ".param", "mnn": ".mnn", "paddle": ".pdmodel"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small shipped expression network in every format."""
    model = load_model(SMALL)
    source, folder = find_weights(SMALL), tmp_path_factory.mktemp("formats")
    (folder / "net.onnx").write_bytes(source.read_bytes())
    convert_onnx(source, folder / "net.param")
    convert_onnx(source, folder / "net.mnn")
    write_inference_model(model.network, folder / "net.pdmodel", model.input_spec, model.metadata)
    return folder


@pytest.mark.parametrize("runtime", OTHERS)
def test_same_numbers_for_faces(runtime, faces, expected):
    need(runtime)
    runner = Classifier(COURSE, runtime=runtime, threads=threads_for(runtime)).runner
    for chosen in (slice(0, 5), slice(1, 2)):  # another batch size through the same runner
        (logits,) = runner(faces[chosen])
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected["faces"][0][chosen], atol=1e-4)
    assert json.loads(runner.metadata["classes"])[0] == "angry" and "mean" in runner.metadata


@pytest.mark.parametrize("runtime", OTHERS)
def test_same_numbers_for_photos_of_other_sizes(runtime, photos, expected):
    need(runtime)
    runner = load_network(runtime=runtime, threads=threads_for(runtime))
    for images in (photos, np.ascontiguousarray(photos[:1, :, :32, :64]), photos):
        heads = runner(images)
        wanted = expected["photos"] if images is photos else load_network(threads=1)(images)
        assert [head.shape for head in heads] == [head.shape for head in wanted]
        for head, other in zip(heads, wanted):
            np.testing.assert_allclose(head, other, atol=1e-4)
    assert len(json.loads(runner.metadata["anchors"])) == 6


def test_mnn_says_that_it_has_no_answer(copied):
    need("mnn")
    write_manifest(copied / "net.mnn", ["images"], ["logits"], {})  # a file that does not say what it takes
    with pytest.raises(ValueError, match=r"expected images that the network takes, got \[1, 3, 56, 56\]"):
        load_runner(copied / "net.mnn", "mnn", 1)(np.zeros((1, 3, 56, 56), np.float32))


@pytest.mark.parametrize("runtime", HERE)
def test_eight_threads_get_their_own_answers(runtime, folder):
    """A runtime that keeps one request for all threads answers with another face's result, or crashes."""
    need(runtime)
    path = folder / f"net{SUFFIX[runtime]}" if runtime in SUFFIX else None
    classifier = Classifier(path, runtime=runtime, threads=threads_for(runtime))
    crops = list(np.random.default_rng(1).integers(0, 256, (8, 40, 40), np.uint8))
    own = [classifier([crop]) for crop in crops]

    def work(index):
        return max(float(np.abs(classifier([crops[index]]) - own[index]).max()) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(work, range(8))) < 1e-5
    assert min(np.abs(own[0] - other).max() for other in own[1:]) > 1e-3  # the faces do differ


def test_outputs_that_are_not_finite_are_an_error(folder, monkeypatch):
    runner = load_runner(folder / "net.onnx", threads=1)
    for value in (np.nan, np.inf):
        monkeypatch.setattr(runner, "_run", lambda images, value=value: [np.full((1, 7), value)])
        with pytest.raises(ValueError, match="expected finite outputs, got NaN or infinity"):
            runner(np.zeros((1, 1, 40, 40), np.float32))


@pytest.mark.parametrize("runtime", HERE)
def test_images_that_are_no_finite_floats_are_refused(runtime, folder):
    need(runtime)
    path = folder / f"net{SUFFIX[runtime]}" if runtime in SUFFIX else None
    runner = Classifier(path, runtime=runtime, threads=threads_for(runtime)).runner
    side = int(runner.metadata["input_size"])
    for value in (np.nan, -np.inf, np.uint8(1), "1"):
        with pytest.raises(ValueError, match="^expected images of finite floats"):
            runner(np.full((1, 1, side, side), value))


@pytest.mark.parametrize(
    ("name", "runtime", "settings", "error", "why"),
    [
        ("a.onnx", "caffe", {}, ValueError, "a runtime of onnx, openvino"),
        ("a.onnx", "onnx", {"precision": "fp64"}, ValueError, "a precision of fp32 for onnx"),
        ("a.onnx", "onnx", {"threads": -1}, ValueError, "threads in 0..1024"),
        ("a.onnx", "tensorrt", {}, RuntimeError, "ONNX Runtime with TensorrtExecutionProvider"),  # it is not here
        ("a.mnn", "onnx", {}, ValueError, "a file .* for the runtime onnx, got"),
    ],
)
def test_what_cannot_be_loaded_is_refused(name, runtime, settings, error, why, tmp_path):
    (tmp_path / name).write_bytes(b"1234")
    with pytest.raises(error, match=f"^expected {why}"):
        load_runner(tmp_path / name, runtime, **settings)


@pytest.mark.parametrize(("runtime", "package"), [("onnx", "onnxruntime"), *PACKAGES.items()])
def test_a_missing_package_is_named(runtime, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # what Python takes for not installed
    with pytest.raises(RuntimeError, match=rf"^expected the package {package} .*pip install {package}") as error:
        load_runner(WEIGHTS, runtime)
    assert "\n" not in str(error.value)


def test_a_board_needs_no_more_than_ncnn(folder):
    """What the README tells to install there: ncnn, NumPy, OpenCV, Pillow."""
    need("ncnn")
    absent = "paddle onnx onnxruntime openvino MNN safetensors scipy skimage matplotlib tqdm"
    code = """
import sys; sys.modules.update(dict.fromkeys(sys.argv[2].split()))
from fer_paddle import Classifier, Pipeline
from fer_paddle.apps.cli import main
import numpy as np
classifier = Classifier(sys.argv[1], runtime='ncnn', threads=1)
assert classifier([np.zeros((9, 9), np.uint8)]).shape == (1, 7)
sys.exit(main(['bench', '1', '1', '0', '-1', '0', sys.argv[1], '32', '32']))
"""
    assert "avg =" in run_python(code, folder / "net.param", absent)


@pytest.mark.parametrize("there", [["CUDAExecutionProvider", "CPUExecutionProvider"], ["CPUExecutionProvider"]])
def test_tensorrt_that_does_not_start_is_no_other_runtime(there, monkeypatch):
    """ONNX Runtime lists every provider that it was built with, and goes on with the next where one does not start."""
    wanted = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    session = SimpleNamespace(get_providers=lambda: there)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: wanted)
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *args, **settings: session)
    with pytest.raises(RuntimeError, match=f"^expected TensorrtExecutionProvider to start, got {there[0]}"):
        load_runner(WEIGHTS, "tensorrt")


@pytest.fixture
def copied(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "another content": lambda content: bytes(reversed(content)),
    "a bit": lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
    "pickle": lambda content: pickle.dumps({"weights": [1.0] * 100}),
    "empty": lambda content: b"",
    "missing": lambda content: None,
}
FIRST = [(runtime, f"net{suffix}", damage) for runtime, suffix in SUFFIX.items() for damage in DAMAGES]
SECOND = [(*part, damage) for part in (("ncnn", "net.bin"), ("paddle", "net.pdiparams")) for damage in DAMAGES]


@pytest.mark.parametrize(
    ("runtime", "part", "damage"),
    [case for case in (*FIRST, *SECOND) if case[1:] != ("net.onnx", "a bit")],  # an ONNX file has no digest
)
def test_a_bad_file_is_one_line(runtime, part, damage, copied):
    """Of a second file too: ncnn would read on past the end of its weights."""
    need(runtime)
    content = DAMAGES[damage]((copied / part).read_bytes())
    (copied / part).unlink() if content is None else (copied / part).write_bytes(content)
    path = copied / f"net{SUFFIX[runtime]}"
    with pytest.raises(FileNotFoundError if damage == "missing" else ValueError, match=f"^expected .*{part}") as error:
        load_runner(path, runtime, 1)
    said = str(error.value)
    assert (
        "\n" not in said
        and str(path.parent) in said
        and ("pickle" in said) == ((part, damage) == (path.name, "pickle"))
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"files": {}}', '{"files": {".mnn": 1}, "inputs": [], "outputs": []}'])
def test_a_bad_card_is_one_line(content, copied):
    (copied / "net.mnn.json").write_text(content)
    with pytest.raises(ValueError, match=r"^expected the manifest of a network at .*net\.mnn\.json"):
        read_manifest(copied / "net.mnn")
    (copied / "net.mnn.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected net\.mnn\.json beside .*, found none"):
        read_manifest(copied / "net.mnn")


def test_a_card_moves_with_its_files(copied, tmp_path):
    for path in list(copied.glob("net.*")):
        path.rename(tmp_path / path.name.replace("net", "脸"))
    assert read_manifest(tmp_path / "脸.param")["inputs"] == ["images"]
    assert size_on_disk(tmp_path / "脸.param") > 1e5
    write_manifest(tmp_path / "脸.mnn", ["a"], ["b"], {"c": "d"})
    assert read_manifest(tmp_path / "脸.mnn") == {"inputs": ["a"], "outputs": ["b"], "metadata": {"c": "d"}}


def test_no_runtime_talks_to_the_network_or_keeps_the_signal_stack():
    """OpenVINO reports its import where it may, and MNN's command lines install a package that reports their use.

    OpenVINO changes the stack with its first network, and frees it with that: the next signal would end the process.
    """
    code = """
import ctypes, socket, sys
def refuse(*args): raise SystemExit("tried to connect")
socket.socket.connect = socket.getaddrinfo = refuse
import fer_paddle.deployment.runtimes as r
from fer_paddle.deployment.runtimes.openvino import SignalStack
from fer_paddle.expression.predict import WEIGHTS
def address():
    stack = SignalStack()
    if sys.platform == "linux": ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.address
before = address()
for name in sys.argv[1:]:
    r.load_runner(WEIGHTS, name, 1)
    assert address() == before, name
found = [m for m in sys.modules if 'telemetry' in m and sys.modules[m] and 'openvino_telemetry' in m]
assert not found and 'MNN.tools' not in sys.modules and 'torch' not in sys.modules, found
"""
    run_python(code, "onnx", *(name for name in PACKAGES if not need(name)))
