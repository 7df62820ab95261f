"""The commands of landmarks from faces on disk to points in an image, and a detector's boxes for a training."""

import dataclasses
import json

import numpy as np
import pytest

from fer_paddle.apps.cli import main
from fer_paddle.apps.landmarks import detect_boxes
from fer_paddle.drawn import draw_face
from fer_paddle.images import write_image
from fer_paddle.landmarks import recipes
from fer_paddle.landmarks.data.faces import draw_landmark_faces, load_faces
from yolo3tiny.predict import Detections

TINY = dataclasses.replace(
    recipes.POINTS68,
    epochs=2,
    batch_size=8,
    sizes=((0, 32), (1, 48)),
    arguments=(("channels", (8, 8, 8, 8)), ("blocks", (0, 1, 1, 1)), ("stem_stride", 2)),
    repeat=(),
)


def test_boxes_of_the_detector_take_the_place_of_guesses():
    faces = draw_landmark_faces(2, 100)
    wanted = faces.boxes_xyxy[0] + 3

    def detector(image, min_score):
        assert image.shape == (200, 200, 3)
        boxes = [np.array([0, 0, 20, 20], np.float32), *left.pop()]
        return Detections(np.stack(boxes), np.linspace(0.9, 0.8, len(boxes), dtype=np.float32))

    left: list[list[np.ndarray]] = [[], [wanted + 50]]  # the border adds 50 px; of the second face it finds nothing
    found = detect_boxes(faces, detector, border=0.5)
    np.testing.assert_allclose(found.boxes_xyxy, [wanted, faces.boxes_xyxy[1]])
    assert found.detected.tolist() == [True, False] and not faces.detected.any()


@pytest.mark.slow
def test_crops_train_evaluate_detect(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(recipes.LANDMARK_RECIPES, "points68", TINY)

    def run(*words):
        code = main(["landmarks", *map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    crops = tmp_path / "faces.npz"
    code, made = run("crops", "drawn", "--count", 20, "--out", crops)
    faces = load_faces(crops)
    assert code == 0 and made["faces"] == 20 and (faces.split == "val").sum() == 4 and made["detected"] >= 10
    code, begun = run("train", crops, "--out", tmp_path / "run")
    assert code == 0 and len(begun) == 2
    code, history = run("train", crops, "--out", tmp_path / "run", "--resume", "--epochs", 4)
    assert code == 0 and len(history) == 4 and history[:2] == begun
    weights = tmp_path / "run" / "model.onnx"
    code, figures = run("evaluate", "--data", crops, "--weights", weights)
    assert code == 0 and figures["faces"] == 4
    assert figures["nme"]["inter_ocular"] == pytest.approx(min(row["valid_nme"] for row in history), rel=1e-3)
    write_image(tmp_path / "a.png", draw_face("happy", 200, 1).image)
    (tmp_path / "b.png").write_bytes(b"no image")
    finder = ["--detector", "yolo3tiny.face"]  # which finds drawn faces that fill the image
    code, found = run(
        "detect", tmp_path / "a.png", tmp_path / "b.png", "--weights", weights, "--out", tmp_path / "out", *finder
    )
    assert code == 1 and [bad["file"] for bad in found["failed"]] == [str(tmp_path / "b.png")]
    (image,) = found["images"]
    assert np.shape(image["faces"][0]["points_xy"]) == (68, 2) and (tmp_path / "out" / "a.png").is_file()
