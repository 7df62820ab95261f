"""Files of one's own in the place of names, in every command that finds faces."""

import json
import shutil

import pytest

from fer_paddle.drawn import draw_scene
from fer_paddle.images import write_image
from fer_paddle.weights import find_weights

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


@pytest.mark.parametrize(("command", "option"), [(name, one) for name, row in COMMANDS.items() for one in row[1]])
def test_a_file_of_another_task_is_one_line(command, option, run, files, tmp_path):
    words, _, end = COMMANDS[command]
    if end is not None:
        pytest.importorskip(f"fer_paddle.apps.{end[0]}")
    shutil.copytree(".", "images", ignore=shutil.ignore_patterns("my *"))
    wrong = files["--detector" if option != "--detector" else "--weights"]
    before = sorted(tmp_path.iterdir())
    code, out, err = run(command, *words, option, wrong)
    assert (code, out) == (2, "") and err.count("\n") == 1 and wrong in err and "expected" in err
    assert sorted(tmp_path.iterdir()) == before
