"""Metrics against a hand-worked table and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fer_paddle.analysis.metrics import accuracy, confusion_matrix, mean_recall, precisions, recalls


def test_same_as_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 7, 500), rng.integers(0, 7, 500)
    confusion = confusion_matrix(labels, predicted, 7)
    np.testing.assert_array_equal(confusion, sklearn_metrics.confusion_matrix(labels, predicted))
    assert accuracy(confusion) == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    assert mean_recall(confusion) == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    expected = sklearn_metrics.precision_score(labels, predicted, average=None)
    np.testing.assert_allclose(precisions(confusion), expected)


def test_an_absent_class_counts_neither_way_and_no_samples_give_nan():
    confusion = confusion_matrix(np.array([0, 1]), np.array([0, 0]), 3)
    assert np.isnan(recalls(confusion)[2]) and np.isnan(precisions(confusion)[1])
    assert mean_recall(confusion) == pytest.approx(0.5)
    assert np.isnan(accuracy(confusion_matrix(np.zeros(0, int), np.zeros(0, int), 7)))
