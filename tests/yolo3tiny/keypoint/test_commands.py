"""`python -m yolo3tiny keypoint`: a small network from training to figures, and wrong use."""

import dataclasses
import json

import numpy as np
import pytest

from fer_paddle.files import file_digest
from fer_paddle.images import read_image, write_image
from fer_paddle.training.run import load_best
from yolo3tiny.cli import main
from yolo3tiny.keypoint.predict import KeypointDetector
from yolo3tiny.keypoint.recipes import KEYPOINT_RECIPES, STRIPS, KeypointRecipe
from yolo3tiny.keypoint.strips import draw_strip

SMALL = dataclasses.replace(STRIPS, epochs=1, strips=8, sizes=((0, 96),))


def call(*argv):
    return main(["keypoint", *map(str, argv)])


def one_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two steps on drawn strips, then one from its weights on files of another look."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KEYPOINT_RECIPES, "strips", SMALL)
        patch.setitem(KEYPOINT_RECIPES, "fine_tune", dataclasses.replace(SMALL, name="fine_tune"))
        patch.setattr("yolo3tiny.keypoint.train.VALID_STRIPS", 4)
        assert call("train", "--out", folder / "belt") == 0
        assert call("draw", "--out", folder / "strips", "--look", "road", "--strips", 12) == 0
        start = ("--start", folder / "belt" / "keypoint.safetensors", "--accumulate", 2)
        tuned = ("train", "--data", folder / "strips", "--recipe", "fine_tune", *start, "--out", folder / "road")
        assert call(*tuned) == 0
    return folder


def test_a_run_becomes_a_network_that_says_what_it_is(run):
    card = json.loads((run / "road" / "keypoint.json").read_text())
    assert (card["task"], card["classes"]) == ("keypoint", ["diamond", "tee"])
    assert KeypointRecipe.from_json(card["recipe"]) == dataclasses.replace(SMALL, name="fine_tune", accumulate=2)
    assert card["trained_on"] == "strips: 10 strips, validated on 2" and card["hours"] >= 0
    assert card["largest_difference_from_paddle"] < 1e-4
    begun = load_best(run / "road")[1]["task"]["start_digest"]
    assert begun == file_digest(run / "belt" / "keypoint.safetensors")
    detectors = [
        KeypointDetector(run / "road" / "keypoint.onnx", threads=1),
        KeypointDetector(run / "road" / "keypoint.safetensors", runtime="dynamic"),
    ]
    image = draw_strip("road", 1, (160, 320)).image
    first, second = (detector(image, 0.0) for detector in detectors)
    assert detectors[0].classes == detectors[1].classes == ("diamond", "tee")
    np.testing.assert_allclose(np.sort(first.scores), np.sort(second.scores), atol=1e-4)


@pytest.mark.slow
def test_a_run_that_has_ended_goes_on_for_more_epochs(tmp_path, monkeypatch, capsys):
    recipe = dataclasses.replace(SMALL, epochs=2, sizes=((0, 96), (1, 128)))
    monkeypatch.setitem(KEYPOINT_RECIPES, "strips", recipe)
    monkeypatch.setattr("yolo3tiny.keypoint.train.VALID_STRIPS", 2)
    assert call("train", "--out", tmp_path, "--json") == 0
    begun = json.loads(capsys.readouterr().out)
    assert call("train", "--out", tmp_path, "--json", "--resume", "--epochs", 4) == 0
    history = json.loads(capsys.readouterr().out)
    assert len(history) == 4 and history[:2] == begun


def test_figures_of_drawn_strips_and_of_files(run, capsys):
    weights = ("--weights", run / "road" / "keypoint.onnx", "--min-score", 0, "--json")
    assert call("evaluate", *weights, "--look", "road", "--strips", 3) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert (drawn["strips"], drawn["look"], drawn["drift"]) == (3, "road", [1.0, 1.2])
    assert drawn["images_per_second"] > 0 and len(drawn["confusion"]) == 3
    assert call("evaluate", *weights, "--data", run / "strips", "--split", "held_out") == 0
    assert json.loads(capsys.readouterr().out)["strips"] == 2


def test_detect_takes_any_width_and_names_a_bad_image(run, tmp_path, capsys):
    write_image(tmp_path / "odd.png", draw_strip("road", 2, (100, 333)).image)
    (tmp_path / "bad.png").write_bytes(b"no image")
    weights = ("--weights", run / "road" / "keypoint.onnx", "--min-score", 0)
    assert call("detect", tmp_path, "--out", tmp_path / "out", *weights, "--json") == 1
    shown = capsys.readouterr()
    (image,) = json.loads(shown.out)["images"]
    assert (image["width"], image["height"]) == (333, 100) and len(image["marks"]) > 0
    assert all(0 <= mark["score"] <= 1 and mark["class"] in ("diamond", "tee") for mark in image["marks"])
    assert "bad.png" in shown.err and read_image(tmp_path / "out" / "odd.png").shape == (100, 333, 3)
    assert call("detect", tmp_path / "odd.png", *weights[:-1], 1) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [str(tmp_path / "odd.png"), "no", "mark"]


WRONG = [
    ["evaluate", "--look", "belt", "--weights", "{road}"],
    ["evaluate", "--drift", "1", "--weights", "{belt}"],
    ["evaluate", "--data", "{strips}", "--weights", "{belt}"],
    ["evaluate", "--data", "{strips}", "--look", "road", "--weights", "{road}"],
    ["evaluate", "--split", "held_out", "--weights", "{belt}"],
    ["train", "--out", "{new}", "--classes", "cross", "--data", "{strips}"],
    ["train", "--out", "{new}", "--start", "nosuch.safetensors"],
    ["train", "--out", "{new}", "--data", "{empty}"],
    ["train", "--out", "{new}", "--data", "{strips}", "--look", "road"],
    ["train", "--out", "{run}"],
    ["export", "--run", "{empty}", "--out", "{new}"],
    ["export", "--run", "{run}", "--out", "{run}/best.onnx"],
    ["draw", "--out", "{strips}"],
]


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_wrong_use_is_one_line_and_leaves_nothing(run, tmp_path, capsys, argv):
    (tmp_path / "empty").mkdir()
    places = {"new": tmp_path / "new", "empty": tmp_path / "empty", "run": run / "belt", "strips": run / "strips"}
    places |= {name: run / name / "keypoint.onnx" for name in ("belt", "road")}
    assert call(*(word.format(**places) for word in argv)) == 2
    line = one_line(capsys)
    assert "expected" in line or "is not one of" in line
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
