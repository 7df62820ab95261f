"""ROC and F1 against scikit-learn; what the plots show; image tiles and heat over a face."""

import numpy as np
import pytest
from matplotlib.text import Text
from sklearn import metrics as sklearn_metrics

from fer_paddle.analysis.embeddings import plot_embedding
from fer_paddle.analysis.metrics import confusion_matrix, f1_scores, roc
from fer_paddle.analysis.mistakes import Mistake, plot_mistakes
from fer_paddle.analysis.plots import plot_class_figures, plot_confusion, plot_roc, tile_images
from fer_paddle.apps.video import _Person, plot_people
from fer_paddle.pipeline import Face

NAMES = (r"$x$ \$ $\b", "_hidden", "开心 ö", "\U0010fffd", "a|<b>")
SHOWN = (r"\$x\$ \\$ \$\b", "_hidden", "开心 ö", "class 3", "a|<b>")  # matplotlib draws \$ as $


def draw_people():
    person = _Person(0.0)
    person.add(Face(np.zeros(4, np.float32), 0.9, np.full(5, 0.2, np.float32), NAMES[0], NAMES), 0.1)
    return plot_people({1: person}, NAMES, "en")


PLOTS = {
    "confusion": lambda: plot_confusion(np.eye(5, dtype=int), names=NAMES),
    "classes": lambda: plot_class_figures(np.eye(5, dtype=int), names=NAMES),
    "roc": lambda: plot_roc(np.eye(5), np.arange(5), names=NAMES),
    "embedding": lambda: plot_embedding(np.eye(5)[:, :2], np.arange(5), names=NAMES),
    "mistakes": lambda: plot_mistakes(
        [np.zeros((8, 8), np.uint8)], [Mistake(0, row, (row + 1) % 5, 0.9, 0.1) for row in range(5)], names=NAMES
    ),
    "people": draw_people,
}


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.filterwarnings("error")  # such as that of a character that no font has
def test_plots_show_every_class_by_its_name(name):
    figure = PLOTS[name]()
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert [one for one in SHOWN if not any(one in text for text in texts)] == []


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
