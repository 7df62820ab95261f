"""Bootstrap: confidence intervals of measured figures from resampling.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13, the percentile interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from fer_paddle.files import check_integer

RESAMPLES = 1000
ENDS = (0.025, 0.975)  # of an interval that holds 95 % of the draws


@dataclass(frozen=True)
class Interval:
    """A figure and where it may lie."""

    value: float  # the figure on the samples themselves
    low: float  # lower end of the interval
    high: float  # upper end

    def to_json(self) -> dict[str, float | None]:
        """Return JSON values, None for a figure that does not exist."""
        return {name: None if math.isnan(end) else round(end, 6) for name, end in asdict(self).items()}


def bootstrap(
    statistic: Callable[[np.ndarray], float | np.ndarray], count: int, resamples: int = RESAMPLES, seed: int = 0
) -> list[Interval]:
    """Measure the spread of figures over samples drawn with replacement: an interval of 95 % for each figure.

    The interval covers chance in which faces were measured, not other cameras, other people or another training.

    `statistic` maps indices int [count] to one figure or an array [K] of figures of these samples, nan where one does
    not exist for a draw.
    """
    check_integer("count", count, 1)
    check_integer("resamples", resamples, 1)
    rng = np.random.default_rng(seed)
    values = np.atleast_1d(np.asarray(statistic(np.arange(count)), float))
    drawn = np.array([np.atleast_1d(statistic(rng.integers(0, count, count))) for _ in range(resamples)], float)
    intervals = []
    for value, column in zip(values, drawn.T):
        known = column[~np.isnan(column)]
        low, high = np.quantile(known, ENDS) if known.size else (np.nan, np.nan)
        intervals.append(Interval(float(value), float(low), float(high)))
    return intervals


def mean_interval(values: np.ndarray, resamples: int = RESAMPLES) -> dict[str, float | None]:
    """Return the mean of values [N] with its interval as JSON values; None for all where there is no value."""
    values = np.asarray(values)
    if not values.size:
        return Interval(math.nan, math.nan, math.nan).to_json()
    return bootstrap(lambda chosen: values[chosen].mean(), len(values), resamples)[0].to_json()
