"""The loss of expression networks against Paddle and SciPy, and the class weights against scikit-learn."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.utils.class_weight import compute_class_weight

from fer_paddle.environment import paddle
from fer_paddle.expression.losses import ExpressionLoss, balance_weights

functional = paddle.nn.functional


@pytest.fixture
def batch():
    """(logits [6, 7], vote logits [6, 10]), (labels [6], votes [6, 10]) as NumPy; one row without votes."""
    rng = np.random.default_rng(0)
    votes = rng.dirichlet(np.ones(10), 6)
    votes[2] = 0
    logits = rng.normal(size=(6, 7)) * 4
    return (np.float32(logits), np.float32(rng.normal(size=(6, 10))), np.array([0, 6, 3, 3, 1, 5]), np.float32(votes))


def evaluate(loss, logits, vote_logits, labels, votes):
    outputs = paddle.to_tensor(logits)
    if vote_logits is not None:
        outputs = (outputs, paddle.to_tensor(vote_logits))
    return {
        name: float(term) for name, term in loss(outputs, (paddle.to_tensor(labels), paddle.to_tensor(votes))).items()
    }


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3])
def test_smoothing_is_paddles_label_smooth(smoothing, batch):
    logits, _, labels, votes = batch
    soft = functional.label_smooth(functional.one_hot(paddle.to_tensor(labels), 7), epsilon=smoothing)
    expected = float(functional.cross_entropy(paddle.to_tensor(logits), soft, soft_label=True))
    assert evaluate(ExpressionLoss(smoothing), logits, None, labels, votes)["label"] == pytest.approx(
        expected, rel=1e-5
    )


def test_votes_term(batch):
    """A row without votes adds nothing and still counts in the mean."""
    logits, vote_logits, labels, votes = batch
    expected = -0.5 * (votes * log_softmax(vote_logits.astype(np.float64), axis=1)).sum() / 6
    terms = evaluate(ExpressionLoss(0.1, aux_weight=0.5), logits, vote_logits, labels, votes)
    assert terms["votes"] == pytest.approx(expected, rel=1e-5)
    assert terms["label"] == evaluate(ExpressionLoss(0.1), logits, None, labels, votes)["label"]


FER2013_COUNTS = [3995, 436, 4097, 7215, 4830, 3171, 4965]


@pytest.mark.parametrize(
    ("counts", "power", "expected"),
    [
        (FER2013_COUNTS, 0, np.ones(7)),
        # power 1 is scikit-learn's "balanced"
        (
            FER2013_COUNTS,
            1,
            compute_class_weight("balanced", classes=np.arange(7), y=np.repeat(np.arange(7), FER2013_COUNTS)),
        ),
        # (mean / count) ** 0.5 = 0.5 ** 0.5 and 1.5 ** -0.5 up to one factor; an absent class weighs nothing
        ([4, 0, 1], 0.5, np.array([0.5, 0, 1]) * 5 / 3),
    ],
)
def test_balance_weights(counts, power, expected):
    weights = balance_weights(np.array(counts), power)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32
    assert (weights * counts).sum() == pytest.approx(np.sum(counts))
