"""Exact and near copies, counted by split and label."""

import cv2
import numpy as np
import pytest

from fer_paddle import duplicates
from fer_paddle.drawn import draw_face, make_faces
from fer_paddle.images import to_gray

GROUPS = [np.array([0, 1, 5]), np.array([2, 3]), np.array([4, 6])]
SPLITS = np.array(["train", "train", "train", "train", "train", "test", "test"])


@pytest.fixture(scope="module")
def faces():
    return [to_gray(image) for image in make_faces(12, 64, seed=0).images]


def as_lists(groups):
    return sorted(group.tolist() for group in groups)


def test_exact_copies_are_equal_pixel_for_pixel(faces):
    other = faces[1].copy()
    other[0, 0] ^= 1
    tall = np.zeros((2, 8), np.uint8)  # the same bytes as its transpose, another image
    groups = duplicates.exact_groups([faces[0], faces[1], faces[0].copy(), other, tall, tall.T.copy(), faces[0]])
    assert as_lists(groups) == [[0, 2, 6]]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC),
        lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0),
        lambda image: cv2.convertScaleAbs(image, alpha=0.7, beta=30),  # darker and paler
        lambda image: cv2.GaussianBlur(image, (3, 3), 0),
    ],
)
def test_another_print_of_the_same_photo_is_a_near_copy(faces, change):
    images = [*faces, change(faces[5])]
    assert as_lists(duplicates.near_groups(images, duplicates.exact_groups(images))) == [[5, 12]]


def test_near_groups_hold_the_exact_copies_and_join_what_is_linked(faces):
    assert duplicates.near_groups(faces, []) == []
    blurred = cv2.GaussianBlur(faces[0], (3, 3), 0)
    images = [faces[0], faces[1], blurred, blurred.copy(), faces[1].copy()]
    assert as_lists(duplicates.near_groups(images, duplicates.exact_groups(images))) == [[0, 2, 3], [1, 4]]


def test_flat_images_are_no_near_copies_of_each_other():
    """A hash of nearly nothing is of noise."""
    rng = np.random.default_rng(0)
    images = [np.uint8(100 + rng.integers(0, 3, (48, 48))) for _ in range(4)]
    assert duplicates.near_groups(images, []) == []


def test_counts_of_copies():
    assert duplicates.count_across_splits(GROUPS, SPLITS) == {"test also in train": 2}
    assert duplicates.count_within_splits(GROUPS, SPLITS) == {"test": 0, "train": 2}
    assert duplicates.count_across_splits(GROUPS, np.array([""] * 7)) == {}
    assert [group.tolist() for group in duplicates.across_splits(GROUPS, SPLITS)] == [[0, 1, 5], [4, 6]]


def test_copies_with_two_labels():
    labels = np.array([0, 0, 1, 2, -1, 0, 3])  # 4 has no label: that is no contradiction
    assert as_lists(duplicates.disagreeing(GROUPS, labels)) == [[2, 3]]


def test_expressions_of_one_person_are_alike_but_no_copies_of_two_labels():
    drawn = [draw_face(name, 200, seed=0, pose_deg=(0, 0, 0)).image for name in ("neutral", "happy", "surprise")]
    images = [to_gray(image) for image in drawn]
    images.append(cv2.resize(images[1], (100, 100), interpolation=cv2.INTER_AREA))
    group, labels = np.arange(4), np.array([6, 3, 5, 3])
    assert len(duplicates.disagreeing([group], labels)) == 1
    assert duplicates.disagreeing([group], labels, images) == []
    assert len(duplicates.disagreeing([group], np.array([6, 3, 5, 4]), images)) == 1  # the small copy says otherwise
