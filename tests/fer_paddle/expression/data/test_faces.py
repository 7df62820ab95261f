"""Labelled faces in memory: their checks, choosing, splitting and joining."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.expression.data.faces import (
    LabelledFaces,
    join_faces,
    split_faces,
    take_measured,
    take_split,
    take_subset,
    without_copies,
)


@pytest.fixture(params=["one array", "list"])
def faces(request, noise):
    """Fourteen faces, two of each class, with all columns; their first pixel is their number."""
    images = noise(14)
    images[:, 0, 0] = np.arange(14)
    return LabelledFaces(
        images if request.param == "one array" else list(images),
        np.arange(14) % 7,
        votes=np.arange(140, dtype=np.float32).reshape(14, 10),
        split=np.array(["train"] * 8 + ["validation"] * 4 + ["test"] * 2),
        targets=np.eye(7, dtype=np.float32)[np.arange(14) % 7],
        names=[f"{number}.png" for number in range(14)],
        shapes=np.full((14, 2), 48),
        skipped=(("broken.jpg", "empty"),),
    )


def numbers(faces: LabelledFaces) -> list[int]:
    return [int(image[0, 0]) for image in faces.images]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": np.zeros(2, int)}, "as many labels as images, got 2 and 3"),
        ({"names": ["a"]}, "as many labels as names, got 3 and 1"),
        ({"labels": np.array([0, 7, 1])}, "labels 0 to 6, or -1 for none, got 0 to 7"),
        ({"labels": np.array([0, 2, 1]), "classes": ("a", "b")}, "labels 0 to 1"),
    ],
)
def test_columns_that_do_not_fit_are_refused(noise, change, expected):
    columns = {"images": noise(3), "labels": np.zeros(3, int), **change}
    with pytest.raises(ValueError, match=expected):
        LabelledFaces(**columns)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (np.arange(14) % 5 == 0, [0, 5, 10]),
        (np.array([9, 2, 2]), [9, 2, 2]),  # the order of the indices, with repeats
        (np.zeros(14, bool), []),
    ],
)
def test_select_keeps_all_columns_together(faces, chosen, expected):
    found = faces.select(chosen)
    assert numbers(found) == expected
    assert found.labels.tolist() == [row % 7 for row in expected] == found.targets.argmax(1).tolist()
    assert found.votes[:, 0].tolist() == [row * 10 for row in expected]
    assert found.split.tolist() == [faces.split[row] for row in expected]
    assert found.names == [f"{row}.png" for row in expected] and found.shapes.shape == (len(expected), 2)
    assert found.skipped == faces.skipped and type(found.images) is type(faces.images)


def test_without_copies_compares_pixels_and_shape(noise):
    images = noise(3)
    near = images[1].copy()
    near[47, 47] ^= 1
    wide = images[2].reshape(36, 64)  # the same bytes in another shape: another image
    others = LabelledFaces([images[0].copy(), near, wide], np.array([1, 1, 1]))
    kept = without_copies(LabelledFaces(images, np.array([0, 2, 3])), others)
    assert kept.labels.tolist() == [2, 3]  # whatever label the copy has
    flipped = LabelledFaces([image[:, ::-1] for image in images], np.zeros(3, int))
    assert len(without_copies(flipped, LabelledFaces(images[:, :, ::-1].copy(), np.zeros(3, int)))) == 0  # views


@pytest.mark.parametrize(
    ("splits", "count", "missing", "says"),
    [
        ("train validation test", 4, "all", "split of train, validation, test, got 'all'"),
        ("train validation", 4, "test", "split test in here, found train, validation"),
        ("train test", 2, "val", "split validation in here, found train, test"),
        ("train", 8, "test", "found train"),
        ("test", 2, "train", "found test"),
        ("", 14, "validation", "split validation in here, found one undivided set"),
    ],
)
def test_what_is_measured_on(faces, splits, count, missing, says):
    """Validation, else test; an undivided set or a lone split is taken whole; a split that is not there is refused."""
    part = faces.select(np.isin(faces.split, splits.split())) if splits else dataclasses.replace(faces, split=None)
    assert len(take_measured(part)) == count
    with pytest.raises(ValueError, match=says):
        take_split(part, missing, "here")


def test_split_takes_a_ratio_of_each_class():
    labels = np.repeat(np.arange(7), [1, 2, 5, 10, 20, 50, 100])
    faces = LabelledFaces(np.arange(188, dtype=np.uint8).reshape(-1, 1, 1), labels)
    first, second = split_faces(faces, 0.1, seed=0)
    assert list(second.counts().values()) == [0, 1, 1, 1, 2, 5, 10]
    assert sorted([*first.images.ravel(), *second.images.ravel()]) == list(range(188))
    again, other = (split_faces(faces, 0.1, seed)[1].images.ravel().tolist() for seed in (0, 1))
    assert again == second.images.ravel().tolist() != other
    for count in (None, 188, 500):
        assert take_subset(faces, count) is faces
    assert len(take_subset(faces.select(labels > 2), 18)) == 18


def test_join_of_different_sizes_columns_and_classes(noise):
    small = LabelledFaces(noise(1), np.array([1]), votes=np.zeros((1, 10)), classes=("neutral", "smile"))
    large = LabelledFaces(noise(2, shape=(96, 96)), np.array([0, 1]), classes=("laugh", "smile"))
    joined = join_faces([small, large])
    assert [image.shape for image in joined.images] == [(48, 48), (96, 96), (96, 96)]
    assert joined.votes is None and joined.split is None
    assert joined.classes == ("laugh", "smile")  # of the faces that are there
    assert [joined.classes[label] for label in joined.labels] == ["smile", "laugh", "smile"]
