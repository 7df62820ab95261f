"""The loss of expression networks against Paddle and SciPy, and the class weights against scikit-learn."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.utils.class_weight import compute_class_weight

from fer_paddle.environment import paddle
from fer_paddle.expression.losses import ExpressionLoss, accuracy, balance_weights

functional = paddle.nn.functional


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3])
def test_terms_are_paddles_and_scipys(smoothing):
    """Labels by Paddle's label_smooth; a row without votes adds nothing and still counts in the mean."""
    rng = np.random.default_rng(0)
    logits, vote_logits = (np.float32(4 * rng.normal(size=(6, count))) for count in (7, 10))
    votes = np.float32(rng.dirichlet(np.ones(10), 6))
    votes[2] = 0
    labels, (outputs, votes_of) = paddle.to_tensor([0, 6, 3, 3, 1, 5]), map(paddle.to_tensor, (logits, votes))
    soft = functional.label_smooth(functional.one_hot(labels, 7), epsilon=smoothing)
    alone = ExpressionLoss(smoothing)(outputs, (labels, votes_of))
    both = ExpressionLoss(smoothing, aux_weight=0.5)((outputs, paddle.to_tensor(vote_logits)), (labels, votes_of))
    assert alone.keys() == {"label"} and float(alone["label"]) == float(both["label"])
    assert float(alone["label"]) == pytest.approx(float(functional.cross_entropy(outputs, soft, soft_label=True)))
    expected = -0.5 * (votes * log_softmax(vote_logits.astype(np.float64), axis=1)).sum() / 6
    assert float(both["votes"]) == pytest.approx(expected, rel=1e-5)


def test_soft_labels_in_loss_and_accuracy():
    """A soft label of one class is the label; else the loss is the mean over the labels, weights too."""
    weights, probs = np.float32([1, 2, 3]), np.float32([[0.6, 0.4, 0], [0, 0, 1]])
    loss, logits = ExpressionLoss(0.1, class_weights=weights), paddle.randn([2, 3])
    labels, votes = paddle.to_tensor([0, 2]), paddle.zeros([2, 10])
    as_probs = loss(logits, (functional.one_hot(labels, 3), votes))["label"]
    assert float(loss(logits, (labels, votes))["label"]) == pytest.approx(float(as_probs), rel=1e-6)
    losses = -((probs * 0.9 + 0.1 / 3) * log_softmax(logits.numpy(), axis=1)).sum(1)
    found = loss(logits, (paddle.to_tensor(probs), votes))["label"]
    assert float(found) == pytest.approx((losses * (probs @ weights)).mean(), rel=1e-5)
    assert accuracy(paddle.to_tensor(np.float32([[9, 0, 0], [9, 0, 0]])), (paddle.to_tensor(probs), votes)) == 0.5


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
