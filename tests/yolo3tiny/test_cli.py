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

from fer_paddle.images import read_image, write_image
from tests.yolo3tiny.coco import write_coco
from yolo3tiny import predict as detector
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.cli import main
from yolo3tiny.recipes import DETECTOR_RECIPES, DetectorRecipe

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = DetectorRecipe(
    name="small",
    epochs=4,
    batch_size=4,
    sizes=((0, 64), (2, 96)),
    width=0.25,
    learning_rate=3e-3,
    longest=96,
    validate_every=2,
    augment=AugmentConfig(grids=(2,)),
)


def call(*argv):
    """The exit code of a command."""
    return main([str(word) for word in argv])


@pytest.fixture
def finder(white_finder, monkeypatch):
    """Detectors find white rectangles, whatever their file."""
    monkeypatch.setattr(detector, "load_network", lambda *args: white_finder)


@pytest.fixture
def pictures(tmp_path):
    """A folder with two pictures, one of them with a face at 20, 10 to 60, 50."""
    image = np.zeros((100, 200, 3), np.uint8)
    write_image(tmp_path / "none.png", image)
    image[10:50, 20:60] = 255
    write_image(tmp_path / "one.png", image)
    return tmp_path


def test_every_command_has_help_and_json(capsys):
    for command in ("detect", "train", "evaluate", "export", "prune", "quantize"):
        assert call(command, "--help") == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage: python -m yolo3tiny {command}") and "--json" in shown


WRONG = [
    [],
    ["find"],
    ["detect"],
    ["detect", "nosuch.jpg"],
    ["detect", "*.nosuch"],
    ["detect", "{empty}"],
    ["detect", "{one}", "--min-score", "2"],
    ["detect", "{one}", "--min-score", "high"],
    ["detect", "{one}", "--weights", "nosuch.onnx"],
    ["detect", "{one}", "--weights", "{one}"],
    ["evaluate", "--data", "nosuch.tar"],
    ["evaluate", "--data", "{empty}"],
    ["evaluate", "--data", "{photos}", "--split", "nosuch"],
    ["evaluate", "--data", "{photos}", "--longest", "0"],
    ["train", "--data", "{photos}"],
    ["train", "--data", "{photos}", "--out", "{out}", "--recipe", "nosuch"],
    ["train", "--data", "{photos}", "--out", "{out}", "--epochs", "none"],
    ["train", "--data", "{photos}", "--out", "{out}", "--repeat", "drawn"],
    ["train", "--data", "{photos}", "--out", "{out}", "--repeat", "drawn=0"],
    ["export", "--run", "{empty}"],
]


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_wrong_use_is_one_line_and_2(argv, pictures, photo_folder, capsys, request):
    if "--weights" not in argv:
        request.getfixturevalue("finder")
    (pictures / "empty").mkdir()
    places = {"one": pictures / "one.png", "empty": pictures / "empty", "photos": photo_folder, "out": pictures / "out"}
    assert call(*(word.format(**places) for word in argv)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert not (pictures / "out").exists()


# detect


def test_detect_prints_a_table(pictures, finder, capsys):
    assert call("detect", pictures / "one.png", pictures / "none.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["score", "place", "and", "size"],
        ["1.00", "20,10", "40x40"],
        ["no", "face"],
    ]


def test_detect_goes_past_bad_pictures(pictures, finder, capsys):
    (pictures / "empty.jpg").write_bytes(b"")
    (pictures / "cut.png").write_bytes((pictures / "one.png").read_bytes()[:60])
    assert call("detect", pictures, "--out", pictures / "drawn", "--json") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [Path(row["file"]).name for row in told["pictures"]] == ["none.png", "one.png"]
    assert [Path(row["file"]).name for row in told["failed"]] == ["cut.png", "empty.jpg"]
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "error"]

    (face,) = told["pictures"][1]["faces"]
    np.testing.assert_allclose(face["box_xyxy"], [20, 10, 60, 50], atol=1)
    assert face["score"] > 0.99 and told["pictures"][0]["faces"] == []
    assert sorted(path.name for path in (pictures / "drawn").iterdir()) == ["detected.json", "none.png", "one.png"]
    written = json.loads((pictures / "drawn" / "detected.json").read_text(encoding="utf-8"))
    assert (written["pictures"], written["failed"]) == (told["pictures"], told["failed"])
    before, drawn = read_image(pictures / "one.png"), read_image(told["pictures"][1]["drawn"])
    assert drawn.shape == before.shape and (drawn != before).any()
    np.testing.assert_array_equal(read_image(pictures / "drawn" / "none.png"), read_image(pictures / "none.png"))


def test_detect_takes_globs_and_keeps_originals(pictures, finder, capsys):
    before = (pictures / "one.png").read_bytes()
    assert call("detect", pictures / "o*.png", "--out", pictures, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["pictures"]
    assert Path(row["drawn"]).name == "one-2.png"
    assert (pictures / "one.png").read_bytes() == before


@pytest.mark.parametrize(
    ("pattern", "out", "names"),
    [
        (".", "drawn", ["none.png", "one.png"]),
        ("one.png", ".", ["one-2.png"]),
        ("*.png", ".", ["none-2.png", "one-2.png"]),
        ("more/one.png", ".", ["one-2.png"]),  # one.png is not read here, and stays
    ],
)
def test_detect_again_gives_the_same(pattern, out, names, pictures, finder, capsys, monkeypatch):
    monkeypatch.chdir(pictures)
    (pictures / "more").mkdir()
    if pattern.startswith("more"):
        write_image(pictures / "more" / "one.png", np.zeros((50, 50, 3), np.uint8))
    before = {path: path.read_bytes() for path in pictures.glob("*.png")}
    for _ in range(3):
        assert call("detect", pattern, "--out", out, "--json") == 0
        told = json.loads(capsys.readouterr().out)["pictures"]
        assert [Path(row["drawn"]).name for row in told] == names
    assert {path: path.read_bytes() for path in before} == before


def test_detect_heeds_the_score(pictures, make_heads, monkeypatch, capsys):
    def unsure(images):
        return make_heads([(10, 10, 40, 40)], images.shape[2:], logits=[0.5])  # a score of 0.62

    monkeypatch.setattr(detector, "load_network", lambda *args: unsure)
    for min_score, num_faces in (("0.6", 1), ("0.7", 0)):
        assert call("detect", pictures / "one.png", "--min-score", min_score, "--json") == 0
        assert len(json.loads(capsys.readouterr().out)["pictures"][0]["faces"]) == num_faces


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
    command = [sys.executable, "-c", script, json.dumps(SMALL.to_json()), *map(str, argv)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)  # JSON alone, whatever Paddle2ONNX printed


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(DETECTOR_RECIPES, "small", SMALL)


@pytest.mark.slow
def test_train_leaves_a_detector(run, pictures, capsys):
    folder, history = run
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert ["valid_ap" in record for record in history] == [False, True, False, True]
    for name in ("best.safetensors", "best.json", "curves.png", "visualdl", "detector.onnx", "detector.json"):
        assert (folder / name).exists(), name
    assert call("detect", pictures / "one.png", "--weights", folder / "detector.onnx", "--json") == 0
    card = json.loads((folder / "detector.json").read_text())
    assert card["trained_on"].endswith("21 photos, validated on 3 others (every tenth)")


@pytest.mark.slow
def test_train_does_not_overwrite_a_run(run, photo_folder, small, capsys):
    argv = ["train", "--data", photo_folder, "--recipe", "small", "--out", run[0]]
    assert call(*argv) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.slow
def test_train_resumes_only_the_same_run(run, photo_folder, small, capsys):
    argv = ["train", "--data", photo_folder, "--recipe", "small", "--out", run[0], "--resume"]
    assert call(*argv, "--epochs", 6) == 2
    assert "epochs" in capsys.readouterr().err
    assert call(*argv, "--json") == 0  # it was finished: nothing is left to train
    assert json.loads(capsys.readouterr().out) == run[1]


@pytest.mark.slow
def test_train_resumes_on_other_data_only_knowingly(run, photo_folder, small, tmp_path, capsys):
    shutil.copytree(photo_folder, tmp_path / photo_folder.name)
    table = json.loads((tmp_path / photo_folder.name / "annotations.json").read_text())
    table["annotations"][0]["bbox"][0] += 1  # as many photos and boxes as before
    (tmp_path / photo_folder.name / "annotations.json").write_text(json.dumps(table))
    argv = ["train", "--data", tmp_path / photo_folder.name, "--recipe", "small", "--out", run[0], "--resume"]
    assert call(*argv) == 2
    assert "data_digests" in capsys.readouterr().err
    assert call(*argv, "--data-changed") == 0


@pytest.mark.slow
def test_train_does_not_resume_another_kind_of_run(run, photo_folder, small, tmp_path, capsys):
    progress = json.loads((run[0] / "last.json").read_text())
    progress |= {"config": {"name": "strong"}, "task": {}}
    (tmp_path / "last.json").write_text(json.dumps(progress))
    assert call("train", "--data", photo_folder, "--recipe", "small", "--out", tmp_path, "--resume") == 2
    assert "expected the run of a face detector" in capsys.readouterr().err


@pytest.mark.slow
def test_train_counts_what_it_is_told(run, photo_folder, small, tmp_path, capsys):
    argv = ["train", "--data", photo_folder, "--recipe", "small", "--out", tmp_path / "run"]
    assert call(*argv, "--batch-size", "99") == 2
    assert "smaller batch" in capsys.readouterr().err
    assert call(*argv, "--repeat", "karan=2") == 2
    assert "karan" in capsys.readouterr().err


@pytest.mark.slow
def test_export_prints_the_card(run, tmp_path, capfd):
    path = tmp_path / "new" / "face.onnx"
    argv = ["export", "--run", run[0], "--out", path, "--trained-on", "drawings"]
    assert call(*argv, "--json") == 0
    assert json.loads(capfd.readouterr().out)["trained_on"] == "drawings"
    assert sorted(child.name for child in path.parent.iterdir()) == [
        *("face.json", "face.onnx", "face.onnx.parity.json", "face.safetensors")
    ]


@pytest.mark.slow
def test_export_does_not_replace_the_runs_own_weights(run, capsys):
    before = (run[0] / "best.json").read_bytes()
    assert call("export", "--run", run[0], "--out", run[0] / "best.onnx") == 2
    assert "of the run alone" in capsys.readouterr().err
    assert (run[0] / "best.json").read_bytes() == before


def test_ctrl_c_is_130(photo_folder, small, tmp_path, monkeypatch, capsys):
    from yolo3tiny import train

    def interrupt(*args):
        raise KeyboardInterrupt("stopped by Ctrl-C")

    monkeypatch.setattr(train, "train_from_files", interrupt)
    argv = ["train", "--data", photo_folder, "--recipe", "small", "--out", tmp_path / "run"]
    assert call(*argv) == 130
    assert capsys.readouterr().err == "error: stopped by Ctrl-C\n"


def test_a_folder_that_is_a_file_is_2(pictures, finder, capsys):
    (pictures / "file").write_text("in the way")
    assert call("detect", pictures / "one.png", "--out", pictures / "file") == 2
    assert capsys.readouterr().err == f"error: expected a folder, got the file {pictures / 'file'}\n"


# quantize


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--calibrate", "{pictures}"], 0), ([], 2), (["--calibrate", "{pictures}", "--methods", "slim-qat"], 2)],
)
def test_quantize_needs_photos_to_train_on_where_it_uses_them(options, code, pictures, make_photo, monkeypatch, capsys):
    photo = make_photo("one.png", [(20, 10, 60, 50)], split="val")
    write_coco(pictures / "annotations.json", [dataclasses.replace(photo, size_hw=(100, 200))])
    monkeypatch.setattr("fer_paddle.environment.prepare", lambda threads=None: None)
    monkeypatch.setattr("fer_paddle.compression.quantize.compare", lambda *args: {"rows": []})
    options = [word.format(pictures=pictures) for word in options]
    assert call("quantize", "--data", pictures, "--out", pictures / "out", *options) == code
    assert ("got none of 'train'" in capsys.readouterr().err) == (code == 2)


# From the shell


def test_from_the_shell(pictures, make_onnx):
    command = [sys.executable, "-m", "yolo3tiny", "detect", "one.png", "--weights", make_onnx(), "--json"]
    done = subprocess.run(command, cwd=pictures, capture_output=True, text=True, env=shell_environment(), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["pictures"][0]["width"] == 200


def test_detect_starts_without_paddle(pictures, make_onnx):
    code = (
        "import sys; from yolo3tiny.cli import main;"
        f"main(['detect', 'one.png', '--weights', {str(make_onnx())!r}]);"
        "sys.exit('paddle' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=pictures, capture_output=True, text=True, env=shell_environment(), check=False)
    assert done.returncode == 0, done.stderr


def shell_environment():
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
