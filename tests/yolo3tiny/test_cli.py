"""`python -m yolo3tiny`: what each command prints and writes, and its exit codes."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_paddle import drawing
from fer_paddle.images import read_image, write_image
from tests.yolo3tiny.samples import SMALL, make_photo, white_finder, white_on_black, write_coco
from yolo3tiny import predict as detector
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.cli import main
from yolo3tiny.recipes import DETECTOR_RECIPES

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = {"epochs": 4, "batch_size": 4, "sizes": ((0, 64), (2, 96)), "validate_every": 2}
RECIPE = dataclasses.replace(SMALL, **STAGES, augment=AugmentConfig(grids=(2,)))


def call(*argv):
    """The exit code of a command."""
    return main([str(word) for word in argv])


@pytest.fixture
def finder(monkeypatch):
    """Detectors find white rectangles, whatever their file."""
    monkeypatch.setattr(detector, "load_network", lambda *args: white_finder)


@pytest.fixture
def images(tmp_path):
    """A folder with two images, one of them with a face at 20, 10 to 60, 50."""
    write_image(tmp_path / "none.png", white_on_black(100, 200))
    write_image(tmp_path / "one.png", white_on_black(100, 200, (20, 10, 60, 50)))
    return tmp_path


WRONG = [
    [],
    ["detect"],
    ["detect", "nosuch.jpg"],
    ["detect", "{one}", "--min-score", "2"],
    ["detect", "{one}", "--weights", "nosuch.onnx"],
    ["detect", "{one}", "--weights", "{one}"],
    ["evaluate", "--data", "nosuch.tar"],
    ["evaluate", "--data", "{photos}", "--split", "nosuch"],
    ["evaluate", "--data", "{photos}", "--tiles", "crowds=64"],
    ["train", "--data", "{photos}"],
    ["train", "--data", "{photos}", "--out", "{out}", "--repeat", "drawn"],
    ["train", "--data", "{photos}", "--out", "{out}", "--start", "nosuch.safetensors"],
    ["train", "--data", "{photos}", "--out", "{out}", "--start", "yolo3tiny_int8.face"],
]


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_wrong_use_is_one_line_and_2(argv, images, photo_folder, capsys, request):
    if "--weights" not in argv:
        request.getfixturevalue("finder")
    (images / "empty").mkdir()
    places = {"one": images / "one.png", "empty": images / "empty", "photos": photo_folder, "out": images / "out"}
    assert call(*(word.format(**places) for word in argv)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert not (images / "out").exists()


# detect


def test_detect_goes_past_bad_images(images, finder, capsys):
    (images / "empty.jpg").write_bytes(b"")
    (images / "cut.png").write_bytes((images / "one.png").read_bytes()[:60])
    assert call("detect", images, "--out", images / "drawn", "--json") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [Path(row["file"]).name for row in told["images"]] == ["none.png", "one.png"]
    assert [Path(row["file"]).name for row in told["failed"]] == ["cut.png", "empty.jpg"]
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "error"]

    (face,) = told["images"][1]["faces"]
    np.testing.assert_allclose(face["box_xyxy"], [20, 10, 60, 50], atol=1)
    assert face["score"] > 0.99 and face["class"] == "face" and told["images"][0]["faces"] == []
    assert sorted(path.name for path in (images / "drawn").iterdir()) == ["detected.json", "none.png", "one.png"]
    written = json.loads((images / "drawn" / "detected.json").read_text(encoding="utf-8"))
    assert (written["images"], written["failed"]) == (told["images"], told["failed"])
    before, drawn = read_image(images / "one.png"), read_image(images / "drawn" / told["images"][1]["drawn"])
    assert drawn.shape == before.shape and (drawn != before).any()
    np.testing.assert_array_equal(read_image(images / "drawn" / "none.png"), read_image(images / "none.png"))


def test_detect_names_another_class(images, monkeypatch, capsys):
    def finder(images):
        return white_finder(images)

    finder.metadata = {"classes": '["手 hand"]'}
    monkeypatch.setattr(detector, "load_network", lambda *args: finder)
    titles = []
    monkeypatch.setattr(drawing, "_write", lambda draw, text, *_: titles.append(text))
    assert call("detect", images, "--out", images / "drawn") == 0
    none, one = capsys.readouterr().out.splitlines()[1:]
    assert "no 手 hand" in none and one.split()[1:4] == ["手", "hand", "1.00"] and titles == ["手 hand 1.00"]
    written = json.loads((images / "drawn" / "detected.json").read_text(encoding="utf-8"))
    assert written["images"][1]["faces"][0]["class"] == "手 hand"


# evaluate


def test_evaluate_prints_figures(photo_folder, make_onnx, capsys):
    weights = make_onnx()
    argv = ["evaluate", "--data", photo_folder, "--split", "held_out", "--weights", weights, "--threads", "1"]
    assert call(*argv, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["photos"], told["longest"], told["split"]) == (3, 416, "held_out")
    assert 0 <= told["ap"] <= 1 and told["latency_ms"] > 0
    assert told["weights"] == str(weights)

    assert call(*argv, "--longest", "128") == 0
    rows = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert rows["longest"] == "128" and rows["photos"] == "3"


# train and export: one small run for all


@pytest.fixture(scope="module")
def run(photo_folder, tmp_path_factory):
    """The folder of a small training, and what it printed as JSON."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    argv = ["train", "--data", photo_folder, "--recipe", "small", "--out", folder, "--threads", "1", "--json"]
    script = (
        "import json, sys; from yolo3tiny.recipes import DETECTOR_RECIPES, DetectorRecipe as R;"
        "recipe = R.from_json(json.loads(sys.argv.pop(1))); DETECTOR_RECIPES[recipe.name] = recipe;"
        "from yolo3tiny.cli import main; sys.exit(main())"
    )
    done = run_python(REPOSITORY, "-c", script, json.dumps(RECIPE.to_json()), *argv)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)  # JSON alone, whatever Paddle2ONNX printed


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(DETECTOR_RECIPES, "small", RECIPE)


@pytest.mark.slow
def test_train_leaves_a_detector(run, images, capsys):
    folder, history = run
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert ["valid_ap" in record for record in history] == [False, True, False, True]
    for name in ("best.safetensors", "best.json", "curves.png", "visualdl", "detector.onnx", "detector.json"):
        assert (folder / name).exists(), name
    assert call("detect", images / "one.png", "--weights", folder / "detector.onnx", "--json") == 0
    card = json.loads((folder / "detector.json").read_text())
    assert card["trained_on"].endswith("21 photos, validated on 3 others (every tenth)")


@pytest.fixture
def runs(run, photo_folder, tmp_path):
    """Places: the finished run, one of another network, photos of which a box was changed, a new folder."""
    progress = json.loads((run[0] / "last.json").read_text())
    progress |= {"config": {"name": "strong"}, "task": {}}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "last.json").write_text(json.dumps(progress))
    changed = tmp_path / photo_folder.name
    shutil.copytree(photo_folder, changed)
    table = json.loads((changed / "annotations.json").read_text())
    table["annotations"][0]["bbox"][0] += 1  # as many photos and boxes as before
    (changed / "annotations.json").write_text(json.dumps(table))
    return {
        "run": run[0],
        "other": tmp_path / "other",
        "changed": changed,
        "photos": photo_folder,
        "new": tmp_path / "new",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ("--data {photos} --out {run}", "resume it or choose another folder"),
        ("--data {photos} --out {run} --resume", None),  # it was finished: nothing is left to train
        ("--data {changed} --out {run} --resume", "data_digests"),
        ("--data {changed} --out {run} --resume --data-changed", None),
        ("--data {photos} --out {other} --resume", "expected the run of a face detector"),
        ("--data {photos} --out {new} --batch-size 99", "smaller batch"),
        ("--data {photos} --out {new} --repeat karan=2", "karan"),
    ],
)
def test_train_goes_on_with_the_same_run_only(argv, why, run, runs, small, capsys):
    words = [word.format(**runs) for word in argv.split()]
    assert call("train", "--recipe", "small", *words, "--json") == (2 if why else 0)
    out, err = capsys.readouterr()
    assert why in err if why else json.loads(out) == run[1], err


@pytest.mark.slow
def test_export_prints_the_card(run, tmp_path, capfd):
    path = tmp_path / "new" / "face.onnx"
    argv = ["export", "--run", run[0], "--out", path, "--trained-on", "drawings"]
    assert call(*argv, "--json") == 0
    assert json.loads(capfd.readouterr().out)["trained_on"] == "drawings"
    assert sorted(child.name for child in path.parent.iterdir()) == [
        *("face.json", "face.onnx", "face.onnx.parity.json", "face.safetensors")
    ]


# quantize


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--calibrate", "{images}"], 0), ([], 2), (["--calibrate", "{images}", "--methods", "slim-qat"], 2)],
)
def test_quantize_needs_photos_to_train_on_where_it_uses_them(options, code, images, monkeypatch, capsys):
    photo = make_photo("one.png", [(20, 10, 60, 50)], split="val")
    write_coco(images / "annotations.json", [dataclasses.replace(photo, size_hw=(100, 200))])
    monkeypatch.setattr("fer_paddle.environment.prepare", lambda threads=None: None)
    monkeypatch.setattr("fer_paddle.compression.quantize.compare", lambda *args: {"rows": []})
    options = [word.format(images=images) for word in options]
    assert call("quantize", "--data", images, "--out", images.with_name("out"), *options) == code
    assert ("got none of 'train'" in capsys.readouterr().err) == (code == 2)


# From the shell


def run_python(folder, *words):
    command, environment = [sys.executable, *map(str, words)], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_from_the_shell(images, make_onnx):
    done = run_python(images, "-m", "yolo3tiny", "detect", "one.png", "--weights", make_onnx(), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["images"][0]["width"] == 200
