"""The commands of the deployment chapter as a person meets them."""

import dataclasses
import importlib.util
import json

import pytest

from fer_paddle.deployment import benchmark as timing
from fer_paddle.expression.predict import WEIGHTS
from fer_paddle.weights import NETWORK_OF
from yolo3tiny.predict import WEIGHTS as DETECTOR_WEIGHTS


@pytest.mark.slow
def test_export_to_ncnn_on_a_persons_faces(run, face_folders, tmp_path):
    pytest.importorskip("ncnn")
    out = tmp_path / "板" / "face.param"
    code, text, err = run("export", "--weights", WEIGHTS, "--out", out, "--data", face_folders, "--json")
    assert code == 0, err
    report = json.loads(text)
    assert (report["inputs"], report["description"], report["holds"]) == (70, f"faces of {face_folders.name}", True)
    assert {path.name for path in out.parent.iterdir()} == {
        "face.param", "face.bin", "face.param.json", "face.param.parity.json",
    }  # fmt: skip
    code, text, _ = run("bench", 2, 1, 0, -1, 0, out, 48, 48)
    assert code == 0 and all(name in text for name in ("face", "min =", "max =", "avg ="))


def test_export_of_the_detector_on_drawn_scenes(run, tmp_path, monkeypatch):
    pytest.importorskip("ncnn")
    monkeypatch.setattr("yolo3tiny.export.PARITY_IMAGES", 16)
    monkeypatch.setattr("yolo3tiny.export.PARITY_PX", 64)
    code, text, err = run("export", "--weights", DETECTOR_WEIGHTS, "--out", tmp_path / "d.param")
    assert code == 0, err
    assert "over 16 pieces of drawn scenes" in text


@pytest.mark.parametrize("suffix", [".onnx", ".pdmodel", ".param", ".mnn", ".tflite"])
@pytest.mark.parametrize("name", ["landmarks.68", "keypoint.belt"])
def test_export_says_which_networks_it_takes(run, name, suffix, tmp_path):
    if name == "landmarks.68" and suffix in (".param", ".mnn", ".tflite"):  # from .onnx, as far as its layers are known
        return
    code, _, err = run("export", "--weights", name, "--out", tmp_path / f"x{suffix}")
    told = f"got {NETWORK_OF[name.partition('.')[0]]}; python -m "
    assert code == 2 and "or a landmark network as .onnx, " in err and told in err, err
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_benchmark_of_one_row(run, tmp_path):
    args = ["--runtime", "onnx", "--weights", WEIGHTS, "--threads", 1, "--batch", 1, "--runs", 2, "--out", tmp_path]
    code, out, err = run("benchmark", *args, "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert (row["network"], row["runtime"], row["precision"], row["batch"]) == (WEIGHTS.stem, "onnx", "fp32", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"benchmark.csv", "benchmark.json", "benchmark.png"}
    assert json.loads((tmp_path / "benchmark.json").read_text())["rows"] == [row]
    code, out, err = run("benchmark", *args, "--json", "--resume")
    assert code == 0 and json.loads(out) == [row], err  # to the last digit: it was not measured again
    (tmp_path / "benchmark.json").write_text("{}")
    code, out, err = run("benchmark", *args, "--resume")
    assert code == 2 and "expected a study with rows" in err


@pytest.fixture
def one_millisecond(monkeypatch):
    """Instead of measuring: the threads of the cases that were asked for; three threads end it, as Ctrl-C does."""
    asked = []

    def measure(case):
        asked.append(case.threads)
        if case.threads == 3:
            raise KeyboardInterrupt
        figures = dict.fromkeys(("median_ms", "p95_ms", "images_per_s", "peak_mb", "load_ms"), 1.0)
        return dataclasses.asdict(case) | {"file": "file", "file_bytes": 1} | figures

    monkeypatch.setattr(timing, "measure", measure)
    return asked


def threads_in(folder):
    return [row["threads"] for row in json.loads((folder / "benchmark.json").read_text(encoding="utf-8"))["rows"]]


def test_resume_keeps_the_rows_of_other_cases(run, tmp_path, one_millisecond):
    args = ["benchmark", "--runtime", "onnx", "--weights", WEIGHTS, "--batch", 1, "--out", tmp_path, "--json"]
    assert run(*args, "--threads", 4, 1)[0] == 0
    code, out, _ = run(*args, "--threads", 2, "--resume")
    assert code == 0 and [row["threads"] for row in json.loads(out)] == [2]  # what was asked for
    assert threads_in(tmp_path) == [4, 1, 2]
    assert len((tmp_path / "benchmark.csv").read_text(encoding="utf-8").splitlines()) == 4
    code, _, _ = run(*args, "--threads", 5, 3, 1, "--resume")  # ended before it comes to what is known
    assert code == 130 and threads_in(tmp_path) == [4, 1, 2, 5]
    assert one_millisecond == [4, 1, 2, 5, 3]
    assert run(*args, "--threads", 6)[0] == 0  # without --resume it begins anew
    assert threads_in(tmp_path) == [6]


def test_models_and_their_speed(run):
    code, out, err = run("models", "vgg8*", "--runs", 1, "--json")
    assert code == 0, err
    found = json.loads(out)
    names = ["vgg8.fer2013", "vgg8.fer2013_seed2", "vgg8.photos"]
    names += ["vgg8_flat.fer2013", "vgg8_flat.photos", "vgg8_flat_int8.photos"]
    assert [one["name"] for one in found] == names
    assert found[0]["accuracy"] > 0.69 and all(one["latency_ms"] > 0 for one in found)
    assert run("models", "yolo3tiny.face", "--runs", 0)[1].splitlines()[1].split()[0] == "yolo3tiny.face"


def test_files_of_several_runtimes_are_timed_in_turns(run):
    files = [WEIGHTS] + [WEIGHTS.parent / "vgg8_flat.fer2013.tflite"] * (
        importlib.util.find_spec("ai_edge_litert") is not None
    )
    code, out, _ = run("prune-speed", *files, "--threads", 1, "--runs", 2, "--json")
    rows = json.loads(out)
    assert code == 0 and [(row["file"], row["threads"]) for row in rows] == [(str(file), 1) for file in files]
    assert [row["file_bytes"] for row in rows] == [file.stat().st_size for file in files]
