"""Cases of notebook 11."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.course.checks import Case
from fer_paddle.search.proxies import rank_correlation
from fer_paddle.search.space import PLAIN


def exercise_1(count_neighbors: Callable[..., Any]) -> Iterator[Case]:
    """Neighbors in a small space, listed, and in the course's."""
    small = {"width": (8, 16, 32), "depth": (1, 2), "activation": ("relu",)}
    yield Case(f"count_neighbors({small})", partial(count_neighbors, small), 3)
    changed = [(name, value) for name, values in PLAIN.choices.items() for value in values[1:]]
    yield Case("count_neighbors(PLAIN.choices)", partial(count_neighbors, dict(PLAIN.choices)), len(changed))


def exercise_2(who_dies: Callable[..., Any]) -> Iterator[Case]:
    """The first and the smallest of scores."""
    for scores in ([0.5, 0.9, 0.2, 0.7], [0.1, 0.3, 0.4]):
        for rule, expected in (("worst", scores.index(min(scores))), ("oldest", 0)):
            yield Case(f"who_dies({scores}, {rule!r})", partial(who_dies, scores, rule), expected)


def _two_costs(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    costs = rng.permutation(count).astype(float)
    return costs, costs + rng.normal(0, count / 4, count)


def exercise_3(rank_agreement: Callable[..., Any]) -> Iterator[Case]:
    """Rank correlations, against the library's."""
    for count in (8, 40):
        costs, others = _two_costs(count)
        call = partial(rank_agreement, costs, others)
        yield Case(f"rank_agreement({count} costs, others)", call, rank_correlation(list(costs), list(others)), 1e-6)


def exercise_4(kendall: Callable[..., Any]) -> Iterator[Case]:
    """Kendall's tau, against scipy's."""
    from scipy.stats import kendalltau

    for count in (4, 12):
        scores, others = _two_costs(count)
        expected = float(kendalltau(scores, others).statistic)
        yield Case(f"kendall({count} scores, others)", partial(kendall, scores, others), expected, 1e-6)
