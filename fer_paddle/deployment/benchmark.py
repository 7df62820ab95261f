"""Times a function: the median of many runs after warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def time_runs(function: Callable[[], Any], runs: int, warm_up: int = 3) -> dict[str, float | int]:
    """Gives `median_ms`, `p95_ms` and `runs` of calling a function, after `warm_up` calls that are not counted."""
    for _ in range(warm_up):
        function()
    times_ms = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times_ms.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": float(np.median(times_ms)), "p95_ms": float(np.percentile(times_ms, 95)), "runs": runs}
