"""The commands: a table and JSON for good input, one line and exit code 2 for bad."""

import json

import pytest

from fer_paddle.apps.cli import main
from fer_paddle.drawn import make_faces
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.predict import classifier_file
from fer_paddle.expression.prune import ExpressionPruneTask
from fer_paddle.expression.quantize import ExpressionQuantizeTask
from fer_paddle.expression.recipes import recipe_of
from fer_paddle.images import write_image


def quantize(face_folders, tmp_path, *more):
    return main(["quantize", "--data", str(face_folders), "--out", str(tmp_path / "out"), *map(str, more)])


def test_the_table_as_json(face_folders, tmp_path, capfd):
    images = tmp_path / "images"
    images.mkdir()
    write_image(images / "a.png", make_faces(7, 48, 1).images[0])
    args = ["--methods", "ort-minmax", "--calibrate", images, "--faces", 7, "--json"]
    assert quantize(face_folders, tmp_path, *args) == 0
    content = json.loads(capfd.readouterr().out)
    assert [row["method"] for row in content["rows"]] == ["fp32", "ort-minmax"]
    assert content["rows"][1]["share"] < 0.35  # what the issue asks for
    assert content["settings"]["faces"] == 7 and content["settings"]["calibration_images"] == 1
    assert (tmp_path / "out" / "ort-minmax" / "network.onnx").stat().st_size == content["rows"][1]["bytes"]
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == content


def test_of_fewer_faces_than_a_batch_all_are_one_batch():
    drawn = make_faces(14, 48, 1)
    faces = LabelledFaces(drawn.images, drawn.labels)
    weights = classifier_file("vgg8_flat.fer2013", "dynamic")
    images = list(faces.images)
    for task in (ExpressionPruneTask(weights, faces, faces), ExpressionQuantizeTask(weights, images, faces, faces)):
        assert task.recipe.batch_size == 14 < recipe_of(task.card).batch_size


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: ["--calibrate", folder], "none of 1 can be read"),
        (lambda folder: ["--methods", "int4"], "expected methods of"),
        (lambda folder: ["--weights", folder / "model.safetensors"], "card"),
    ],
)
def test_bad_input_is_one_line(face_folders, tmp_path, capfd, make, says):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG but no more")
    assert quantize(face_folders, tmp_path, *make(tmp_path)) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and says in lines[0]
    assert not (tmp_path / "out").exists()
