"""Metrics against a hand-worked table and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fer_paddle.analysis.metrics import accuracy, confusion_matrix, f1_scores, mean_recall, precisions, recalls, roc


def test_same_as_scikit_learn():
    """Of eight classes the last has no sample and is never named: it counts neither way."""
    labels, predicted = pair = np.random.default_rng(0).integers(0, 7, (2, 500))
    confusion = confusion_matrix(*pair, 8)
    np.testing.assert_array_equal(confusion[:7, :7], sklearn_metrics.confusion_matrix(*pair))
    assert accuracy(confusion) == pytest.approx(sklearn_metrics.accuracy_score(*pair))
    assert mean_recall(confusion) == pytest.approx(sklearn_metrics.balanced_accuracy_score(*pair))
    for ours, name in ((recalls, "recall"), (precisions, "precision"), (f1_scores, "f1")):
        expected = getattr(sklearn_metrics, f"{name}_score")(labels, predicted, average=None)
        np.testing.assert_allclose(ours(confusion), [*expected, np.nan])
    assert np.isnan(accuracy(confusion_matrix(np.zeros(0, int), np.zeros(0, int), 7)))


@pytest.mark.parametrize("decimals", [None, 1])  # one decimal makes many scores equal
def test_roc_is_scikit_learns(decimals):
    rng = np.random.default_rng(0)
    is_class = rng.random(300) < 0.3
    scores = rng.random(300) + 0.5 * is_class
    scores = scores if decimals is None else scores.round(decimals)
    curve = roc(is_class, scores)
    false_rate, true_rate, _ = sklearn_metrics.roc_curve(is_class, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, false_rate)
    np.testing.assert_allclose(curve.true_positive_rate, true_rate)
    assert curve.auc == pytest.approx(sklearn_metrics.roc_auc_score(is_class, scores))
