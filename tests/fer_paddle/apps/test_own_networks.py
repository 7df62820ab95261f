"""Files of one's own in the place of names, and networks of another task, in every command that takes one."""

import json
import shutil

import pytest

from fer_paddle import environment
from fer_paddle.apps.cli import main as fer_main
from fer_paddle.drawn import draw_scene
from fer_paddle.images import write_image
from fer_paddle.landmarks.data.faces import draw_landmark_faces, save_faces
from fer_paddle.weights import DETECTION, NETWORK_OF, find_weights
from yolo3tiny.cli import main as yolo_main

NAMES = {"--weights": "distresnet.fer2013", "--detector": "yolo3tiny.face", "--landmarker": "landmarks.68"}
# Words of a command, which of these options it has, module and function that it ends in.
COMMANDS = {
    "recognize": (["a.png", "--out", "out"], (*NAMES,), None),
    "explain": (["a.png", "--out", "out"], ("--detector",), None),
    "batch": (["--data", "images", "--out", "out"], ("--weights", "--detector"), ("batch", "label_folder")),
    "web": ([], (*NAMES,), ("web", "launch")),
    "serve": ([], (*NAMES,), ("api", "serve")),
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The networks that ship as one's own files, beside an image."""
    monkeypatch.chdir(tmp_path)
    write_image("a.png", draw_scene(2, 320, 240, num_faces=2, min_px=60).image)
    for option, name in NAMES.items():
        for suffix in (".onnx", ".safetensors", ".json"):
            shutil.copy(find_weights(name).with_suffix(suffix), f"my {option[2:]}{suffix}")
    return {option: f"my {option[2:]}.onnx" for option in NAMES}


@pytest.mark.parametrize(("command", "row"), COMMANDS.items(), ids=COMMANDS)
def test_files_serve_as_names_do(command, row, run, files, monkeypatch):
    (words, options, end), told = row, []
    if end is not None:  # pages, services and Ray are not started
        module = pytest.importorskip(f"fer_paddle.apps.{end[0]}")
        done = {"images": 0, "failed": 0, "parts": 0, "done_now": 0}
        monkeypatch.setattr(module, end[1], lambda *arguments: done)
    for given in (NAMES, files):
        code, out, err = run(command, *words, "--json", *(word for one in options for word in (one, given[one])))
        assert code == 0, err
        told.append(json.loads(out))
    assert told[0] == told[1]
    if command == "recognize":
        assert [len(face["points_xy"]) for face in told[0]["images"][0]["faces"]] == [68, 68]


OF_TASK = {
    "expression": "vgg8_flat.fer2013",
    DETECTION: "yolo3tiny.face",
    "landmarks": "landmarks.68",
    "keypoint": "keypoint.belt",
}
RUN, PADDLE = (".onnx", ".safetensors"), (".safetensors",)
# The task of the network that a command takes at its end, and the files that it reads.
TAKERS = [
    ("expression", RUN, "fer evaluate --data faces --weights"),
    ("expression", RUN, "fer evaluate --data faces --calibrate --weights"),
    ("expression", RUN, "fer evaluate --data faces --tta flip --weights"),
    ("expression", PADDLE, "fer evaluate --data faces --tta 0.9 1 --weights"),
    ("expression", (".onnx",), "fer export web --out out --weights"),
    ("expression", PADDLE, "fer prune --data faces --out out --weights"),
    ("expression", PADDLE, "fer prune --data faces --out out --soft-weight 0.5 --teacher"),
    ("expression", PADDLE, "fer quantize --data faces --out out --weights"),
    ("expression", PADDLE, "fer explain --costs --weights"),
    ("expression", RUN, "fer recognize a.png --out out --weights"),
    ("expression", RUN, "fer batch --data images --out out --weights"),
    ("expression", RUN, "fer web --weights"),
    ("expression", RUN, "fer serve --weights"),
    ("expression", PADDLE, "fer train --data faces --out out --recipe study --model vgg8 --start"),
    ("expression", PADDLE, "fer study distill --data faces --out out --teacher"),
    ("expression", PADDLE, "fer study distill --data faces --out out --teacher {expression} --start"),
    (DETECTION, RUN, "fer recognize a.png --out out --detector"),
    (DETECTION, RUN, "fer explain a.png --out out --detector"),
    (DETECTION, RUN, "fer batch --data images --out out --detector"),
    (DETECTION, RUN, "fer web --detector"),
    (DETECTION, RUN, "fer serve --detector"),
    (DETECTION, RUN, "fer landmarks crops drawn --out out --detector"),
    (DETECTION, (".onnx",), "fer export web --out out --detector"),
    (DETECTION, RUN, "yolo detect a.png --out out --weights"),
    (DETECTION, RUN, "yolo evaluate --data photos --split all --weights"),
    (DETECTION, PADDLE, "yolo train --data photos --out out --start"),
    (DETECTION, PADDLE, "yolo prune --data photos --out out --weights"),
    (DETECTION, (".onnx",), "yolo quantize --data photos --out out --weights"),
    ("landmarks", RUN, "fer recognize a.png --out out --landmarker"),
    ("landmarks", RUN, "fer web --landmarker"),
    ("landmarks", RUN, "fer serve --landmarker"),
    ("landmarks", RUN, "fer landmarks detect a.png --out out --weights"),
    ("landmarks", RUN, "fer landmarks evaluate --data points.npz --weights"),
    ("landmarks", PADDLE, "fer landmarks train points.npz --out out --start"),
    ("landmarks", (".onnx",), "fer export web --out out --landmarks"),
    ("keypoint", RUN, "yolo keypoint detect a.png --out out --weights"),
    ("keypoint", RUN, "yolo keypoint evaluate --strips 1 --weights"),
    ("keypoint", PADDLE, "yolo keypoint train --out out --start"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory, face_folders):
    """A folder with data of every task and a network of each, as files of one's own."""
    folder = tmp_path_factory.mktemp("places")
    scene = draw_scene(2, 320, 240, num_faces=2, min_px=60)
    shutil.copytree(face_folders, folder / "faces")
    for place in ("", "images", "photos"):
        (folder / place).mkdir(exist_ok=True)
        write_image(folder / place / "a.png", scene.image)
    left, top, right, bottom = scene.boxes_xyxy[0] / (320, 240, 320, 240)
    box = f"0 {(left + right) / 2} {(top + bottom) / 2} {right - left} {bottom - top}"
    (folder / "photos" / "a.txt").write_text(box)
    for number in range(10):
        shutil.copy(folder / "photos" / "a.png", folder / "photos" / f"{number}.png")
        shutil.copy(folder / "photos" / "a.txt", folder / "photos" / f"{number}.txt")
    save_faces(folder / "points.npz", draw_landmark_faces(20, 64, 0))
    for task, name in OF_TASK.items():
        for suffix in (".onnx", ".safetensors", ".json"):
            shutil.copy(find_weights(name).with_suffix(suffix), folder / f"{task}{suffix}")
    return folder


@pytest.mark.parametrize(("task", "suffixes", "words"), TAKERS, ids=[row[2] for row in TAKERS])
def test_a_network_of_another_task_is_one_line_that_names_both(task, suffixes, words, places, monkeypatch, capsys):
    _, _, end = COMMANDS.get(words.split()[1], (None,) * 3)
    if end is not None:
        pytest.importorskip(f"fer_paddle.apps.{end[0]}")
    monkeypatch.chdir(places)
    monkeypatch.setattr(environment, "prepare", lambda threads=None: None)
    before = sorted(places.iterdir())
    main = {"fer": fer_main, "yolo": yolo_main}[words.split()[0]]
    given = [word.format(expression="expression.safetensors") for word in words.split()[1:]]
    for other in OF_TASK.keys() - {task}:
        for suffix in suffixes:
            assert main([*given, f"{other}{suffix}"]) == 2
            line = f"error: expected {NETWORK_OF[task]} at {other}{suffix}, got {NETWORK_OF[other]}\n"
            assert capsys.readouterr() == ("", line)
    assert sorted(places.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("evaluate --card --weights keypoint.onnx", f"got {NETWORK_OF['keypoint']}: keypoint.onnx"),
        ("evaluate --data faces --weights expression.pdmodel", "expected expression.pdmodel.json beside"),
    ],
)
def test_a_network_that_a_command_cannot_take_is_told_the_way(words, says, places, monkeypatch, capsys):
    monkeypatch.chdir(places)
    (places / "expression.pdmodel").write_bytes(b"program")
    assert fer_main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "expected" in err and says in err
