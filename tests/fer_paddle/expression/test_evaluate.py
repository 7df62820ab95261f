"""The figures of a classifier that is right, wrong or one-sided."""

import json

import numpy as np
import pytest

from fer_paddle.expression.measure import evaluate_classifier
from fer_paddle.labels import EXPRESSIONS


def classify_by_first_pixel(crops):
    """Says the class whose index the first pixel holds."""
    return np.eye(7, dtype=np.float32)[[crop[0, 0] for crop in crops]]


def test_figures_of_a_known_classifier():
    said = np.arange(140) % 7
    labels = said.copy()
    labels[said == 6] = 5  # the classifier says neutral where it is surprise
    images = np.zeros((140, 8, 8), np.uint8)
    images[:, 0, 0] = said
    figures = evaluate_classifier(classify_by_first_pixel, images, labels)
    assert figures["accuracy"] == pytest.approx(120 / 140)
    assert figures["recall"]["surprise"] == pytest.approx(0.5)
    assert figures["recall"]["neutral"] is None  # no such face: not a zero
    assert figures["precision"]["neutral"] == 0
    assert figures["mean_recall"] == pytest.approx((5 + 0.5) / 6)
    assert figures["faces"] == 140 and list(figures["recall"]) == list(EXPRESSIONS)
    assert json.loads(json.dumps(figures)) == figures


def test_no_face_is_an_error():
    with pytest.raises(ValueError, match="at least one image"):
        evaluate_classifier(classify_by_first_pixel, np.zeros((0, 8, 8), np.uint8), np.zeros(0, int))
