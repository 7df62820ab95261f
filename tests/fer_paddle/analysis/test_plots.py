"""What the plots show; image tiles."""

import numpy as np
import pytest
from matplotlib.text import Text

from fer_paddle.analysis.embeddings import plot_embedding
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


def test_tiles_stand_in_rows():
    images = [np.full((1, 2), value) for value in (1, 2, 3)]
    assert tile_images(images, columns=2, gap=0).tolist() == [[1, 1, 0, 2, 2], [0] * 5, [3, 3, 0, 0, 0]]
    for wrong, columns in (([], 2), (images, 0)):
        with pytest.raises(ValueError, match="expected"):
            tile_images(wrong, columns)
