"""FER+: the paper's rules on single images, soft labels, and the drawn class of an epoch."""

import numpy as np
import pytest

from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.expression.data.ferplus import (
    take_both,
    take_ferplus,
    take_strict,
)
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS


def votes(**counts):
    """Ten votes by the names of FERPLUS_CLASSES."""
    row = [counts.get(name, 0) for name in FERPLUS_CLASSES]
    assert sum(row) in (9, 10)
    return row


def faces_of(*rows):
    shares = np.float32([np.divide(row, sum(row)) for row in rows])
    labels = np.zeros(len(rows), np.int64)
    return LabelledFaces(np.zeros((len(rows), 8, 8), np.uint8), labels, shares)


WITHOUT = LabelledFaces(np.zeros((1, 8, 8), np.uint8), np.zeros(1, np.int64))


# Votes, the class by majority, the shares of the leading classes (of all that lead); None: left out.
RULES = [
    (votes(happiness=10), "happy", {"happy": 1.0}),
    (votes(happiness=6, neutral=4), "happy", {"happy": 0.6, "neutral": 0.4}),
    # A single vote is an outlier: 6 of 9 remain, then the second class is needed for three quarters.
    (votes(sadness=6, neutral=3, fear=1), "sad", {"sad": 2 / 3, "neutral": 1 / 3}),
    # Eight of ten are three quarters: the second is not taken.
    (votes(anger=8, disgust=2), "angry", {"angry": 1.0}),
    # Half is no majority; equals come together.
    (votes(anger=5, fear=5), None, {"angry": 0.5, "fear": 0.5}),
    # Four equals are too many, as are five.
    (votes(anger=4, fear=2, sadness=2, neutral=2), None, None),
    # Unknown or no face leads.
    (votes(unknown=7, fear=3), None, None),
    (votes(NF=10), None, None),
    # Unknown stands beside an expression: what came before it must hold more than half.
    (votes(fear=6, unknown=4), "fear", {"fear": 1.0}),
    (votes(fear=4, surprise=3, unknown=3), None, {"fear": 4 / 7, "surprise": 3 / 7}),
    (votes(fear=4, surprise=2, unknown=4), None, None),
    # Nobody agrees with anybody.
    (votes(**dict.fromkeys(FERPLUS_CLASSES, 1)), None, None),
    (votes(contempt=6, neutral=4), "contempt", {"contempt": 0.6, "neutral": 0.4}),
    (votes(surprise=9), "surprise", {"surprise": 1.0}),  # the one image with nine voters
]


@pytest.mark.parametrize(("row", "majority", "leading"), RULES, ids=[str(row) for row, _, _ in RULES])
def test_the_papers_rules(row, majority, leading):
    anchor = votes(happiness=10)  # so that a face is left where the other is not
    for mode, expected in (("majority", majority and {majority: 1.0}), ("crossentropy", leading)):
        taken = take_ferplus(faces_of(row, anchor), mode)
        assert len(taken) == (1 if expected is None else 2)
        if expected is not None:
            shares = {name: share for name, share in zip(FERPLUS_EXPRESSIONS, taken.targets[0]) if share}
            assert shares == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "faces", "says"),
    [
        ("mean", faces_of(votes(happiness=10)), "a mode of majority, probability, crossentropy, got 'mean'"),
        ("majority", faces_of(votes(NF=10)), "expected faces with FER\\+ votes for an expression, got none of 1"),
        ("majority", WITHOUT, "expected faces with FER\\+ votes, got faces without"),
    ],
)
def test_what_cannot_be_taken(mode, faces, says):
    with pytest.raises(ValueError, match=says):
        take_ferplus(faces, mode)


def test_strict_labels_count_all_votes_and_both_keeps_all_faces():
    rows = [
        votes(happiness=6, neutral=4),
        votes(happiness=5, sadness=4, fear=1),  # 5 of 9 where a lone vote does not count
        votes(contempt=6, neutral=4),
        votes(fear=6, unknown=4),
    ]
    faces = faces_of(*rows)
    strict = take_strict(faces)
    assert strict.labels.tolist() == [3, 2] and strict.classes == EXPRESSIONS and strict.votes is None
    assert take_ferplus(faces, "majority").labels.tolist() == [3, 3, 7, 2]
    both = take_both(faces_of(*rows, votes(NF=10)))
    assert len(both) == 5 and both.votes[4].sum() == 0
    np.testing.assert_array_equal(both.votes[:4], take_ferplus(faces, "crossentropy").targets)
    for take in (take_both, take_strict):
        with pytest.raises(ValueError, match="expected faces with FER\\+ votes, got faces without"):
            take(WITHOUT)


def test_a_drawn_class_follows_the_shares_and_depends_on_the_epoch_alone():
    taken = take_ferplus(faces_of(votes(happiness=6, neutral=4)), "probability")
    data = ExpressionData(taken, 8, seed=3, targets=taken.targets, draw=True)
    drawn = []
    for epoch in range(300):
        data.set_epoch(epoch)
        image, (shares, _) = data[0]
        assert image.shape == (1, 8, 8) and sorted(shares)[-2:] == [0, 1] and shares.dtype == np.float32
        drawn.append(int(shares.argmax()))
    assert set(drawn) == {3, 6} and np.mean(np.array(drawn) == 3) == pytest.approx(0.6, abs=0.08)
    data.set_epoch(7)
    assert data[0][1][0].argmax() == drawn[7]
    _, (shares, votes_of_none) = ExpressionData(taken, 8, targets=taken.targets)[0]
    np.testing.assert_array_equal(shares, taken.targets[0])  # soft labels are given as they are
    assert not votes_of_none.any()  # no auxiliary head
