"""Labelled faces in memory: their checks, choosing, splitting and joining."""

from __future__ import annotations

import numpy as np
import pytest

from fer_paddle.expression.data.faces import (
    LabelledFaces,
    join_faces,
    split_faces,
    take_subset,
    take_usage,
    without_copies,
)
from fer_paddle.labels import EXPRESSIONS


@pytest.fixture(params=["one array", "list"])
def faces(request, noise):
    """Fourteen faces, two of each class, with votes and usages; their first pixel is their number."""
    images = noise(14)
    images[:, 0, 0] = np.arange(14)
    usages = np.array(["Training"] * 8 + ["PublicTest"] * 4 + ["PrivateTest"] * 2)
    votes = np.arange(140, dtype=np.float32).reshape(14, 10)
    return LabelledFaces(
        images if request.param == "one array" else list(images),
        np.arange(14) % 7,
        votes,
        usages,
        skipped=("broken.jpg",),
    )


def numbers(faces: LabelledFaces) -> list[int]:
    return [int(image[0, 0]) for image in faces.images]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": np.zeros(2, int)}, "as many labels as images, got 2 and 3"),
        ({"votes": np.zeros((4, 10))}, "as many labels as votes, got 3 and 4"),
        ({"usages": np.array(["Training"])}, "as many labels as usages, got 3 and 1"),
        ({"labels": np.array([0, 7, 1])}, "labels 0 to 6, got 0 to 7"),
        ({"labels": np.array([0, -1, 1])}, "labels 0 to 6, got -1 to 1"),
        ({"usages": np.array(["Training", "train", "Training"])}, "got Training, train"),
    ],
)
def test_columns_that_do_not_fit_are_refused(noise, change, expected):
    columns = {"images": noise(3), "labels": np.zeros(3, int), **change}
    with pytest.raises(ValueError, match=expected):
        LabelledFaces(**columns)


@pytest.mark.parametrize("images", [[], np.zeros((0, 48, 48), np.uint8)])
def test_no_faces_are_faces_too(images):
    none = LabelledFaces(images, np.zeros(0, np.int64))
    assert len(none) == 0 and sum(none.counts().values()) == 0
    assert len(without_copies(none, none)) == len(join_faces([none, none])) == 0


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (np.arange(14) % 5 == 0, [0, 5, 10]),
        (np.array([9, 2, 2]), [9, 2, 2]),  # the order of the indices, with repeats
        (np.zeros(14, bool), []),
        (np.zeros(0, int), []),
        (np.array([-1]), [13]),
    ],
)
def test_select_keeps_all_columns_together(faces, chosen, expected):
    found = faces.select(chosen)
    expected_rows = [number % 14 for number in expected]
    assert numbers(found) == expected_rows
    assert found.labels.tolist() == [row % 7 for row in expected_rows]
    assert found.votes[:, 0].tolist() == [row * 10 for row in expected_rows]
    assert found.usages.tolist() == [faces.usages[row] for row in expected_rows]
    assert found.skipped == faces.skipped
    assert type(found.images) is type(faces.images)


def test_counts_are_in_the_order_of_the_classes(noise):
    counts = LabelledFaces(noise(4), np.array([6, 3, 3, 0])).counts()
    assert list(counts) == list(EXPRESSIONS)
    assert counts == {**dict.fromkeys(EXPRESSIONS, 0), "neutral": 1, "happy": 2, "angry": 1}


def test_without_copies_compares_pixels_and_shape(noise):
    images = noise(3)
    near = images[1].copy()
    near[47, 47] ^= 1
    wide = images[2].reshape(36, 64)  # the same bytes in another shape: another picture
    others = LabelledFaces([images[0].copy(), near, wide], np.array([1, 1, 1]))
    kept = without_copies(LabelledFaces(images, np.array([0, 2, 3])), others)
    assert kept.labels.tolist() == [2, 3]  # whatever label the copy has


def test_without_copies_sees_pictures_that_are_views(noise):
    images = noise(4)
    flipped = LabelledFaces([image[:, ::-1] for image in images], np.zeros(4, int))
    mirrored = LabelledFaces(images[:, :, ::-1].copy(), np.zeros(4, int))
    assert len(without_copies(flipped, mirrored)) == 0


def test_take_usage(faces):
    assert numbers(take_usage(faces, "Training", "here")) == list(range(8))
    assert numbers(take_usage(faces, "PublicTest", "here")) == [8, 9, 10, 11]
    assert take_usage(faces, None, "here") is faces


def test_training_comes_without_the_pictures_of_both_test_splits(faces):
    images = [image.copy() for image in faces.images]
    images[2][...], images[5][...] = images[9], images[13]
    images[7][...] = images[6]  # a copy within Training stays
    copied = LabelledFaces(images, faces.labels, usages=faces.usages)
    assert take_usage(copied, "Training", "here").labels.tolist() == [0, 1, 3, 4, 6, 0]
    assert len(take_usage(copied, "PublicTest", "here")) == 4


@pytest.mark.parametrize(
    ("usage", "divided", "expected"),
    [
        ("Train", True, "usage of Training, PublicTest, PrivateTest, got 'Train'"),
        ("PublicTest", False, "PublicTest in here, found one undivided set"),
    ],
)
def test_an_unknown_usage_is_refused(noise, usage, divided, expected):
    usages = np.array(["Training", "PublicTest"]) if divided else None
    with pytest.raises(ValueError, match=expected):
        take_usage(LabelledFaces(noise(2), np.zeros(2, int), usages=usages), usage, "here")


def test_a_usage_that_no_face_has_is_refused(faces):
    with pytest.raises(ValueError, match="PrivateTest in here, found Training, PublicTest"):
        take_usage(faces.select(np.arange(12)), "PrivateTest", "here")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_split_takes_a_share_of_every_class(share):
    counts = [1, 2, 3, 10, 100, 0, 999]
    labels = np.repeat(np.arange(7), counts)
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2)  # the number as 4 bytes
    first, second = split_faces(LabelledFaces(images, labels), share, seed=3)
    pictures = np.concatenate([first.images, second.images])
    assert len(np.unique(pictures, axis=0)) == len(pictures) == len(labels)  # each face in one part, once
    for count, here, there in zip(counts, first.counts().values(), second.counts().values()):
        assert here + there == count
        assert abs(there - share * count) <= 1
        assert count < 2 or (here and there)
    assert first.counts()["angry"] == 1  # a single face is there to learn from


def test_split_depends_on_the_seed_alone(noise):
    faces = LabelledFaces(noise(70), np.repeat(np.arange(7), 10))
    first, second = (split_faces(faces, 0.3, seed=1)[1].images for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (split_faces(faces, 0.3, seed=2)[1].images != first).any()


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_split_refuses_what_is_no_share(faces, share):
    with pytest.raises(ValueError, match="share between 0 and 1"):
        split_faces(faces, share, 0)


def test_join_puts_one_after_the_other(faces):
    joined = join_faces([faces.select(np.array([3, 4])), faces.select(np.array([0]))])
    assert numbers(joined) == [3, 4, 0]
    assert joined.labels.tolist() == [3, 4, 0]
    assert joined.votes[:, 0].tolist() == [30, 40, 0]
    assert joined.usages.tolist() == ["Training"] * 3
    assert joined.skipped == ("broken.jpg", "broken.jpg")


def test_join_of_different_sizes_and_columns(noise):
    small = LabelledFaces(noise(1), np.array([1]), votes=np.zeros((1, 10)))
    large = LabelledFaces(noise(2, shape=(96, 96)), np.array([2, 3]))
    joined = join_faces([small, large])
    assert [image.shape for image in joined.images] == [(48, 48), (96, 96), (96, 96)]
    assert joined.votes is None and joined.usages is None


def test_join_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        join_faces([])


def test_a_subset_keeps_the_shares_of_the_classes():
    labels = np.repeat(np.arange(7), 10)
    faces = LabelledFaces(np.zeros((70, 4, 4), np.uint8), labels)
    assert take_subset(faces, 14).counts() == dict.fromkeys(faces.counts(), 2)
    for count in (None, 70, 100):
        assert take_subset(faces, count) is faces
