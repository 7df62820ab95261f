"""Faces whose split and class stand in lists, as PaddleX, PaddleClas and Roboflow write them."""

import numpy as np
import pytest

from fer_paddle.expression.data.expressions import load_faces
from fer_paddle.images import write_image

FACES = {"train": [("a", "happy"), ("b", "sad")], "validation": [("c", "happy")]}
NUMBER_OF = {"happy": 1, "sad": 0}


def write_lists(folder, names, list_name, separator=" ", slash="/"):
    (folder / names[0]).write_text("\n".join(names[1:]))
    for split, rows in FACES.items():
        lines = [f"images{slash}{name}.png{separator}{NUMBER_OF[label]}" for name, label in rows]
        (folder / list_name.format("val" if split == "validation" else split)).write_text("\n".join([*lines, ""]))
    return folder / "images"


def write_tables(folder):
    for split, rows in FACES.items():
        place = folder / ("valid" if split == "validation" else split)
        place.mkdir()
        lines = [f"{name}.png, {float(label == 'sad')}, {int(label == 'happy')}" for name, label in rows]
        (place / "_classes.csv").write_text("\n".join(["Filename, sad, happy", *lines, "  ", ""]))
        for name, _ in rows:
            write_image(place / f"{name}.png", np.full((8, 8), ord(name), np.uint8))


LAYOUTS = {
    "PaddleX 2": lambda folder: write_lists(folder, ["labels.txt", "sad", "happy"], "{}_list.txt"),
    "PaddleX, Windows": lambda folder: write_lists(folder, ["labels.txt", "sad", "happy"], "{}_list.txt", " ", "\\"),
    "PaddleX 3": lambda folder: write_lists(folder, ["label.txt", "0 sad", "1 happy"], "{}.txt"),
    "PaddleClas": lambda folder: write_lists(folder, ["label_list.txt", "sad", "happy"], "{}_list.txt", "\t"),
    "Roboflow": write_tables,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_lists_say_split_and_class(name, tmp_path):
    place = LAYOUTS[name](tmp_path)
    if place is not None:
        place.mkdir()
        for image in "abc":
            write_image(place / f"{image}.png", np.full((8, 8), ord(image), np.uint8))
    faces = load_faces(tmp_path)
    found = [(chr(image[0, 0]), faces.classes[label]) for image, label in zip(faces.images, faces.labels)]
    assert dict(found) == {"a": "happy", "b": "sad", "c": "happy"}
    assert dict(zip((letter for letter, _ in found), faces.split)) == {
        "a": "train", "b": "train", "c": "validation"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("images/a.png 2", "0 to 1, in line 1 of .*train.txt, got 'images/a.png 2'"),
        ("images/a.png", "an image and the number of its class"),
        (".. 0", "the name of a file, got '..'"),
    ],
)
def test_lines_that_make_no_sense_are_named(line, says, tmp_path):
    (tmp_path / "labels.txt").write_text("sad\nhappy")
    (tmp_path / "train.txt").write_text(line)
    with pytest.raises(ValueError, match=says):
        load_faces(tmp_path)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("filename,sad,happy\na.png,1,1\n", r"one class with 1 in each line, in line 2 .* got 'a.png' with 2"),
        ("filename,sad,happy\na.png,1,0,1\n", "expected 3 columns in each line of .*got 4 in line 2"),
        ("filename;sad;happy\na.png;1;0\n", "expected the columns filename in .*got filename;sad;happy"),
    ],
)
def test_a_table_has_one_class_an_image(table, says, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "_classes.csv").write_text(table)
    with pytest.raises(ValueError, match=says):
        load_faces(tmp_path)
