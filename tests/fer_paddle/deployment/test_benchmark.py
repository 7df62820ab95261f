"""What the benchmark measures, on a network that takes no time; no figure of time is checked."""

import csv
import dataclasses
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from fer_paddle.analysis.plots import save_figure
from fer_paddle.apps import speed
from fer_paddle.deployment import benchmark
from fer_paddle.deployment.benchmark import Case, measure, network_digest
from fer_paddle.deployment.benchmark_report import disambiguate, draw_rows, write_csv
from fer_paddle.deployment.benchncnn import bench
from fer_paddle.deployment.convert import convert_onnx
from fer_paddle.expression.predict import classifier_file
from fer_paddle.files import file_digest
from fer_paddle.study import Study
from tests.fer_paddle.small_onnx import make_onnx
from yolo3tiny.predict import WEIGHTS as DETECTOR_WEIGHTS

SMALL = classifier_file("vgg8_flat.fer2013")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An ONNX file that says it is an expression network of 8 px faces: one convolution."""
    nodes = [helper.make_node("Conv", ["images", "w"], ["y"])]
    model = make_onnx(nodes, {"w": np.ones((2, 1, 3, 3))}, (1, 8, 8), name="images", input_size="8")
    path = tmp_path_factory.mktemp("微") / "tiny.onnx"
    onnx.save(model, path)
    return path


def case(path, **changes):
    about = {"network": "tiny", "runtime": "onnx", "precision": "fp32", "threads": 1, "batch": 2, "runs": 3}
    return Case(**(about | {"file": str(path), "sha256": file_digest(path), "shape": (1, 8, 8)} | changes))


def change_metadata(path, changed, **metadata):
    """Writes a network again with other metadata: another file."""
    model = onnx.load(path)
    helper.set_model_props(model, {"input_size": "8"} | metadata)
    onnx.save(model, changed)


@pytest.fixture
def pretend(monkeypatch):
    """Measures nothing: the cases that were asked for, while each is a row of one millisecond."""
    cases = []

    def one_millisecond(case):
        cases.append(case)
        return dataclasses.asdict(case) | {"median_ms": 1.0}

    monkeypatch.setattr(benchmark, "measure", one_millisecond)
    return cases


def compare(weights, runtimes, *args, **settings):
    return benchmark.compare_runtimes(weights, speed.input_shape, speed.LOADER, runtimes, *args, **settings)


def test_a_row_tells_time_memory_size_and_load(tiny):
    row = measure(case(tiny))
    assert (row["network"], row["threads"], row["batch"], row["runs"]) == ("tiny", 1, 2, 3)
    assert row["file_bytes"] == tiny.stat().st_size and row["file"] == "tiny.onnx"
    assert row["sha256"] == file_digest(tiny)
    assert 0 < row["median_ms"] <= row["p95_ms"] and 0 < row["load_ms"] < row["start_ms"]
    assert row["images_per_s"] == pytest.approx(2e3 / row["median_ms"])
    assert row["peak_mb"] is None or 20 < row["peak_mb"] < 2000


def test_a_runtime_that_fails_is_a_row_too(tiny):
    row = measure(case(tiny, shape=(3, 8, 8)))  # the network takes one channel
    assert "median_ms" not in row and row["error"].startswith("ended with 1: ") and "\n" not in row["error"]


def test_rows_are_all_that_was_asked_for(tiny, pretend):
    rows = compare([tiny], ["onnx", "openvino", "paddle"], threads=[1, 2], batches=[4], runs=7)
    shown = [(case.runtime, case.precision, case.threads, case.batch, case.shape, case.runs) for case in pretend]
    assert shown == [
        (*what, threads, 4, (1, 8, 8), 7)
        for what in (("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
        for threads in (1, 2)
    ]
    refused = [row for row in rows if "error" in row]
    assert [row["runtime"] for row in refused] == ["paddle"] * 2  # there is no tiny.safetensors
    assert "tiny.safetensors" in refused[0]["error"]


@pytest.mark.parametrize(
    ("suffix", "runtimes", "precisions", "says"),
    [
        (".onnx", ["openvino"], ["int8"], r"a precision that there is for tiny.onnx \(openvino fp32, .*\), got int8"),
        (".onnx", ["mnn"], ["fp16", "bf16"], r"\(mnn fp32, mnn int8\), got fp16, bf16"),
        (".param", ["onnx", "mnn"], None, "a runtime that reads tiny.param, got onnx, mnn"),
        (".param", ["ncnn"], ["fp16"], r"\(ncnn fp32\), got fp16"),
    ],
)
def test_nothing_to_measure_is_an_error(suffix, runtimes, precisions, says, tiny, tmp_path, pretend):
    shutil.copy(tiny, tmp_path)
    convert_onnx(tiny, tmp_path / "tiny.param")
    with pytest.raises(ValueError, match=says):
        compare([tmp_path / f"tiny{suffix}"], runtimes, precisions)
    assert not pretend


@pytest.mark.parametrize("change", [{"runs": 0}, {"threads": [0]}, {"batches": [1, 2.5]}, {"runtimes": ["caffe"]}])
def test_counts_below_one_and_unknown_runtimes_are_refused(change, tiny, pretend):
    with pytest.raises(ValueError, match="^expected (threads, batches and runs of 1|an integer|a runtime of onnx)"):
        compare([tiny], **{"runtimes": ["onnx"], **change})
    assert not pretend


@pytest.mark.parametrize(
    ("weights", "runtime", "suffix"),
    [
        (SMALL, "dynamic", ".safetensors"),
        (SMALL.with_suffix(".safetensors"), "paddle", ".pdmodel"),
        (DETECTOR_WEIGHTS.with_suffix(".safetensors"), "dynamic", ".safetensors"),
    ],
)
def test_paddles_runtimes_read_safetensors(weights, runtime, suffix, pretend):
    compare([weights], [runtime], ["fp32"], threads=[1], batches=[1])
    expected = weights.with_suffix(suffix).name if runtime == "dynamic" else f"0-{weights.stem}-fp32{suffix}"
    assert (Path(pretend[0].file).name, pretend[0].shape) == (expected, speed.input_shape(weights.with_suffix(".onnx")))


def test_what_was_measured_before_is_not_measured_again(tiny, pretend, tmp_path):
    study = Study(tmp_path / "benchmark.json", {})
    arguments = {"runtimes": ["onnx", "paddle"], "batches": [4], "runs": 7}
    rows = compare([tiny], **arguments, threads=[1, 2], study=study)
    assert [case.threads for case in pretend] == [1, 2]
    assert ["error" in row for row in rows] == [False, False, True, True]  # Paddle has no tiny.safetensors
    again = compare([tiny], **arguments, threads=[1, 2, 4], study=Study(study.path, {}))
    assert [case.threads for case in pretend[2:]] == [4] and len(again) == 5
    other_runs = compare([tiny], **(arguments | {"runs": 8}), threads=[1], study=Study(study.path, {}))
    assert len(pretend) == 4 and other_runs[0]["runs"] == 8
    assert [row.get("threads") for row in Study(study.path, {}).rows] == [1, 2, 4, 1, None, None]


def test_another_file_of_the_same_name_is_measured(tiny, tmp_path, pretend):
    """Every run of `train` writes a model.onnx."""
    study, paths = Study(None, {}), [tmp_path / run / "model.onnx" for run in "ab"]
    for path in paths:
        path.parent.mkdir()
        change_metadata(tiny, path, run=path.parent.name)
        compare([path], runtimes=["onnx"], threads=[1], batches=[1], study=study)
    assert [case.sha256 for case in pretend] == [file_digest(path) for path in paths]
    assert [row["network"] for row in disambiguate(study.rows)] == [f"model {file_digest(p)[:8]}" for p in paths]


def test_other_weights_are_another_network_in_ncnn(tiny, tmp_path):
    """Two runs of one design have the same .param: their weights are in the .bin beside it."""
    path = tmp_path / "tiny.param"
    convert_onnx(tiny, path)
    digest, text = network_digest(path), path.read_text(encoding="utf-8")
    model = onnx.load(tiny)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((2, 1, 3, 3), 2, np.float32), "w"))
    onnx.save(model, tmp_path / "tiny.onnx")
    convert_onnx(tmp_path / "tiny.onnx", path)
    assert path.read_text(encoding="utf-8") == text and network_digest(path) != digest


def test_a_table_and_a_image(tmp_path):
    row = {"network": "a", "runtime": "onnx", "precision": "fp32", "threads": 1, "batch": 1, "median_ms": 1.23456}
    row |= {"p95_ms": 2.0, "file": "a.onnx", "runs": 3, "shape": [1, 8, 8]}
    rows = [row, row | {"runtime": "ncnn", "threads": 2}, {"network": "a", "runtime": "mnn", "error": "no"}]
    write_csv(tmp_path / "b.csv", rows)
    with (tmp_path / "b.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [one["runtime"] for one in read] == ["onnx", "ncnn", "mnn"]
    assert (read[0]["median_ms"], read[2]["median_ms"], read[2]["error"]) == ("1.235", "", "no")
    larger = row | {"network": "a_int8.tag", "precision": "int8", "batch": 8}
    photo = row | {"network": "b", "shape": [3, 8, 8]}
    labels = [[text.get_text() for text in axis.get_yticklabels()] for axis in draw_rows([*rows, larger, photo]).axes]
    assert labels[0] == ["onnx fp32, 1 thread", "ncnn fp32, 2 threads"]
    assert labels[1:] == [["onnx int8, 1 thread"], ["onnx fp32, 1 thread"], []]
    save_figure(draw_rows(rows), tmp_path / "b.png")
    assert cv2.imread(str(tmp_path / "b.png")).std() > 5
    with pytest.raises(ValueError, match="got none"):
        draw_rows(rows[2:])


def test_the_boards_bench(tiny):
    pytest.importorskip("ncnn")
    figures = bench(tiny, 8, 8, loops=3)
    assert 0 < figures["min_ms"] <= figures["avg_ms"] <= figures["max_ms"] and figures["loops"] == 3
