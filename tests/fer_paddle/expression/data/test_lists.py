"""Faces whose split and class stand in tables, as Roboflow writes them."""

import numpy as np
import pytest

from fer_paddle.expression.data.expressions import load_faces
from fer_paddle.images import write_image

FACES = {"train": [("a", "happy"), ("b", "sad")], "validation": [("c", "happy")]}


def write_tables(folder):
    for split, rows in FACES.items():
        place = folder / ("valid" if split == "validation" else split)
        place.mkdir()
        lines = [f"{name}.png, {float(label == 'sad')}, {int(label == 'happy')}" for name, label in rows]
        (place / "_classes.csv").write_text("\n".join(["Filename, sad, happy", *lines, "  ", ""]))
        for name, _ in rows:
            write_image(place / f"{name}.png", np.full((8, 8), ord(name), np.uint8))


def test_tables_say_split_and_class(tmp_path):
    write_tables(tmp_path)
    faces = load_faces(tmp_path)
    found = [(chr(image[0, 0]), faces.classes[label]) for image, label in zip(faces.images, faces.labels)]
    assert dict(found) == {"a": "happy", "b": "sad", "c": "happy"}
    assert dict(zip((letter for letter, _ in found), faces.split)) == {
        "a": "train", "b": "train", "c": "validation"
    }  # fmt: skip


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
