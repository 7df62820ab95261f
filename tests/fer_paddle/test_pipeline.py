"""The pipeline with a detector and a classifier that the test makes up, then with what ships."""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle import images
from fer_paddle.drawn import draw_face
from fer_paddle.images import crop_square
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.measures import measure_face
from fer_paddle.landmarks.pose import estimate_pose
from fer_paddle.pipeline import MARGIN, Pipeline, open_image
from yolo3tiny.predict import Detections
from yolo3tiny.rotations import turn

PIXELS = np.random.default_rng(5).integers(0, 256, (30, 40, 3), np.uint8)


def detector_of(*boxes):
    """A detector that always finds these boxes, with falling scores."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.6, len(array), dtype=np.float32)
    return lambda image, min_score: Detections(array[scores >= min_score], scores[scores >= min_score])


class Recorder:
    """A classifier that remembers its crops and says happy."""

    def __call__(self, crops):
        self.crops = crops
        probs = np.full((len(crops), 7), 0.05, np.float32)
        probs[:, EXPRESSIONS.index("happy")] = 0.7
        return probs


def test_faces_carry_box_score_probs_and_label():
    image = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    boxes = [[10, 20, 50, 60], [150, 70, 199, 99]]
    faces = Pipeline(detector_of(*boxes), Recorder())(image)
    assert [face.box_xyxy.tolist() for face in faces] == boxes
    assert [face.label for face in faces] == ["happy", "happy"]
    assert faces[0].score == pytest.approx(0.9) and faces[0].probs.sum() == pytest.approx(1)


def test_faces_carry_landmarks_where_they_are_asked_for():
    drawn = draw_face("happy", 128, 0)
    asked = []

    def landmarks(image, boxes):
        asked.append(boxes)
        return np.repeat(drawn.points[None], len(boxes), axis=0)

    pipeline = Pipeline(detector_of(drawn.box_xyxy), Recorder(), landmarks=landmarks)
    (face,) = pipeline(drawn.image)
    np.testing.assert_array_equal(asked[0], drawn.box_xyxy[None])
    assert face.pose.to_json() == estimate_pose(drawn.points, (128, 128)).to_json()
    assert face.measures == measure_face(drawn.points)
    found = json.loads(json.dumps(face.to_json()))
    np.testing.assert_allclose(found["points_xy"], drawn.points, atol=0.01)
    assert Pipeline(detector_of(), Recorder(), landmarks=landmarks)(drawn.image) == []
    (plain,) = Pipeline(detector_of(drawn.box_xyxy), Recorder())(drawn.image)
    assert plain.points is None and "points_xy" not in plain.to_json()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_landmarks_of_a_turned_face_are_found_upright_and_turned_back(degrees):
    drawn = draw_face("happy", 128, 0)
    upright = np.pad(drawn.image, ((0, 40), (0, 0), (0, 0)))  # not square
    lying = turn(upright, 360 - degrees)

    def detect(image, min_score):
        box = drawn.box_xyxy[None] if np.array_equal(image, upright) else np.zeros((0, 4), np.float32)
        return Detections(box, np.full(len(box), 0.9, np.float32))

    def landmarks(image, boxes):
        np.testing.assert_array_equal(image, upright)
        np.testing.assert_allclose(boxes, drawn.box_xyxy[None], atol=1e-4)
        return drawn.points[None]

    (face,) = Pipeline(detect, Recorder(), rotations=(degrees,), landmarks=landmarks)(lying)
    center = np.array(lying.shape[1::-1]) / 2
    angle = np.deg2rad(-degrees)  # from upright to lying, counter-clockwise
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wanted = (drawn.points - np.array(upright.shape[1::-1]) / 2) @ matrix.T + center
    np.testing.assert_allclose(face.points, wanted, atol=1e-3)
    assert face.measures == measure_face(face.points)


def test_a_face_on_its_side_is_turned_for_the_classifier():
    image = np.random.default_rng(1).integers(0, 256, (100, 200, 3), np.uint8)

    def detect(image, min_score):
        boxes = [[10, 20, 50, 60]] if image.shape[0] == 200 else []  # in the image that was turned alone
        return detector_of(*boxes)(image, min_score)

    recorder = Recorder()
    (face,) = Pipeline(detect, recorder, margin=0, rotations=(90, 270), min_face=40)(image)[:1]
    assert face.box_xyxy.tolist() == [20, 50, 60, 90] and face.to_json()["rotation_deg"] == 90
    np.testing.assert_array_equal(recorder.crops[0], np.rot90(image[50:90, 20:60], -1))


@pytest.mark.parametrize("shape", [(240, 300), (3, 300), (300, 1)])
def test_a_face_larger_than_a_crop_may_be_is_shrunk(shape, monkeypatch):
    monkeypatch.setattr(images, "MAX_CROP_SIDE", 100)  # 10,000 takes 300 MB
    height, width = shape
    image = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    recorder = Recorder()
    faces = Pipeline(detector_of([0, 0, width, height], [0, 0, 1, 1]), recorder)(image)
    assert [face.box_xyxy.tolist() for face in faces] == [[0, 0, width, height], [0, 0, 1, 1]]
    assert 95 <= recorder.crops[0].shape[0] <= 100 and recorder.crops[0].shape[0] == recorder.crops[0].shape[1]
    np.testing.assert_allclose(recorder.crops[0].mean(), image.mean(), atol=8)
    np.testing.assert_array_equal(recorder.crops[1], crop_square(image, [0, 0, 1, 1], MARGIN))


ENCODED = cv2.imencode(".png", PIXELS)[1].tobytes()
SOURCES = [
    # what, source, other arguments
    ("BGR", PIXELS, {}),
    ("RGB", PIXELS[..., ::-1], {"channels": "RGB"}),
    ("bytes", ENCODED, {}),
    ("Pillow", Image.fromarray(PIXELS[..., ::-1]), {}),
    ("Pillow, read late", Image.open(io.BytesIO(ENCODED)), {}),
    ("Pillow with transparency", Image.fromarray(np.dstack([PIXELS[..., ::-1], np.full((30, 40), 255, np.uint8)])), {}),
]


@pytest.mark.parametrize(("source", "more"), [row[1:] for row in SOURCES], ids=[row[0] for row in SOURCES])
def test_one_door_for_every_kind_of_image(source, more):
    np.testing.assert_array_equal(open_image(source, **more), PIXELS)
    assert len(Pipeline(detector_of([2, 2, 20, 20]), Recorder())(source, **more)) == 1


def test_paths_and_gray_images_enter_by_the_same_door(tmp_path):
    (tmp_path / "图.png").write_bytes(ENCODED)
    for path in (tmp_path / "图.png", str(tmp_path / "图.png")):
        np.testing.assert_array_equal(open_image(path), PIXELS)
    gray = PIXELS[..., 0]
    for source in (gray, Image.fromarray(gray)):
        np.testing.assert_array_equal(open_image(source), np.dstack([gray] * 3))


def test_wrong_images_are_refused():
    for source in (b"", Image.new("L", (30_000, 4_000)), "https://example.org/a"):
        with pytest.raises(ValueError, match="expected"):
            Pipeline(detector_of(), Recorder())(source)


@pytest.mark.parametrize(
    "wrong",
    [{"margin": np.nan}, {"margin": "1"}, {"classifier": "vgg8.photos"}, {"detector": "a.onnx"}, {"landmarks": "a.68"}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected [am]"):
        Pipeline(**{"detector": detector_of([2, 2, 20, 20]), "classifier": Recorder(), **wrong})(PIXELS)
