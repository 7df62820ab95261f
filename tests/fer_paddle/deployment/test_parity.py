"""The report that decides whether an exported file may be written."""

import numpy as np
import pytest

from fer_paddle.deployment.export import BATCH, compare

IMAGES = np.random.default_rng(0).normal(size=(BATCH + 3, 7)).astype(np.float32)
NAMES = ("here", "there")


def test_differences_by_hand():
    def shifted(images):
        shifted.batches.append(len(images))
        outputs = images.copy()
        outputs[0, 2] += 0.5
        return [outputs]

    shifted.batches = []
    parity = compare(lambda images: [images], shifted, IMAGES, NAMES, "numbers")
    assert shifted.batches == [BATCH, 3]
    assert parity.max_difference == pytest.approx(0.5, rel=1e-6)
    assert parity.mean_difference == pytest.approx(2 * 0.5 / IMAGES.size, rel=1e-5)
    assert (parity.inputs, parity.description, parity.reference, parity.candidate) == (35, "numbers", *NAMES)
    assert not parity.holds


def test_agreement_is_of_the_likeliest_class():
    def one_wrong(images):
        outputs = images.copy()
        outputs[-1] = -outputs[-1]
        return [outputs]

    assert compare(lambda images: [images], one_wrong, IMAGES[:10], NAMES, "").top1_agreement == 0.9
    heads = compare(lambda images: [images, images], lambda images: [images, images], IMAGES, NAMES, "")
    assert heads.top1_agreement is None and heads.max_difference == 0 and heads.holds


@pytest.mark.parametrize("count", [BATCH, BATCH + 3])  # NaN everywhere, and where a later batch is right
def test_nan_does_not_hold(count):
    def broken(images):
        return [images * (np.nan if len(images) == BATCH else 1)]

    assert not compare(lambda images: [images], broken, IMAGES[:count], NAMES, "").holds


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="expected outputs of shapes"):
        compare(lambda images: [images], lambda images: [images[:, :3]], IMAGES, NAMES, "")
    with pytest.raises(ValueError, match="got none"):
        compare(lambda images: [images], lambda images: [images], IMAGES[:0], NAMES, "")
