"""Intervals against scipy, and whether they cover the truth as often as they say."""

import numpy as np
import pytest
from scipy import stats

from fer_paddle.analysis.bootstrap import bootstrap


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).normal(size=80)
    (ours,) = bootstrap(lambda chosen: values[chosen].mean(), 80, resamples=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=1)
    assert ours.value == pytest.approx(values.mean())
    # Two random draws: the ends agree to a twentieth of the width.
    width = ours.high - ours.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=width / 20)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=width / 20)
