"""Errors, curves and areas against scikit-learn, SciPy and faces whose error is known."""

import numpy as np
import pytest
from sklearn.metrics import auc as sklearn_auc

from fer_paddle.landmarks.metrics import LIMITS, auc, auc_histogram, ced, face_sizes, failure_rate, jitter, nme


@pytest.fixture
def errors() -> np.ndarray:
    return np.random.default_rng(0).gamma(4, 0.012, 500)


@pytest.mark.parametrize("norm", ["inter_ocular", "inter_pupil", "box"])
def test_a_shift_is_its_length_over_the_size(drawn, norm):
    true = drawn.points
    np.testing.assert_allclose(nme(true + (3, 4), true, norm), 5 / face_sizes(true, norm), rtol=1e-6)
    # and the same face twice as large has the same error
    np.testing.assert_allclose(nme(2 * true + (6, 8), 2 * true, norm), nme(true + (3, 4), true, norm), rtol=1e-6)


@pytest.mark.parametrize("limit", LIMITS)
def test_the_areas_agree(errors, limit):
    exact = auc(errors, limit)
    assert abs(auc_histogram(errors, limit) - exact) < 1e-3
    x, y = ced(errors, limit)
    steps = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]  # the curve jumps at each face
    assert sklearn_auc(*steps) / limit == pytest.approx(exact, abs=1e-9)


def test_jitter_is_the_movement_between_frames(drawn):
    still = np.repeat(drawn.points[:1], 5, axis=0)
    assert jitter(still) == 0
    still[1::2] += (3, 4)
    assert jitter(still) == pytest.approx(5 / face_sizes(still[:1])[0], rel=1e-5)


WRONG = [
    lambda p: nme(p[:, :67], p[:, :67]),
    lambda p: nme(p * np.nan, p),
    lambda p: auc(np.array([]), 0.1),
    lambda p: failure_rate(np.array([np.nan]), 0.1),
    lambda p: ced(np.array([0.1]), 0.0),
]


@pytest.mark.parametrize("call", WRONG)
def test_refuses(call, drawn):
    with pytest.raises(ValueError, match="expected"):
        call(drawn.points[:2])
