"""Detector: boxes in pixels of any image, with networks whose answer is known, then with what ships."""

from typing import ClassVar

import numpy as np
import pytest

from fer_paddle.weights import DETECTION
from fer_paddle.zoo import list_models
from tests.processes import run_python
from tests.yolo3tiny.samples import make_heads, white_finder, white_on_black
from yolo3tiny import Detections, Detector
from yolo3tiny.predict import WEIGHTS, NetworkSettings, has_doubts

SQUARE = np.zeros((320, 320, 3), np.uint8)


@pytest.fixture
def saying():
    """`saying(boxes, logits)`: a detector whose network says these boxes, whatever the image."""

    def make(boxes, logits=None):
        return Detector(forward=lambda images: make_heads(boxes, images.shape[2:], logits=logits), longest=320)

    return make


IMAGES = [
    # height, width, the white box in it, and why
    (480, 640, (100, 50, 220, 210)),  # fits without scaling
    (416, 416, (0, 0, 416, 416)),  # the whole image
    (1, 1, (0, 0, 1, 1)),  # one pixel becomes hundreds
    (37, 1001, (700, 5, 733, 31)),  # odd sides, padding above and below
    (20, 10000, (9000, 0, 9600, 20)),  # one or two rows remain of it
    (2400, 3200, (1600, 1200, 3000, 2300)),  # shrunk by five
]


@pytest.mark.parametrize("longest", [640, 416, 100])  # 100: not a multiple of 32, so that there is padding everywhere
@pytest.mark.parametrize(("height", "width", "box"), IMAGES)
def test_boxes_are_in_pixels_of_the_image(height, width, box, longest):
    faces = Detector(forward=white_finder, longest=longest)(white_on_black(height, width, box))
    scale = longest / max(height, width)
    # Rounding to whole network pixels: one for the image's side, half for the edge that is found.
    assert len(faces) == 1
    np.testing.assert_allclose(faces.boxes_xyxy[0], box, atol=1.5 / scale + 1e-3)


@pytest.mark.parametrize(
    ("side", "face", "given", "looks"),
    [
        (1600, 20, {}, [416, 832, 1664]),  # 5 and 10 px to the network; four times the first look is the last
        (1600, 60, {}, [416, 832]),  # 16 px, then 31
        (1600, 100, {}, [416]),
        (400, 12, {}, [416]),  # the image has no more pixels
        (1600, 0, {}, [416]),  # nobody
        (1600, 20, {"longest": 416}, [416]),
        (1600, 20, {"fast": True}, [320]),
    ],
)
def test_small_faces_of_a_large_image_get_a_closer_look(side, face, given, looks):
    seen = []

    def forward(images):
        seen.append(max(images.shape[2:]))
        return white_finder(images)

    image = white_on_black(side * 3 // 4, side, (200, 100, 200 + face, 100 + face))
    assert len(Detector(forward=forward, **given)(image, min_score=0.9)) == bool(face)
    assert seen == looks


@pytest.mark.parametrize(
    ("faces", "score", "given", "looks"),
    [
        ([(100, 50, 300, 250)], 0.4, {}, [416, 224]),
        ([(100, 50, 300, 250)], 0.6, {}, [416]),
        ([(100, 50, 300, 250)], 0.04, {}, [416]),  # nobody
        ([(100, 50, 130, 80)], 0.4, {}, [416]),  # not large
        ([(100, 50, 300, 250)], 0.4, {"longest": 416}, [416]),
        ([(100, 50, 300, 250)], 0.4, {"fast": True}, [320]),
    ],
)
def test_a_large_face_in_doubt_gets_a_look_from_afar(faces, score, given, looks):
    seen = []

    def forward(images):
        seen.append(max(images.shape[2:]))
        heads = white_finder(images)
        for head in heads if seen[-1] > 224 else ():
            head[:, 4::6][head[:, 4::6] > 0] = np.log(score / (1 - score))
        return heads

    image = white_on_black(300, 400, *faces)
    found = Detector(forward=forward, **given)(image)
    assert seen == looks and len(found) == (score > 0.5 or looks[-1] == 224)
    np.testing.assert_allclose(found.boxes_xyxy, np.reshape(faces[: len(found)], (-1, 4)), atol=3)


def test_what_overlaps_a_sure_face_is_no_other_in_doubt():
    image, boxes = np.zeros((300, 400, 3), np.uint8), np.float32([[100, 50, 300, 250], [90, 60, 290, 240]])
    assert not has_doubts(Detections(boxes, np.float32([0.9, 0.4])), image)
    assert has_doubts(Detections(boxes + np.float32([[0], [500]]), np.float32([0.9, 0.4])), image)


@pytest.mark.parametrize(("height", "width", "looks"), [(300, 900, 1), (300, 2000, 6), (300, 3050, 10), (70, 2000, 9)])
@pytest.mark.parametrize("tall", [False, True])
def test_a_panorama_is_seen_in_pieces_and_each_face_once(height, width, looks, tall):
    """Faces stand at all places of the pieces, across their borders too, where a piece sees a part of one."""
    sides = [(x, 10, x + 40, 60) for x in range(5, width - 45, 67)]
    image, boxes = white_on_black(height, width, *sides), np.array(sides)
    if tall:
        image, boxes = np.ascontiguousarray(image.transpose(1, 0, 2)), boxes[:, [1, 0, 3, 2]]
    seen = []

    def forward(images):
        seen.append(max(images.shape[2:]))
        return white_finder(images)

    found = Detector(forward=forward)(image)
    assert len(found) == len(boxes) and len(seen) == looks
    order = np.argsort(found.boxes_xyxy.sum(axis=1))
    np.testing.assert_allclose(found.boxes_xyxy[order], boxes, atol=3)


def test_best_first_and_not_below_min_score(saying):
    boxes, logits = [(10, 10, 40, 50), (100, 10, 160, 90), (200, 100, 300, 220)], [1.0, 4.0, -1.0]
    detector = saying(boxes, logits)
    found = detector(SQUARE, min_score=0.1)
    expected = 1 / (1 + np.exp([-4.0, -1.0, 1.0]))
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4)
    np.testing.assert_allclose(found.boxes_xyxy, [boxes[1], boxes[0], boxes[2]], atol=1e-3)
    assert len(detector(SQUARE)) == 2 and len(detector(SQUARE, min_score=0.9)) == 1


def test_boxes_are_cut_at_the_border_and_dropped_in_the_padding(saying):
    # An image 320 wide and 100 high lies in rows 14 to 114 of an input 320 x 128.
    boxes = [(-20, 4, 60, 60), (200, 1, 240, 13), (280, 90, 340, 127)]
    faces = saying(boxes)(SQUARE[:100])
    assert sorted(faces.boxes_xyxy.round(3).tolist()) == [[0, 0, 60, 46], [280, 76, 320, 100]]


def test_a_network_gone_mad_finds_nothing():
    heads = [np.full((1, 18, 320 // stride, 320 // stride), np.nan, np.float32) for stride in (32, 16)]
    assert len(Detector(forward=lambda images: heads, longest=320)(SQUARE)) == 0


def test_a_runner_of_another_network_is_refused():
    class Expressions:
        metadata: ClassVar = {"classes": '["angry", "happy"]', "input_size": "64"}
        __call__ = staticmethod(white_finder)

    with pytest.raises(ValueError, match="expected a detector of one class"):
        Detector(forward=Expressions())
    with pytest.raises(ValueError, match="got both"):
        Detector("network.onnx", white_finder)


# The ONNX file and its settings


def test_strides_are_a_list(make_onnx):
    anchors = [[8 * n, 8 * n] for n in range(1, 10)]
    settings = NetworkSettings(anchors, 128, (32, 16, 8))
    detector = Detector(make_onnx(settings.to_metadata(), strides=(32, 16, 8)), threads=1)
    assert detector.settings == settings
    # The middle anchor of the finest head, 16 px, on a white cell of 8 px; the coarser cells are never all white.
    faces = detector(white_on_black(128, 128, (40, 64, 48, 72)))
    np.testing.assert_allclose(faces.boxes_xyxy, [[36, 60, 52, 76]], atol=1e-3)
    for wrong in ({"strides": "[32, 16]"}, {"strides": "[8, 16, 32]"}, {"strides": "[]"}, {"strides": "32"}):
        with pytest.raises(ValueError, match=r"^expected .*got"):
            Detector(make_onnx(settings.to_metadata() | wrong, strides=(32, 16, 8)))


def test_missing_weights_or_those_of_another_network(tmp_path, make_onnx):
    with pytest.raises(ValueError, match="expected a face detector at"):
        Detector(make_onnx(head_channels=21))
    with pytest.raises(FileNotFoundError, match="found no file at"):
        Detector(tmp_path / "nosuch.onnx")
    with pytest.raises(ValueError, match=r"expected a file \.onnx"):
        Detector(tmp_path)


# Detections

BOX = np.array([[1, 2, 3, 4], [1, 2, 3, 4]], np.float32)
SCORE = np.array([0.9, 0.1], np.float32)


@pytest.mark.parametrize(
    ("boxes", "scores", "why"),
    [
        (BOX.astype(np.float64), SCORE, "float32"),
        (BOX[:1], SCORE, r"\[N\]"),
        (BOX[:, [2, 1, 0, 3]], SCORE, "left < right"),
        (BOX * np.float32(np.nan), SCORE, "finite"),
        (BOX, SCORE[::-1], "best first"),
        (BOX, SCORE + 1, r"0\.\.1"),
        (BOX, SCORE * np.float32(np.nan), r"0\.\.1"),
    ],
)
def test_detections_are_checked_when_built(boxes, scores, why):
    with pytest.raises(ValueError, match=why):
        Detections(boxes, scores)


# What ships

needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason="no weights in this checkout")
SHIPPED = [
    (name, fast) for name in [one.name for one in list_models() if one.task == DETECTION] for fast in (False, True)
]


@pytest.mark.parametrize(("name", "fast"), SHIPPED)
def test_shipped_network_finds_the_astronaut(name, fast):
    data = pytest.importorskip("skimage.data")
    detector = Detector(name, threads=1, fast=fast)
    assert detector.settings.longest == 320 or not fast
    faces = detector(np.ascontiguousarray(data.astronaut()[..., ::-1]))
    (box,) = faces.boxes_xyxy
    center = (box[:2] + box[2:]) / 2
    np.testing.assert_allclose(center, [222, 118], atol=25)


@needs_weights
def test_faces_are_found_without_paddle():
    run_python(
        "import sys, numpy as np, yolo3tiny; yolo3tiny.Detector(threads=1)(np.zeros((40, 60, 3), np.uint8)); "
        "assert not {'paddle', 'onnx', 'matplotlib'} & set(sys.modules)"
    )
