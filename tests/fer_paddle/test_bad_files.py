"""A few damaged and foreign files of every kind; `python tests/bad_files.py 200 100` tries many."""

import importlib
import re

import pytest

from tests import bad_files


@pytest.mark.parametrize("name", bad_files.whole_files())
def test_the_whole_file_is_read_or_lacks_only_its_image(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bad_files.whole_files()[name])
    try:
        bad_files.readers()[name](path)
    except ValueError as error:  # a table whose image is not there
        assert "a.png" in str(error) or "expected images" in str(error) or "bndbox" in str(error)


def test_bad_images_are_refused_in_time(tmp_path):
    assert sum(bad_files.try_images(20, tmp_path).values()) == 20


def test_bad_files_are_refused_in_time(tmp_path):
    said = bad_files.try_files(27, tmp_path, seed=1)
    assert said["refused"] > 10 and sum(said.values()) == 27


NETWORKS = {
    "Classifier": ("fer_paddle.expression.predict", "classes input_size temperature prior mean std"),
    "Landmarker": ("fer_paddle.landmarks.predict", "points input_size margin mean std"),
    "Detector": ("yolo3tiny.predict", "anchors longest strides classes channels scale"),
    "KeypointDetector": ("yolo3tiny.keypoint.predict", "task classes channels scale"),
}
NEEDED = {  # of a detector all have defaults, those of tiny YOLOv3
    "Classifier": ("classes", "input_size"),
    "Landmarker": ("points", "input_size", "margin", "mean", "std"),
    "Detector": (),
    "KeypointDetector": ("task", "classes", "channels", "scale"),
}
FOREIGN = ("null", "[]", "{}", "x", "[NaN]", "-1", "[" * 50_000, '["a", "a"]', "[1, 2]", '["a", "b", "c"]', "1e999")
FOREIGN += ("true", "false", "[true]", '"a"')


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_that_says_nonsense_of_itself_is_named_in_one_line(name, monkeypatch):
    """As of another task, of a later version, or edited by hand."""
    module, keys = NETWORKS[name]
    module = importlib.import_module(module)
    load = getattr(module, name)
    whole = load(threads=1)
    runner = whole.runner if name == "Classifier" else whole.forward
    told = dict(runner.metadata)
    monkeypatch.setattr(module, "load_runner", lambda *_, **more: runner)
    for key in keys.split():
        true_for_first = re.sub(r"[\d.]+", "true", told.get(key, ""), count=1)  # once a number of several
        missing = [None] * (key in NEEDED[name])
        for value in (*FOREIGN, *missing, *({true_for_first} - {told.get(key, "")})):
            changed = {**told, key: value}
            monkeypatch.setattr(runner, "metadata", {k: text for k, text in changed.items() if text is not None})
            with pytest.raises(ValueError, match=r"expected .* at .*\.onnx, got another network") as caught:
                load()
            assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
