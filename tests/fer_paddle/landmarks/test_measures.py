"""Measures tell drawn expressions apart, whatever the roll; aligned crops are level and keep what they should."""

import cv2
import numpy as np
import pytest

from fer_paddle.drawn import draw_face
from fer_paddle.landmarks.measures import align, aligned_crop, measure_face

SEEDS = range(6)


def measures_of(expression: str, roll: float = 0.0) -> list:
    faces = [draw_face(expression, 128, seed, 1.0, (0, 0, roll), clean=True) for seed in SEEDS]
    return [measure_face(face.points) for face in faces]


def test_a_smile_is_above_a_neutral_mouth_and_sadness_below():
    smile, rest, sad = (np.array([m.smile for m in measures_of(name)]) for name in ("happy", "neutral", "sad"))
    assert (smile > rest).all() and (sad < rest).all()


def test_surprise_opens_the_mouth_and_the_eyes():
    surprise, rest = measures_of("surprise"), measures_of("neutral")
    assert all(a.mouth_open > b.mouth_open + 0.1 for a, b in zip(surprise, rest))
    assert all(a.eye_closed <= b.eye_closed for a, b in zip(surprise, rest))


def test_measures_are_free_of_size_and_roll():
    level, rolled = measures_of("happy"), measures_of("happy", 30.0)
    for one, other in zip(level, rolled):
        np.testing.assert_allclose(list(other.to_json().values()), list(one.to_json().values()), atol=0.02)
    face = draw_face("happy", 128, 0)
    assert measure_face(face.points * 3 + 50).to_json() == measure_face(face.points).to_json()


def test_closed_eyes_are_closed():
    points = draw_face("neutral", 128, 0, pose_deg=(0, 0, 0)).points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        points[upper] = points[lower] = (points[upper] + points[lower]) / 2
    assert measure_face(points).eye_closed > 0.7


@pytest.mark.parametrize("part", ["mouth", "left_eye", "right_eye", "face"])
def test_a_crop_is_level_and_holds_its_part(part):
    face = draw_face("happy", 200, 3, pose_deg=(0, 0, 25), clean=True)
    points = face.points
    flat = align(points, points)
    assert abs(flat[36, 1] - flat[45, 1]) < 1e-6
    # A cross at the part's middle lands in the middle of the crop.
    chosen = {"mouth": slice(48, 68), "left_eye": slice(36, 42), "right_eye": slice(42, 48), "face": slice(0, 68)}[part]
    low, high = flat[chosen].min(0), flat[chosen].max(0)
    left, right = points[36], points[45]
    angle = np.arctan2(*(right - left)[::-1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = turn @ ((low + high) / 2 - (left + right) / 2) + (left + right) / 2
    image = np.zeros((200, 200), np.uint8)
    cv2.circle(image, tuple(np.round(middle - 0.5).astype(int).tolist()), 2, 255, -1)
    crop = aligned_crop(image, points, part, 64)
    assert crop.shape == (64, 64)
    y, x = np.argwhere(crop > 0.6 * crop.max()).mean(0)
    assert abs(x - 31.5) < 2.5 and abs(y - 31.5) < 2.5
    assert aligned_crop(face.image, points, part, 48).shape == (48, 48, 3)
