"""The README's picture is what the networks answer today, and they are right."""

import dataclasses

import cv2
import numpy as np
import pytest

from fer_paddle import Pipeline
from fer_paddle.apps.demo import draw_hero, drawn_people
from fer_paddle.drawing import draw_faces
from fer_paddle.environment import REPOSITORY
from fer_paddle.images import read_image
from fer_paddle.labels import EXPRESSIONS
from yolo3tiny.boxes import iou


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


def largest_difference(first, second):
    """The largest difference of two images over windows of the size of a word, 0 to 255; JPEG makes 6, a digit 39."""
    return cv2.blur(cv2.absdiff(first, second).max(axis=2).astype(np.float32), (41, 13)).max()


def test_the_picture_of_the_readme_is_what_the_networks_answer(pipeline):
    """CONTRIBUTING.md, Figures, tells how it is drawn anew."""
    hero = draw_hero(pipeline)
    assert largest_difference(hero, read_image(REPOSITORY / "docs" / "demo.jpg")) < 25


def test_a_picture_with_another_answer_is_stale(pipeline):
    image = drawn_people().image
    faces = pipeline(image)
    drawn = draw_faces(image, faces)
    faces[0] = dataclasses.replace(faces[0], label="fear")
    assert largest_difference(drawn, draw_faces(image, faces)) > 25


def test_the_drawn_people_are_found_and_named_rightly(pipeline):
    scene = drawn_people()
    faces = pipeline(scene.image)
    nearest = iou(np.stack([face.box_xyxy for face in faces]), scene.boxes_xyxy).argmax(axis=1)
    for face, person in zip(faces, nearest, strict=True):
        assert face.sure and face.label == EXPRESSIONS[scene.labels[person]]
    assert len(set(nearest.tolist())) == len(scene.labels) == 5
