"""Drawn faces: the same bytes for the same seed, geometry that agrees with the drawing, seven expressions."""

import io
import os
from collections.abc import Callable
from contextlib import redirect_stdout

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_paddle.drawn import FaceSet, SyntheticFace, SyntheticScene, draw_face, draw_scene, make_faces
from fer_paddle.labels import EXPRESSIONS
from tests.processes import run_python

FRONTAL = (0.0, 0.0, 0.0)
PEOPLE = range(12)

_FINGERPRINT = """
import hashlib, cv2
cv2.setNumThreads(2)
from fer_paddle.drawn import draw_face, draw_scene, make_faces
faces, scene, large = make_faces(14, 64, seed=3), draw_scene(4, 320, 240), draw_face("fear", 300, 5)
arrays = [*vars(faces).values(), *vars(scene).values(), large.image, large.points]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return make_faces(490, 48, seed=1)


@pytest.fixture(scope="module")
def people() -> dict[str, list[SyntheticFace]]:
    """The same twelve people with each expression, straight before the camera."""
    return {name: [draw_face(name, 64, seed, 1.0, FRONTAL) for seed in PEOPLE] for name in EXPRESSIONS}


def _holds(boxes: np.ndarray, points: np.ndarray, slack: float = 1e-3) -> bool:
    low, high = boxes[..., None, :2] - slack, boxes[..., None, 2:] + slack
    return bool(((points >= low) & (points <= high)).all())


def test_another_process_with_other_threads_draws_the_same_bytes() -> None:
    theirs = run_python(_FINGERPRINT, environment={**os.environ, "OMP_NUM_THREADS": "2"})
    threads = cv2.getNumThreads()
    try:
        with redirect_stdout(io.StringIO()) as ours:
            exec(_FINGERPRINT.replace("setNumThreads(2)", "setNumThreads(1)"), {})
    finally:
        cv2.setNumThreads(threads)
    assert ours.getvalue() == theirs and len(theirs) == 65


def test_the_first_faces_of_a_set_are_the_smaller_set(faces: FaceSet) -> None:
    few = make_faces(10, 48, seed=1)
    for name, values in vars(few).items():
        assert np.array_equal(values, getattr(faces, name)[:10]), name


def test_expressions_are_balanced_from_the_start(faces: FaceSet) -> None:
    assert np.bincount(faces.labels).tolist() == [70] * 7
    assert sorted(faces.labels[:7].tolist()) == list(range(7))
    assert faces.labels[:7].tolist() != faces.labels[7:14].tolist()  # the order tells nothing


def test_points_and_boxes_lie_in_the_image_and_agree(faces: FaceSet) -> None:
    assert (faces.points >= 0).all() and (faces.points <= 48).all()
    assert (faces.boxes_xyxy >= 0).all() and (faces.boxes_xyxy <= 48).all()
    assert _holds(faces.boxes_xyxy, faces.points)  # with the jaw
    sides = (faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2]).max(1) / 48
    assert sides.min() > 0.55 and sides.max() < 0.98


def test_points_lie_where_eyes_and_mouth_are_drawn() -> None:
    """The pupils, the darkest of a light skin's eyes, lie within the eye points, in three poses."""
    for yaw in (-25.0, 0.0, 25.0):
        face = draw_face("surprise", 256, 12, 1.0, (yaw, 0.0, 8.0), clean=True)
        gray = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY).astype(float)
        for eye in (face.points[36:42], face.points[42:48]):
            inside = np.zeros(gray.shape, np.uint8)
            cv2.fillPoly(inside, [np.round(eye - 0.5).astype(np.int32)], 1)
            around = cv2.dilate(inside, np.ones((15, 15), np.uint8)) - cv2.dilate(inside, np.ones((5, 5), np.uint8))
            # An open eye has white and black within its outline, the skin around it has neither.
            assert np.ptp(gray[inside == 1]) > 1.15 * np.ptp(gray[around == 1])


# How much of each a face has, in pixels, by the rows of points whose mean heights or places are compared.
MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "eye opening": lambda p: (p[[40, 41, 46, 47], 1] - p[[38, 37, 44, 43], 1]).mean(),
    "mouth opening": lambda p: p[66, 1] - p[62, 1],
    "corner drop": lambda p: p[[48, 54], 1].mean() - p[[51, 57], 1].mean(),
    "brow height": lambda p: p[36:48, 1].mean() - p[17:27, 1].mean(),
    "inner brow tilt": lambda p: p[[17, 26], 1].mean() - p[[21, 22], 1].mean(),  # inner ends above the outer
    "brow gap": lambda p: p[22, 0] - p[21, 0],
    "mouth width": lambda p: p[54, 0] - p[48, 0],
    "nose to lip": lambda p: p[51, 1] - p[33, 1],
}


# What each expression's action units do to a person's own neutral face: measure, expression, -1 or 1.
@pytest.mark.parametrize(
    ("measure", "expression", "sign"),
    [
        ("corner drop", "happy", -1),  # AU12
        ("mouth width", "happy", 1),
        ("corner drop", "sad", 1),  # AU15
        ("inner brow tilt", "sad", 1),  # AU1 + AU4
        ("inner brow tilt", "angry", -1),  # AU4
        ("brow gap", "angry", -1),
        ("brow height", "angry", -1),
        ("nose to lip", "disgust", -1),  # AU10
        ("eye opening", "disgust", -1),  # AU7, AU9
        ("eye opening", "fear", 1),  # AU5
        ("mouth width", "fear", 1),  # AU20
        ("inner brow tilt", "fear", 1),  # AU1 + AU4
        ("eye opening", "surprise", 1),  # AU5
        ("brow height", "surprise", 1),  # AU1 + AU2
        ("mouth opening", "surprise", 1),  # AU26, AU27
    ],
)
def test_muscles_move_each_face_away_from_its_own_neutral(people, measure, expression, sign) -> None:
    amount = MEASURES[measure]
    moved = [amount(face.points) - amount(rest.points) for face, rest in zip(people[expression], people["neutral"])]
    assert min(sign * one for one in moved) > 0.25  # pixels of 64


def test_one_seed_is_one_person_whatever_the_expression(people: dict[str, list[SyntheticFace]]) -> None:
    for seed in PEOPLE:
        walls = [draw_face(name, 64, seed, 1.0, FRONTAL, clean=True).image[:6, :6] for name in EXPRESSIONS]
        assert all(np.array_equal(wall, walls[0]) for wall in walls)
    rims = np.array([people["neutral"][index].points[[0, 16, 27]] for index in PEOPLE])
    assert np.array([people["angry"][index].points[[0, 16, 27]] for index in PEOPLE]) == pytest.approx(rims, abs=0.6)


def test_people_differ(faces: FaceSet) -> None:
    """Skin from dark to light, faces from narrow to broad, poses to both sides."""
    centers = faces.points[:, [30, 2, 14]].mean(1).round().astype(int)
    skin = np.array([image[y, x].mean() for image, (x, y) in zip(faces.images, centers)])
    assert np.percentile(skin, 5) < 60 and np.percentile(skin, 95) > 130
    spans = faces.points[:, 16] - faces.points[:, 0]
    slopes = np.degrees(np.arctan2(spans[:, 1], spans[:, 0]))
    assert slopes.min() < -8 and slopes.max() > 8
    height = np.linalg.norm(faces.points[:, 8] - faces.points[:, 27], axis=1)
    shape = np.linalg.norm(spans, axis=1) / height
    assert np.ptp(shape) > 0.25
    nose = faces.points[:, 30, 0] - (faces.points[:, 0, 0] + faces.points[:, 16, 0]) / 2
    assert nose.min() < -3 and nose.max() > 3


def test_expressions_can_be_learned_from_the_images(faces: FaceSet) -> None:
    """A linear classifier on gray gradients, trained on 350 people, names the expressions of 140 others."""
    hog = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    features = []
    for image, (left, top, right, bottom) in zip(faces.images, faces.boxes_xyxy.round().astype(int)):
        face = cv2.resize(image[top:bottom, left:right], (48, 48))
        features.append(hog.compute(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)))
    features = np.array(features)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=200))
    model.fit(features[:350], faces.labels[:350])
    right = model.predict(features[350:]) == faces.labels[350:]
    assert right.mean() > 0.8  # chance: 0.14
    for label in range(7):
        assert right[faces.labels[350:] == label].mean() > 0.6


@pytest.fixture(scope="module")
def scenes() -> list[SyntheticScene]:
    return [draw_scene(seed, 480, 360) for seed in range(10)]


def _overlap(boxes: np.ndarray) -> np.ndarray:
    """Gives the share of each box that each other box covers, [N,N], 0 on the diagonal."""
    low, high = np.maximum(boxes[:, None, :2], boxes[:, :2]), np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1) / (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None]
    return shared * (1 - np.eye(len(boxes)))


def test_scenes_keep_their_promises(scenes: list[SyntheticScene]) -> None:
    for scene in scenes:
        count = len(scene.labels)
        assert scene.image.shape == (360, 480, 3) and scene.image.dtype == np.uint8
        assert scene.boxes_xyxy.shape == (count, 4)
        assert scene.points.shape == (count, 68, 2)
        assert scene.labels.dtype == np.int64 and scene.boxes_xyxy.dtype == np.float32
        assert 1 <= count <= 24
        sides = (scene.boxes_xyxy[:, 2:] - scene.boxes_xyxy[:, :2]).max(1)
        assert sides.min() > 11.99 and sides.max() < 200.01
        assert (np.diff(sides) <= 1e-3).all()  # the largest first
        assert (scene.boxes_xyxy >= 0).all() and (scene.boxes_xyxy <= [480, 360, 480, 360]).all()
        assert _holds(scene.boxes_xyxy, scene.points)
        assert _overlap(scene.boxes_xyxy).max() < 0.1
    assert np.ptp([len(scene.labels) for scene in scenes]) > 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_face("cheerful-ish"), "cheerful-ish"),
        (lambda: draw_face(7), "from 0 to 6, got 7"),
        (lambda: draw_face(0, size=8), "from 16 to 1024, got 8"),
        (lambda: draw_face(0, seed=-1), "non-negative"),
        (lambda: draw_face(0, intensity=float("nan")), "got nan"),
        (lambda: draw_face(0, pose_deg=(50.0, 0.0, 0.0)), "yaw, pitch and roll"),
        (lambda: make_faces(-1), "count.*0 or more, got -1"),
        (lambda: make_faces(2, expressions=[]), "one or more expressions"),
        (lambda: make_faces(2, expressions="happy"), "one or more expressions, got 'happy'"),
        (lambda: draw_scene(0, width=10), "width.*from 64 to 4096, got 10"),
        (lambda: draw_scene(0, min_px=50, max_px=20), "min_px <= max_px"),
    ],
)
def test_wrong_use_is_answered_in_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
