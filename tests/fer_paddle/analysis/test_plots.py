"""ROC and F1 against scikit-learn; what the plots show; image tiles and heat over a face."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fer_paddle.analysis.metrics import confusion_matrix, f1_scores, roc
from fer_paddle.analysis.plots import tile_images


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


def test_f1_is_scikit_learns():
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    found = f1_scores(confusion_matrix(labels, predicted, 5))
    np.testing.assert_allclose(found[:4], sklearn_metrics.f1_score(labels, predicted, average=None))
    assert np.isnan(found[4])  # neither true nor named


def test_tiles_stand_in_rows():
    images = [np.full((2, 3), value) for value in (1, 2, 3)]
    sheet = tile_images(images, columns=2, gap=0)
    assert sheet.tolist() == [
        [1, 1, 1, 0, 2, 2, 2],
        [1, 1, 1, 0, 2, 2, 2],
        [0, 0, 0, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0],
    ]
    for wrong, columns in (([], 2), (images, 0)):
        with pytest.raises(ValueError, match="expected"):
            tile_images(wrong, columns)
