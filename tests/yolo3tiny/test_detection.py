"""The tutorial's names: its cells run, and what they get means what it meant there."""

import warnings

import cv2
import numpy as np
import pytest

from tests.yolo3tiny.samples import white_finder, white_on_black
from yolo3tiny import predict as detector
from yolo3tiny.detection import Detector, draw_bbox, scale_img


@pytest.fixture
def finder(monkeypatch):
    """Detectors find white rectangles; the fixture lists the files they were asked for."""
    asked = []

    def load(path, runtime, threads):
        asked.append(path)
        return white_finder

    monkeypatch.setattr(detector, "load_network", load)
    return asked


@pytest.fixture
def det(finder):
    with pytest.warns(UserWarning, match="no longer reads"):
        return Detector()


def test_the_cells_run(finder, tmp_path):
    """The tutorial's steps: load, read, scale to 832, detect at 0.99, double the boxes, draw, cut, go on."""
    path = tmp_path / "图片.png"  # a path beyond ASCII
    path.write_bytes(cv2.imencode(".png", white_on_black(300, 600, (120, 60, 240, 180)))[1].tobytes())

    with pytest.warns(UserWarning):
        det = Detector(modelPath="./infer_model", USE_CUDA=True)
    im = scale_img(str(path), 416 * 2)
    bboxes_pre = det.detect(im, confidence_threshold=0.99, nms_threshold=0.3)[0]
    result, rois = draw_bbox(im, bboxes_pre * 2)
    shown = result[:, :, [2, 1, 0]]
    crop = cv2.resize(cv2.cvtColor(rois[0], cv2.COLOR_BGR2GRAY), (128, 128))

    # 600 x 300 lies in the middle of 600 x 600, which became 832 x 832.
    expected = np.array([120, 210, 240, 330]) * 832 / 600
    np.testing.assert_allclose(bboxes_pre[0, :4] * 2, expected, atol=3)
    assert bboxes_pre.shape == (1, 5) and bboxes_pre.dtype == np.float32 and 0.99 < bboxes_pre[0, 4] <= 1
    assert (shown.shape, shown.dtype, len(rois)) == ((832, 832, 3), np.uint8, 1)
    assert (crop > 128).mean() > 0.95


def test_a_call_takes_images_of_any_size(det):
    images = [
        white_on_black(100, 200, (20, 20, 60, 60)),
        white_on_black(90, 50),
        white_on_black(416, 416, (0, 0, 50, 80)),
    ]
    arrays, boxes = det(images, confidence_threshold=0.5, nms_threshold=0.3)
    assert [array.shape for array in arrays] == [(3, 416, 416)] * 3
    assert [rows.shape for rows in boxes] == [(1, 5), (0, 5), (1, 5)]
    np.testing.assert_allclose(boxes[0][0, :4], np.array([20, 70, 60, 110]) * 2.08, atol=2)
    np.testing.assert_allclose(boxes[2][0, :4], [0, 0, 50, 80], atol=2)
    assert det([]) == ([], [])


def test_it_says_that_it_loads_another_network(finder):
    with pytest.warns(UserWarning, match="./infer_model: .* using yolo3tiny.face.onnx"):
        Detector()
    with pytest.warns(UserWarning, match="CPU"):
        Detector("ours.onnx", USE_CUDA=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Detector("ours.onnx")
    assert finder == ["yolo3tiny.face", "ours.onnx", "ours.onnx"]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        for _ in range(3):
            Detector()
    assert len(said) == 1


# Arrays


def test_scale_img_pads_to_a_black_square():
    array = scale_img(np.full((2, 4, 3), 255, np.uint8), 8)
    assert (array.shape, array.dtype) == ((3, 8, 8), np.float32)
    expected = np.zeros((8, 8), np.float32)
    expected[2:6] = 1
    # Enlarging mixes the two rows beside the edge.
    np.testing.assert_allclose(array[0][[0, 3, 4, 7]], expected[[0, 3, 4, 7]], atol=1e-6)
    assert array.min() == 0 and array.max() == 1


def test_draw_bbox_cuts_before_it_draws():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    boxes = np.array([[10.4, 20, 30, 49.6, 0.9], [-5, -5, 8, 9, 0.8], [70, 50, 99, 99, 0.7]], np.float32)
    result, rois = draw_bbox(image, boxes, color=(1, 2, 3))
    for roi, expected in zip(rois, (image[20:50, 10:30], image[:9, :8], image[50:, 70:])):
        np.testing.assert_array_equal(roi, expected)
    assert result[20, 15].tolist() == [1, 2, 3]
