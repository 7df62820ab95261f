"""The command line as a person meets it: exit codes, one-line errors, JSON alone on stdout, files written."""

import json
import re
import subprocess
import sys
from typing import get_args

import click
import cv2
import numpy as np
import pytest

from fer_paddle import __version__, drawing
from fer_paddle.apps.cli import APP, main
from fer_paddle.deployment.runtimes import RUNTIMES
from fer_paddle.drawn import draw_scene, make_faces
from fer_paddle.expression.recipes import RECIPES
from fer_paddle.images import read_image, write_image
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH
from fer_paddle.options import Runtime, read_parameters
from yolo3tiny.cli import APP as DETECTOR_APP

COMMANDS = (
    *("collect", "report", "benchmark-augment", "recognize", "demo", "train", "evaluate"),
    *("explain", "export", "benchmark", "bench", "prune", "prune-speed", "quantize", "study"),
)
HIDDEN = ("compare", "curves", "study-scale", "study-augment", "distill", "measure", "calibrate", "card")


def run(capsys, *args):
    """Runs the command line in this process: (exit code, stdout, stderr)."""
    code = main([str(arg) for arg in args])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def class_folders(tmp_path_factory):
    """Drawn faces as class folders with English, Chinese and numbered names."""
    folder = tmp_path_factory.mktemp("表情")
    faces = make_faces(70, size=48, seed=1)
    for number, (image, label) in enumerate(zip(faces.images, faces.labels)):
        name = (EXPRESSIONS[label], EXPRESSIONS_ZH[label], f"{label}_{EXPRESSIONS[label].title()}")[label % 3]
        (folder / name).mkdir(exist_ok=True)
        write_image(folder / name / f"图{number}.png", image)
    return folder


def test_the_commands_are_these(capsys):
    _, out, _ = run(capsys, "--help")
    assert tuple(re.findall(r"^  ([a-z-]+)", out.partition("Commands:")[2], flags=re.MULTILINE)) == COMMANDS
    assert run(capsys, "--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("command", [*COMMANDS, *HIDDEN])
def test_every_command_has_help(capsys, command):
    code, out, err = run(capsys, command, "--help")
    assert code == 0 and f"python -m fer_paddle {command}" in out and not err


def commands_in(group):
    for command in group.commands.values():
        yield from commands_in(command) if isinstance(command, click.Group) else [command]


@pytest.mark.parametrize("app", [APP, DETECTOR_APP], ids=["fer_paddle", "yolo3tiny"])
def test_every_parameter_is_told_and_every_number_has_a_range(app):
    for command in commands_in(app):
        for parameter in read_parameters(command.callback):
            told = parameter.help if isinstance(parameter, click.Option) else parameter.text
            assert told, (command.name, parameter.name)
            assert not isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType))


def test_the_runtimes_are_those_of_the_library():
    assert get_args(Runtime) == tuple(RUNTIMES)


@pytest.mark.parametrize(
    "args",
    [
        [],  # no command
        ["fly"],  # an unknown command
        ["recognize"],  # no picture
        ["recognize", "no_such_picture.jpg"],
        ["recognize", "x.png", "--min-score", "1.5"],
        ["recognize", "x.png", "--language", "fr"],
        ["evaluate", "--data", "no_such_pack.npz"],
        ["evaluate", "--data", __file__],  # neither pack nor csv nor folder
        ["train", "--data", "no_such_folder"],
        ["export", "--weights", "missing.safetensors", "--out", "x.onnx"],
        ["benchmark", "--runs", "0"],
    ],
)
def test_wrong_use_is_one_line_and_code_2(capsys, args):
    code, out, err = run(capsys, *args)
    assert code == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1


def test_recognize_goes_on_past_a_bad_file(capsys, tmp_path):
    folder = tmp_path / "照片"
    folder.mkdir()
    write_image(folder / "许多脸.png", draw_scene(3, 320, 240, num_faces=2, min_px=60).image)
    (folder / "坏.jpg").write_bytes(b"")
    code, out, err = run(capsys, "recognize", folder, "--out", tmp_path / "out", "--json")
    assert code == 1 and "坏.jpg" in err and err.count("error:") == 1
    told = json.loads(out)
    assert [picture["drawn"] for picture in told["pictures"]] == ["许多脸.png"]
    assert told["failed"][0]["file"] == str(folder / "坏.jpg")
    assert read_image(tmp_path / "out" / "许多脸.png").shape == (240, 320, 3)
    for face in told["pictures"][0]["faces"]:
        assert face["label"] in EXPRESSIONS and sum(face["probs"].values()) == pytest.approx(1, abs=1e-3)


def test_chinese_names_without_a_font_are_warned_of_once(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "find_chinese_font", lambda: None)
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.zeros((60, 60, 3), np.uint8))
    args = ["recognize", tmp_path, "--out", tmp_path / "out"]
    code, _, err = run(capsys, *args, "--language", "zh")
    assert code == 0 and err.startswith("warning: ") and err.count("\n") == 1
    assert "fonts-noto-cjk" in err and "FER_FONT" in err
    assert run(capsys, *args)[::2] == (0, "")


def test_recognize_again_reads_no_drawing_of_its_own(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image("我.png", np.zeros((60, 60, 3), np.uint8))
    for _ in range(3):
        code, out, _ = run(capsys, "recognize", ".", "--json")
        assert code == 0 and [picture["file"] for picture in json.loads(out)["pictures"]] == ["我.png"]


def test_a_folder_that_is_a_file_is_wrong_use(capsys, tmp_path):
    write_image(tmp_path / "a.png", np.zeros((60, 60, 3), np.uint8))
    for out in (tmp_path / "a.png", tmp_path / "a.png" / "deeper"):
        code, text, err = run(capsys, "recognize", tmp_path / "a.png", "--out", out)
        assert (code, text, err) == (2, "", f"error: expected a folder, got the file {tmp_path / 'a.png'}\n")


def test_demo_prints_a_table_and_draws(capsys, tmp_path):
    code, out, _ = run(capsys, "demo", "--out", tmp_path / "out")
    assert code == 0
    assert "astronaut.png" in out and "drawn_faces.png" in out and out.count("\n") > 4
    original = read_image(tmp_path / "out" / "originals" / "astronaut.png")
    drawn = read_image(tmp_path / "out" / "astronaut.png")
    assert drawn.shape == original.shape and (drawn != original).any()


def test_the_astronauts_face_is_found(capsys, tmp_path):
    _, out, _ = run(capsys, "demo", "--out", tmp_path / "out", "--json")
    picture = next(p for p in json.loads(out)["pictures"] if p["drawn"] == "astronaut.png")
    left, top, right, bottom = picture["faces"][0]["box_xyxy"]
    eyes_and_mouth = np.array([[212, 108], [248, 108], [230, 148]])  # by eye, in the 512 px picture
    inside = (eyes_and_mouth > [left, top]) & (eyes_and_mouth < [right, bottom])
    assert inside.all() and right - left < 150


def test_evaluate_on_class_folders(capsys, class_folders):
    code, out, _ = run(capsys, "evaluate", "--data", class_folders, "--json")
    figures = json.loads(out)
    assert code == 0 and figures["faces"] == 70 and 0 <= figures["accuracy"] <= 1
    assert list(figures["recall"]) == list(EXPRESSIONS)
    assert [sum(row) for row in figures["confusion"]] == [10] * 7


def test_train_evaluate_export_recognize(capsys, class_folders, tmp_path):
    """A person's own folder, from training to the first recognised picture."""
    out = tmp_path / "我的训练"
    code, text, err = run(
        capsys, "train", "--data", class_folders, "--recipe", "tutorial", "--epochs", 1, "--size", 32, "--out", out
    )
    assert code == 0, err
    assert "best epoch 1" in text
    for name in ("last.json", "best.safetensors", "model.safetensors", "model.json", "model.onnx", "curves.png"):
        assert (out / name).is_file(), name
    by_paddle = run(capsys, "evaluate", "--data", class_folders, "--weights", out / "model.safetensors", "--json")
    by_onnx = run(capsys, "evaluate", "--data", class_folders, "--weights", out / "model.onnx", "--json")
    assert json.loads(by_paddle[1])["confusion"] == json.loads(by_onnx[1])["confusion"]
    write_image(tmp_path / "scene.png", draw_scene(3, 320, 240, num_faces=1, min_px=100).image)
    recognized = run(
        capsys, "recognize", tmp_path / "scene.png", "--weights", out / "model.onnx", "--out", tmp_path / "o"
    )
    assert recognized[0] == 0


def test_train_prints_json_alone(capfd, class_folders, tmp_path):
    """Paddle2ONNX prints while it exports, from C++ too; machines read stdout."""
    args = ["train", "--data", class_folders, "--recipe", "tutorial", "--epochs", 1, "--size", 32, "--out", tmp_path]
    assert main([*map(str, args), "--json"]) == 0
    assert [record["epoch"] for record in json.loads(capfd.readouterr().out)] == [1]


def test_a_folder_smaller_than_a_batch(capsys, class_folders, tmp_path):
    args = ["train", "--data", class_folders, "--epochs", 1, "--size", 32, "--out", tmp_path]  # the recipe strong
    code, out, err = run(capsys, *args)
    assert code == 2 and not out
    assert err.startswith("error: expected at least 128 samples") and "--batch-size of train" in err
    code, out, err = run(capsys, *args, "--batch-size", 32)
    assert code == 0 and "best epoch 1" in out, err
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))["recipe"]["batch_size"] == 32


def test_help_names_every_recipe(capsys):
    """By hand, for reading the recipes would import Paddle."""
    _, out, _ = run(capsys, "train", "--help")
    assert set(RECIPES) <= set(re.findall(r"\w+", out))


def test_whole_command_in_a_process_needs_no_paddle(tmp_path):
    image = cv2.resize(draw_scene(5, 320, 240, num_faces=1, min_px=100).image, (160, 120))
    write_image(tmp_path / "一.png", image)
    code = (
        "import sys; from fer_paddle.apps.cli import main;"
        f"code = main(['recognize', {str(tmp_path / '一.png')!r}, '--out', {str(tmp_path / 'out')!r}]);"
        "assert 'paddle' not in sys.modules and 'matplotlib' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "picture" in done.stdout and (tmp_path / "out" / "results.csv").is_file()
