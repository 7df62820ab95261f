"""Clip activations: thresholds by abs-max, average, histogram, mean squared error and KL divergence.

A large threshold cuts nothing but makes the steps coarse; a small one makes them fine but cuts outliers. Each function
does in NumPy what PaddleSlim's algorithm of that name does in `quant_post_static`.

Source: paddle.static.quantization, PostTrainingQuantization and cal_kl_threshold, Paddle 2.6.2; KL: Migacz, 8-bit
inference with TensorRT, GTC 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fer_paddle.compression.quant_params import SMALLEST_THRESHOLD, symmetric
from fer_paddle.images import describe

BINS = 2048
KEPT = 0.9999  # ratio of the values that `hist` keeps
MSE_RATIOS = 0.3 + 0.02 * np.arange(35)  # of the largest value, tried by `mse`

Batches = Sequence[np.ndarray]  # one activation over all calibration batches, float32 [N, ...] each


def find_threshold(batches: Batches, algorithm: str, bits: int = 8) -> float:
    """Return the threshold of one activation, of its values on each calibration batch, by one of ALGORITHMS."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"expected an algorithm of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    check_batches(batches)
    return ALGORITHMS[algorithm](batches, bits)


def check_batches(batches: Batches) -> None:
    """Raise ValueError unless there is a calibration batch, and all are of floats, each of them finite."""
    if not len(batches) or not all(one.size and one.dtype.kind == "f" and np.isfinite(one).all() for one in batches):
        got = ", ".join(describe(batch) for batch in batches[:3]) or "none"
        raise ValueError(f"expected calibration batches of finite floats, one or more, got {got}")


def abs_max(batches: Batches) -> float:
    """Return the largest absolute value: nothing is cut off."""
    return max(float(np.abs(batch).max()) for batch in batches)


def average_abs_max(batches: Batches) -> float:
    """Return the largest absolute value of each image, averaged over the images of a batch, then over the batches."""
    return float(np.mean([np.abs(batch).reshape(len(batch), -1).max(axis=1).mean() for batch in batches]))


def histogram(batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Return counts int64 [2048] of the absolute values, and edges float64 [2049] of their bins."""
    absolute = [np.abs(batch) for batch in batches]
    span = min(float(batch.min()) for batch in absolute), max(float(batch.max()) for batch in absolute)
    edges = np.histogram([], bins=BINS, range=span)[1]
    return np.sum([np.histogram(batch, bins=edges)[0] for batch in absolute], axis=0), edges


def histogram_threshold(counts: np.ndarray, edges: np.ndarray) -> float:
    """Return the middle of the bin up to which the ratio KEPT of the values lies."""
    reached = np.cumsum(counts / counts.sum()) >= KEPT
    last = int(reached.argmax()) + 1 if reached.any() else 0
    return (last - 0.5) * float(edges[1] - edges[0])


def mse_threshold(batches: Batches, bits: int = 8) -> float:
    """Return the ratio of a batch's largest value with the least mean squared error; the best batch decides."""
    best_error, best = np.inf, 0.0
    for batch in batches:
        largest = float(np.abs(batch).max()) or SMALLEST_THRESHOLD
        for ratio in MSE_RATIOS:
            error = float(np.square(batch - symmetric(ratio * largest, bits).round_trip(batch)).mean())
            if error <= best_error:
                best_error, best = error, float(ratio * largest)
    return best


def kl_threshold(counts: np.ndarray, edges: np.ndarray, bits: int = 8) -> float:
    """Return the cut with the smallest KL(P || Q) = sum P log(P / Q) between histogram and quantized histogram.

    For each cut in the upper half: P is the histogram with all that lies beyond in its last bin; Q is the same in
    2**(bits-1) - 1 steps, each spread evenly over its bins that are not empty.
    """
    levels, width = 2 ** (bits - 1) - 1, float(edges[1] - edges[0])
    first, total = (len(counts) - 1) // 2, counts.sum()
    if levels > first:
        raise ValueError(f"expected at most {first} steps for a histogram of {len(counts)} bins, got {bits} bits")
    best_divergence, best = np.inf, 0
    for cut in range(first, len(counts)):
        if counts[cut - 1] == 0:
            continue
        inside = counts[:cut].astype(np.float64)
        level = np.minimum(np.arange(cut) // (cut // levels), levels - 1)  # the last step takes the rest
        filled = inside > 0
        sums = np.bincount(level, inside, levels)
        sizes = np.bincount(level, filled, levels)
        q = sums[level[filled]] / sizes[level[filled]]
        p = inside[filled]
        p[-1] += total - inside.sum()
        divergence = float((p * (np.log(q.sum() * p) - np.log(total * q))).sum() / total)
        if divergence < best_divergence:
            best_divergence, best = divergence, cut
    if best == 0:  # the upper half is empty
        best = int(np.flatnonzero(counts[1 : first + 1]).max(initial=-1)) + 1
    return (best + 0.5) * width


ALGORITHMS: dict[str, Callable[[Batches, int], float]] = {
    "abs_max": lambda batches, bits: abs_max(batches),
    "avg": lambda batches, bits: average_abs_max(batches),
    "hist": lambda batches, bits: histogram_threshold(*histogram(batches)),
    "mse": mse_threshold,
    "KL": lambda batches, bits: kl_threshold(*histogram(batches), bits),
}
