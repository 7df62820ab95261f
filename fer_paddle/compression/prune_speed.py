"""Times several functions in turns: one run of each, again and again, so that a busy machine disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)


def time_in_turns(
    functions: Mapping[Name, Callable[[], Any]],
    runs: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    warm_up: int = 5,
) -> dict[Name, dict[str, float | int]]:
    """Times each function `runs` times.

    Args:
        functions: What to time, by name.
        runs: Timed runs of each.
        progress: Wraps the rounds for a progress bar.
        warm_up: Rounds before these that are not counted.

    Returns:
        `median_ms`, `p95_ms`, `least_ms` (of the run that nothing disturbed) and `runs` by name.
    """
    times_ms: dict[Name, list[float]] = {name: [] for name in functions}
    for turn in progress(range(warm_up + runs)):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                times_ms[name].append((time.perf_counter() - start) * 1e3)
    return {
        name: {
            "median_ms": float(np.median(times)),
            "p95_ms": float(np.percentile(times, 95)),
            "least_ms": min(times),
            "runs": runs,
        }
        for name, times in times_ms.items()
    }
