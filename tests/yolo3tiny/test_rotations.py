"""Faces that are found in a turned image come back to the place and the size that they have in the image."""

import numpy as np
import pytest

from yolo3tiny.predict import Detections
from yolo3tiny.rotations import ROTATIONS, find_faces, turn

WHITE_HW = (40, 20)  # of a face, a bright box that is found where it stands upright


def upright_faces(image, min_score=0.5):
    """Find one bright box, where it is higher than wide and darker at its lower end."""
    rows, columns = np.nonzero(image[..., 0])
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    upper, lower = image[rows.min(), columns.min(), 0], image[rows.max(), columns.min(), 0]
    is_upright = box[0, 3] - box[0, 1] > box[0, 2] - box[0, 0] and upper > lower
    return Detections(box[:is_upright], np.full(int(is_upright), 0.9, np.float32))


def draw(degrees):
    """Draw a face that stands upright after a turn by so many degrees clockwise, in an image of 100 x 160."""
    face = np.full((*WHITE_HW, 3), 100, np.uint8)
    face[:20] = 200
    face = turn(face, -degrees % 360)
    image = np.zeros((100, 160, 3), np.uint8)
    height, width = face.shape[:2]
    image[30 : 30 + height, 110 : 110 + width] = face
    return image, [110, 30, 110 + width, 30 + height]


@pytest.mark.parametrize("degrees", [0, *ROTATIONS])
def test_a_face_is_found_whichever_way_it_lies(degrees):
    image, box = draw(degrees)
    found, turns = find_faces(upright_faces, image, rotations_deg=tuple(ROTATIONS))
    assert found.boxes_xyxy.tolist() == [box] and turns.tolist() == [degrees]
    x1, y1, x2, y2 = box
    upright = turn(image[y1:y2, x1:x2], degrees)
    assert upright.shape[:2] == WHITE_HW and upright[0, 0, 0] == 200
    assert len(find_faces(upright_faces, image)[0]) == (degrees == 0)


def test_a_face_found_twice_is_told_once_as_it_is_surest():
    def detect(image, min_score):
        height, width = image.shape[:2]
        score = 0.9 if height > width else 0.6  # surer in the image that was turned
        return Detections(np.array([[0, 0, width, height]], np.float32), np.array([score], np.float32))

    found, turns = find_faces(detect, np.zeros((50, 60, 3), np.uint8), rotations_deg=(180, 90))
    assert found.boxes_xyxy.tolist() == [[0, 0, 60, 50]] and turns.tolist() == [90]
    assert found.scores.tolist() == pytest.approx([0.9])
