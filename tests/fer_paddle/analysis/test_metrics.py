"""Metrics against a hand-worked table and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fer_paddle.analysis.calibration import (
    cross_fitted_probs,
    fit_temperature,
    negative_log_likelihood,
    plot_reliability,
    reliability,
)
from fer_paddle.analysis.embeddings import plot_embedding
from fer_paddle.analysis.metrics import accuracy, confusion_matrix, f1_scores, mean_recall, precisions, recalls, roc
from fer_paddle.analysis.mistakes import most_confident_mistakes
from fer_paddle.analysis.plots import plot_class_figures, plot_confusion, plot_roc

NAMES = ("a", "b", "c")
PROBS = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]])
LABELS = [0, 1, 2, 1]
# What is measured of probs or logits [N, C] and labels.
MEASURES = {
    "reliability": reliability,
    "plot_reliability": plot_reliability,
    "fit_temperature": fit_temperature,
    "cross_fitted_probs": lambda logits, labels: cross_fitted_probs(logits, labels, 2),
    "negative_log_likelihood": negative_log_likelihood,
    "most_confident_mistakes": lambda probs, labels: most_confident_mistakes(probs, labels, 2),
    "plot_roc": lambda probs, labels: plot_roc(probs, labels, names=NAMES),
}


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


@pytest.mark.parametrize("labels", [[-1, 1, 2, 1], [0, 1, 2, 3], [0.0, 1.0, 2.0, 0.5], [0, 1], [LABELS]])
@pytest.mark.parametrize(
    "use",
    [
        *(lambda labels, measure=measure: measure(PROBS, labels) for measure in MEASURES.values()),
        lambda labels: confusion_matrix(labels, LABELS, 3),
        lambda labels: plot_embedding(np.zeros((4, 2)), labels, names=NAMES),
    ],
)
def test_labels_that_are_no_class_indices_are_refused(use, labels):
    with pytest.raises(ValueError, match=r"^expected \d class indices 0 to 2, got "):
        use(labels)


@pytest.mark.parametrize("answers", [PROBS * np.nan, PROBS[0], PROBS[:0], np.where(PROBS < 0.15, -np.inf, PROBS), "x"])
@pytest.mark.parametrize("name", MEASURES)
def test_answers_that_are_no_numbers_are_refused(name, answers):
    with pytest.raises(ValueError, match=r"^expected .*(probs|logits) \[N, C\]"):
        MEASURES[name](answers, LABELS)


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda: reliability(np.log(PROBS), LABELS), "expected probs in 0..1, got -2.3"),  # logits
        (lambda: reliability(PROBS, LABELS, 2.5), "expected an integer as num_bins, got 2.5"),
        (lambda: negative_log_likelihood(PROBS, LABELS, 0), "expected a temperature above 0, got 0"),
        (lambda: most_confident_mistakes(PROBS, LABELS, -1), "expected count of 0 or more, got -1"),
        (lambda: roc([True, False], [np.nan, 0.5]), "expected a score for each face"),
        *(
            (lambda plot=plot: plot(np.eye(2, dtype=int), names=NAMES), "expected a name for each of 2 classes")
            for plot in (plot_confusion, plot_class_figures)
        ),
    ],
)
def test_other_wrong_arguments_are_named(use, says):
    with pytest.raises(ValueError, match=says):
        use()
