"""The detector as the task of a comparison: the shipped network on two drawn scenes."""

import numpy as np
import pytest

from fer_paddle.compression.quantize import compare
from fer_paddle.deployment.onnx_graph import read_onnx
from fer_paddle.drawn import draw_scene
from fer_paddle.weights import find_weights
from yolo3tiny.boxes import iou
from yolo3tiny.photos import Photo
from yolo3tiny.predict import Detector
from yolo3tiny.quantize import DetectorQuantizeTask


@pytest.fixture(scope="module")
def photos():
    found = []
    for seed in range(2):
        scene = draw_scene(seed, 192, 160, 2, 40)
        boxes = np.asarray(scene.boxes_xyxy, np.float32)
        found.append(Photo(f"{seed}", scene.image.copy, boxes, np.zeros(len(boxes), bool), scene.image.shape[:2]))
    return found


@pytest.mark.parametrize(("name", "heads"), [("yolo3tiny.face", [18, 18]), ("yolo3lite.face", [12, 12, 12])])
def test_int8_finds_the_same_faces_and_keeps_the_heads_in_float(name, heads, photos, tmp_path):
    images, weights = [photo.read() for photo in photos], find_weights(name)
    task = DetectorQuantizeTask(weights, images, photos)
    assert len(task.last_layers) == len(heads)
    compare(task, ["ort-minmax"], tmp_path, tmp_path / "table.json", threads=1)
    path = tmp_path / "ort-minmax" / "network.onnx"
    floats = [
        tensor.dims for tensor in read_onnx(path).graph.initializer if tensor.data_type == 1 and len(tensor.dims) == 4
    ]
    assert sorted(dims[0] for dims in floats) == heads
    assert path.stat().st_size < 0.4 * weights.stat().st_size
    exact, found = (Detector(file, threads=1)(images[0], 0.6) for file in (weights, path))
    assert len(exact) == len(found)
    pairs = iou(exact.boxes_xyxy, found.boxes_xyxy).argmax(axis=1)  # scores so close may change places
    assert np.abs(exact.boxes_xyxy - found.boxes_xyxy[pairs]).max(initial=0) < 8
    assert Detector(path).settings == Detector(weights).settings
