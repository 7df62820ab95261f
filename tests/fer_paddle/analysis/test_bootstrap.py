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


def test_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(100):
        right = rng.random(150) < 0.6
        (interval,) = bootstrap(lambda chosen, right=right: right[chosen].mean(), 150, resamples=200, seed=seed)
        covered += interval.low <= 0.6 <= interval.high
    assert 86 <= covered <= 100  # 95 expected, standard deviation 2.2


@pytest.mark.parametrize("arguments", [{"count": 0}, {"resamples": 0}])
def test_wrong_arguments_are_named(arguments):
    with pytest.raises(ValueError, match="expected"):
        bootstrap(lambda chosen: 0.0, **{"count": 3, "resamples": 5, **arguments})
