"""Mixup and CutMix: pixels and labels in the same shares, and the same batch always mixed alike."""

import numpy as np
import pytest

from fer_paddle.expression.data.mixup import MixBatch, cutmix, mixed_loss


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    votes = np.eye(10, dtype=np.float32)
    return [(rng.random((1, 12, 12), np.float32) + index, (np.int64(index % 7), votes[index])) for index in range(8)]


@pytest.mark.parametrize("asked", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_cutmix_tells_the_share_that_is_really_left(asked):
    images = np.zeros((2, 1, 20, 30), np.float32)
    images[1] = 1
    for seed in range(20):
        mixed, share = cutmix(images, np.array([1, 0]), asked, np.random.default_rng(seed))
        assert mixed[0].mean() == pytest.approx(1 - share) and mixed[1].mean() == pytest.approx(share)
        assert share >= asked - 0.05  # the rectangle is cut at the edge, never larger
        rows, columns = np.nonzero(mixed[0, 0])
        if len(rows):  # one full rectangle
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert images[0].max() == 0, "the batch that came is left alone"


@pytest.mark.parametrize("mix", [MixBatch(mixup_alpha=0.4), MixBatch(cutmix_alpha=1.0), MixBatch(0.2, 1.0)])
def test_a_batch(samples, mix):
    images, (labels, votes, partners, partner_votes, share) = mix(samples)
    assert images.shape == (8, 1, 12, 12) and images.dtype == np.float32
    assert labels.tolist() == [index % 7 for index in range(8)] and labels.dtype == np.int64
    assert 0 <= share <= 1 and share.dtype == np.float32
    # Each image is its own number and noise: the mean says in which shares it was mixed, and with whom.
    partner = votes.argmax(1), partner_votes.argmax(1)
    expected = share * partner[0] + (1 - share) * partner[1]
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)) - 0.5, expected, atol=0.15)
    np.testing.assert_array_equal(partners, partner[1] % 7)


def test_the_same_batch_is_mixed_alike_and_another_otherwise_by_chance(samples):
    mix = MixBatch(1.0, 1.0)
    np.testing.assert_array_equal(mix(samples)[0], mix(samples)[0])
    assert len({float(mix(samples[start:])[1][-1]) for start in range(6)}) == 6
    rng = np.random.default_rng(0)
    batches = [[(rng.random((1, 4, 4), np.float32), target) for _, target in samples] for _ in range(300)]
    mixed = [MixBatch(1.0, chance=0.3)(batch)[1][-1] < 1 for batch in batches]
    assert np.mean(mixed) == pytest.approx(0.3, abs=0.08)


def test_a_loss_of_both_labels_in_their_shares():
    """NumPy stands in for tensors: the wrapper only adds and multiplies."""

    def loss(outputs, targets):
        labels, votes = targets
        return {"label": np.mean(outputs[np.arange(2), labels]), "votes": np.mean(votes)}

    outputs, votes = np.array([[0.0, 1.0], [2.0, 3.0]]), (np.zeros(2), np.ones(2))
    mixed = mixed_loss(loss)(outputs, (np.array([0, 0]), votes[0], np.array([1, 1]), votes[1], 0.75))
    assert mixed == {"label": 0.75 * 1 + 0.25 * 2, "votes": 0.25}
    plain = (np.array([0, 1]), votes[1])
    assert mixed_loss(loss)(outputs, plain) == loss(outputs, plain)
