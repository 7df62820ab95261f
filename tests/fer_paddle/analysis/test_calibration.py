"""Calibration against a table by hand and scipy's optimizer."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax as scipy_softmax

from fer_paddle.analysis.calibration import cross_fitted_probs, fit_temperature, negative_log_likelihood, reliability
from fer_paddle.analysis.metrics import softmax


def overconfident(count=600, factor=3.0, seed=0):
    """Logits that would be calibrated at the temperature `factor`: labels are drawn from softmax(logits / factor)."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(count, 7)) * 1.5
    labels = np.array([rng.choice(7, p=row) for row in softmax(true)])
    return true * factor, labels


def test_error_by_hand():
    # Four bins of width 1/4 over the confidence of two classes, so the first is empty:
    #   bin 2 (0.25, 0.5]: 0.5 right             |1 - 0.5| * 1
    #   bin 3 (0.5, 0.75]: 0.6 right, 0.7 wrong   |0.5 - 0.65| * 2
    #   bin 4 (0.75, 1]:   0.9 wrong, 1.0 right   |0.5 - 0.95| * 2
    confidence = np.array([0.5, 0.6, 0.7, 0.9, 1.0])
    probs = np.stack([confidence, 1 - confidence], axis=1)
    found = reliability(probs, np.array([0, 0, 1, 1, 0]), num_bins=4)
    assert found.counts.tolist() == [0, 1, 2, 2]
    np.testing.assert_allclose(found.confidence[1:], [0.5, 0.65, 0.95])
    np.testing.assert_allclose(found.accuracy[1:], [1, 0.5, 0.5])
    assert np.isnan(found.confidence[0]) and np.isnan(found.accuracy[0])
    assert found.ece == pytest.approx((0.5 + 2 * 0.15 + 2 * 0.45) / 5)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_is_scipys(factor):
    logits, labels = overconfident(factor=factor)
    expected = minimize_scalar(
        lambda power: negative_log_likelihood(logits, labels, np.exp(power)), bounds=(-3, 3), method="bounded"
    )
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(np.exp(expected.x), rel=1e-3)
    assert found == pytest.approx(factor, rel=0.15)  # what the labels were drawn with


def test_each_face_gets_the_temperature_of_the_others():
    """Only the temperature of its own fold may not have seen a face: changing its label must not change its row."""
    logits, labels = overconfident(60)
    changed = labels.copy()
    changed[7] = (labels[7] + 1) % 7
    before, after = (cross_fitted_probs(logits, each, folds=60)[0] for each in (labels, changed))
    np.testing.assert_allclose(before[7], after[7])
    assert np.abs(np.delete(before, 7, axis=0) - np.delete(after, 7, axis=0)).max() > 0


@pytest.mark.parametrize(
    ("logits", "labels", "says"),
    [
        (np.eye(3), np.arange(3), "expected a face that is named wrongly, got a best temperature below 0.01"),
        (np.eye(4), np.array([0, 2, 3, 1]), "expected labels that follow the logits, got a best temperature above 100"),
        (np.zeros((3, 3)), np.arange(2), r"expected 3 class indices 0 to 2, got int64 \[2\]"),
    ],
)
def test_no_best_temperature(logits, labels, says):
    with pytest.raises(ValueError, match=says):
        fit_temperature(logits, labels)


def test_softmax_is_scipys_at_a_temperature_above_zero():
    logits = 5 * np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    np.testing.assert_allclose(softmax(logits, 2.0), scipy_softmax(logits / 2, axis=1), rtol=1e-5)
    np.testing.assert_allclose(softmax(np.array([[1e4, -1e4]])), [[1, 0]])  # large logits
    for temperature in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            softmax(logits, temperature)
