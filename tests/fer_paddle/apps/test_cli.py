"""The command line as a person meets it: exit codes, one-line errors, JSON alone on stdout, files written."""

import json
import re

import click
import numpy as np
import pytest

from fer_paddle import __version__
from fer_paddle.apps.cli import APP
from fer_paddle.apps.video import VideoWriter
from fer_paddle.expression import export
from fer_paddle.expression.predict import WEIGHTS
from fer_paddle.images import read_image, write_image
from fer_paddle.options import read_parameters
from yolo3tiny.cli import APP as DETECTOR_APP

COMMANDS = (
    *("collect", "data", "report", "crop", "benchmark-augment", "recognize", "batch", "demo", "train", "evaluate"),
    *("landmarks", "explain", "models", "export", "export web", "benchmark", "bench", "prune", "prune-speed"),
    *("quantize", "search", "web", "serve", "study", "check", "course"),
)
HIDDEN = ("compare", "curves", "study-scale", "study-augment", "distill", "calibrate", "card")


WHOLE = WEIGHTS.with_suffix(".safetensors")
FERPLUS = WEIGHTS.with_name("distresnet.ferplus.safetensors")


def test_the_commands_are_these(run):
    _, out, _ = run("--help")
    assert (
        tuple(re.findall(r"^  ([a-z-]+(?: [a-z]+)?)  ", out.partition("Commands:")[2], flags=re.MULTILINE)) == COMMANDS
    )
    assert run("--version") == (0, f"{__version__}\n", "")


def test_every_command_has_help(run):
    groups = {
        "": (*COMMANDS, *HIDDEN),
        "collect ": ("run", "crawl", "frames", "clean", "select", "sources", "train-mouths"),
        "study ": ("compare", "curves", "scale", "augment", "distill", "losses"),
    }
    for name in (f"{group}{command}" for group, commands in groups.items() for command in commands):
        code, out, err = run(*name.split(), "--help")
        assert code == 0 and f"python -m fer_paddle {name}" in out and not err


WRONG_USE = [
    [],
    ["fly"],
    ["study"],
    ["recognize"],
    ["recognize", "no_such_image.jpg"],
    ["recognize", "x.png", "--min-score", "1.5"],
    ["recognize", "x.png", "--language", "fr"],
    ["recognize", "https://example.org/a.jpg"],
    ["recognize", "x.mp4", "--seconds", "0"],
    ["recognize", "x.png", "--out", ""],
    ["report", "gone"],
    ["collect", "run", "Smirk=a.png", "smirk=b.png", "--out", "x"],
    ["landmarks", "crops", "drawn", "--out", "x.npz", "--photos", "."],
    ["landmarks", "crops", "300w", "--out", "x.npz", "--photos", ".", "--marks", "list.txt"],
    ["check", "--notebook", "gone.ipynb"],
    ["course", "slides", "gone.ipynb", "--out", "x/slides.html"],
    ["train", "--data", "no_such_folder"],
    ["evaluate"],
    ["evaluate", "--data", __file__],  # neither pack nor csv nor folder
    ["evaluate", "--data", ".", "--write"],
    ["evaluate", "--data", ".", "--calibrate", "--card"],
    ["evaluate", "--data", ".", "--tta", "flip", "--runtime", "onnx"],
    ["evaluate", "--data", ".", "--weights", WEIGHTS, WHOLE, "--threads", "2"],
    ["evaluate", "--data", ".", "--calibrate", "--split", "test"],
    ["evaluate", "--data", ".", ".", "--tta", "flip"],
    *(["evaluate", "--data", ".", "--tta", text] for text in ("0", "-1", "inf", "nan", "two")),
    ["evaluate", "--card", "--weights", "missing.onnx"],
    ["evaluate", "--tta", "1", "--weights", "missing.safetensors", "--data", "."],
    ["evaluate", "--tta", "1", "--weights", WHOLE, FERPLUS, "--data", "."],  # seven classes and eight
    ["evaluate", "--tta", "1.1", "--weights", WEIGHTS, "--data", "."],  # a file of one size
    ["explain"],
    ["explain", "--costs", "--weights", "net.onnx"],  # gradients need Paddle's weights
    ["calibrate"],
    ["card", "missing.onnx"],
    ["study", "distill", "--data", "no_such_pack.npz", "--teacher", "missing.safetensors"],
    ["study", "distill", "--data", "x", "--teacher", "x.safetensors", "--soft-weight", "2"],
    ["study", "losses", "no_such_faces.npz"],
    ["study", "losses", __file__],
    ["study", "scale", "--data", "no_such_pack.npz", "--sizes", "48", "0"],
    ["prune", "--data", "x", "--out", "new", "--flops", "0.5", "--activations", "0.5"],
    ["prune-speed", __file__],
    ["export", "--weights", "missing.safetensors", "--out", "x.onnx"],
    ["export", "--weights", WEIGHTS, "--out", "x.pt"],
    ["benchmark", "--runs", "0"],
    ["benchmark", "--weights", "missing.onnx"],
    ["benchmark", "--resume"],
    ["benchmark", "--weights", WEIGHTS, "--runtime", "mnn", "--precision", "fp16", "--out", "out"],
    ["benchmark", "--weights", WEIGHTS.with_suffix(".safetensors"), "--runtime", "onnx", "ncnn"],
    ["benchmark", "--quick", "--weights", WEIGHTS],
    ["benchmark", "--quick", "--out", "out", "--resume"],
    ["bench", "4", "1", "0", "-1", "0", "missing.param", "48", "48"],
    ["bench", "4", "1", "9", "-1", "0", WEIGHTS, "48", "48"],
]


@pytest.mark.parametrize("args", WRONG_USE, ids=lambda args: " ".join(map(str, args))[:40])
def test_wrong_use_is_one_line_and_code_2(args, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "_draw_faces", lambda: list(np.zeros((1, 8, 8), np.uint8)))
    code, out, err = run(*args)
    assert code == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []  # nothing half done


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


@pytest.mark.parametrize(
    ("app", "words", "names"),
    [
        (APP, "recognize", ["vgg8.photos", "yolo3lite.face"]),
        (APP, "batch", ["vgg8.photos", "yolo3lite.face"]),
        (APP, "serve", ["vgg8.photos", "yolo3lite.face"]),
        (APP, "explain", ["vgg8.photos", "yolo3lite.face"]),
        (APP, "landmarks crops", ["yolo3lite.face"]),
        (APP, "landmarks detect", ["landmarks.68", "yolo3lite.face"]),
        (APP, "landmarks evaluate", ["landmarks.68"]),
        (DETECTOR_APP, "detect", ["yolo3lite.face"]),
        (DETECTOR_APP, "keypoint detect", ["keypoint.belt"]),
    ],
)
def test_help_names_the_network_that_the_command_takes(app, words, names):
    command = app
    for word in words.split():
        command = command.commands[word]
    parameters = read_parameters(command.callback)
    told = " ".join(parameter.help for parameter in parameters if isinstance(parameter, click.Option))
    assert re.findall(r"default: (\w+\.\w*[a-z]\w*|\w+\.68)\)", told) == names


def test_recognize_takes_images_and_videos_together(run, tmp_path, caplog):
    write_image(tmp_path / "a.png", np.zeros((60, 60, 3), np.uint8))
    writer = VideoWriter(tmp_path / "走.mp4", 25)
    for index in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8), index / 25)
    writer.close()
    code, out, err = run("recognize", tmp_path / "*.*", "7", "--out", tmp_path / "out", "--json")
    told = json.loads(out)
    assert code == 1 and err == "error: camera 7: expected a camera of number 7, found none that can be opened\n"
    assert [image["drawn"] for image in told["images"]] == ["a.png"]
    assert [(video["frames"], video["people"]) for video in told["videos"]] == [(3, [])]
    assert (tmp_path / "out" / "走" / "frames.csv").is_file()
    assert run("recognize", tmp_path, "--out", tmp_path / "out")[0] == 0
    assert [
        text for text in caplog.messages if "videos in folders passed over: 1, such as" in text and "走.mp4" in text
    ]


@pytest.mark.slow
def test_the_demo_finds_the_astronauts_face_and_draws(run, tmp_path):
    code, out, _ = run("demo", "--out", tmp_path / "out", "--json")
    assert code == 0
    image = next(p for p in json.loads(out)["images"] if p["drawn"] == "astronaut.png")
    left, top, right, bottom = image["faces"][0]["box_xyxy"]
    eyes_and_mouth = np.array([[212, 108], [248, 108], [230, 148]])  # by eye, in the 512 px image
    inside = (eyes_and_mouth > [left, top]) & (eyes_and_mouth < [right, bottom])
    assert inside.all() and right - left < 150
    original = read_image(tmp_path / "out" / "originals" / "astronaut.png")
    drawn = read_image(tmp_path / "out" / "astronaut.png")
    assert drawn.shape == original.shape and (drawn != original).any()
