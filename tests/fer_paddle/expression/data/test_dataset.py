"""Samples: what they are, and that (seed, epoch, index) alone decides them."""

import numpy as np
import pytest

from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.recipes import STRONG
from fer_paddle.images import FER_MEAN, FER_STD, faces_to_batch
from fer_paddle.training.augment import AugmentConfig
from tests.fer_paddle.tiny_expressions import noise_faces

AUGMENT = AugmentConfig(0.5, 12, 0.1, 0.06, 0.1, 0.2, 0.5, 0.15)


@pytest.fixture
def faces():
    return noise_faces(6, 48)


def draw(data, epoch=0):
    data.set_epoch(epoch)
    return np.stack([data[index][0] for index in range(len(data))])


@pytest.mark.parametrize("size", [32, 48, 64])
def test_without_augmentation_samples_are_what_the_classifier_sees(faces, size):
    batch = draw(ExpressionData(faces, size))
    np.testing.assert_array_equal(batch, faces_to_batch(list(faces.images), size))
    if size == 48:
        np.testing.assert_allclose(batch[0, 0] * FER_STD + FER_MEAN, faces.images[0] / 255, atol=1e-6)


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
