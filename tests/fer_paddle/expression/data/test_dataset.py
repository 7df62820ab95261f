"""Samples: what they are, and that (seed, epoch, index) alone decides them."""

import numpy as np
import pytest

from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.recipes import STRONG
from fer_paddle.images import FER_MEAN, FER_STD, faces_to_batch
from fer_paddle.training.augment import AugmentConfig

AUGMENT = AugmentConfig(0.5, 12, 0.1, 0.06, 0.1, 0.2, 0.5, 0.15)


@pytest.fixture
def faces(noise):
    votes = np.random.default_rng(0).random((6, 10), np.float32)
    return LabelledFaces(noise(6), np.arange(6, dtype=np.int64), votes)


def test_a_sample(faces):
    data = ExpressionData(faces, 64)
    image, (label, votes) = data[2]
    assert len(data) == 6
    assert image.shape == (1, 64, 64) and image.dtype == np.float32
    assert label == 2 and np.asarray(label).dtype == np.int64 and np.shape(label) == ()
    assert votes.dtype == np.float32
    np.testing.assert_array_equal(votes, faces.votes[2])


@pytest.mark.parametrize("size", [32, 48, 64])
def test_without_augmentation_samples_are_what_the_classifier_sees(faces, size):
    batch = draw(ExpressionData(faces, size))
    np.testing.assert_array_equal(batch, faces_to_batch(list(faces.images), size))
    if size == 48:
        np.testing.assert_allclose(batch[0, 0] * FER_STD + FER_MEAN, faces.images[0] / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (48, 48), (30, 50, 3)])
def test_faces_that_are_not_square_are_taken_whole(noise, shape):
    """The longer side decides; what is missing repeats the edge, as the pipeline's crops do."""
    images = [noise(1, shape=shape)[0]]
    side = max(shape[:2])
    image, _ = ExpressionData(LabelledFaces(images, np.zeros(1, np.int64)), side)[0]
    gray = np.rint((image[0] * FER_STD + FER_MEAN) * 255)
    top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
    inside = gray[top : top + shape[0], left : left + shape[1]]
    weights = np.array([0.114, 0.587, 0.299])  # BGR
    expected = images[0] @ weights if len(shape) == 3 else images[0]
    np.testing.assert_allclose(inside, expected, atol=1)
    if left:
        np.testing.assert_array_equal(gray[:, :left], inside[:, :1].repeat(left, 1))


def draw(data, epoch=0):
    data.set_epoch(epoch)
    return np.stack([data[index][0] for index in range(len(data))])


def test_seed_epoch_and_index_decide_a_sample(faces):
    data = ExpressionData(faces, 48, AUGMENT, seed=3)
    first = draw(data, 5)
    np.testing.assert_array_equal(draw(ExpressionData(faces, 48, AUGMENT, seed=3), 5), first)
    draw(data, 6)
    data.set_epoch(5)
    for index in (4, 0, 4):  # in any order, again and again
        np.testing.assert_array_equal(data[index][0], first[index])
    assert (draw(data, 6) != first).any(axis=(1, 2, 3)).all()
    assert (draw(ExpressionData(faces, 48, AUGMENT, seed=4), 5) != first).any(axis=(1, 2, 3)).all()


def test_the_size_follows_the_epoch(faces):
    data = ExpressionData(faces, ((0, 44), (26, 60)), STRONG.augment)
    sides = [draw(data, epoch).shape[-1] for epoch in (0, 25, 26, 31, 100)]
    assert sides == [44, 44, 60, 60, 60]


@pytest.mark.parametrize(
    "size", [0, -1, [], [(1, 48)], [(0, 48), (0, 64)], [(0, 48), (5, 64), (3, 32)], [(0, 48), (3, 0)]]
)
def test_sizes_that_make_no_sense_are_refused(faces, size):
    with pytest.raises(ValueError, match="from epoch 0 in rising order"):
        ExpressionData(faces, size)
