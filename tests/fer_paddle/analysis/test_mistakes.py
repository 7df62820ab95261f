"""The surest mistakes of a small table."""

import numpy as np

from fer_paddle.analysis.mistakes import most_confident_mistakes

PROBS = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
LABELS = np.array([1, 1, 1, 0])  # wrong: 0 (0.9), 2 (0.6), 3 (0.7)


def test_the_surest_come_first():
    found = most_confident_mistakes(PROBS, LABELS, 2)
    assert [one.index for one in found] == [0, 3]
    expected = {"index": 0, "label": "happy", "predicted": "sad", "prob": 0.9, "prob_label": 0.1}
    assert found[0].to_json(("sad", "happy")) == expected
    assert [one.index for one in most_confident_mistakes(PROBS, LABELS, 99)] == [0, 3, 2]
    assert most_confident_mistakes(PROBS, PROBS.argmax(axis=1), 5) == []
