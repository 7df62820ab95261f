"""Calibration: reliability diagram, expected calibration error (ECE) and temperature scaling.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, sections 2 and 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.analysis.bootstrap import RESAMPLES, bootstrap
from fer_paddle.analysis.metrics import check_answers, check_temperature, softmax
from fer_paddle.analysis.plots import figure_of, take_axis
from fer_paddle.files import check_integer

NUM_BINS = 15
_LEAST, _LARGEST = 1e-2, 1e2  # temperatures looked at


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, bin by bin; bin b holds the faces with b/B < confidence <= (b+1)/B."""

    confidence: np.ndarray  # mean largest probability of each bin, float64 [B]; nan for an empty one
    accuracy: np.ndarray  # share of right answers of each bin, float64 [B]; nan for an empty one
    counts: np.ndarray  # faces of each bin, int64 [B]
    ece: float  # expected calibration error: mean of |accuracy - confidence| over the faces


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean of -log(probability of the label), by which a temperature is fitted."""
    logits, labels = check_answers(logits, labels, "logits")
    check_temperature(temperature)
    shifted = (logits - logits.max(axis=1, keepdims=True)) / temperature
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probs[np.arange(len(labels)), labels].mean())


def reliability(probs: np.ndarray, labels: np.ndarray, num_bins: int = NUM_BINS) -> Reliability:
    """Sort faces into bins of equal width by their largest probability, of probs float [N, C] and labels int [N].

    With few faces in a bin even a perfect network shows some error: the figure of 100 faces means little.
    """
    probs, labels = check_answers(probs, labels, "probs")
    if probs.min() < 0 or probs.max() > 1 + 1e-6:  # float32 rounds
        raise ValueError(f"expected probs in 0..1, got {probs.min():g} to {probs.max():g}")
    check_integer("num_bins", num_bins, 1)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    counts = np.bincount(place, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(place, confidence, num_bins) / counts
        accuracies = np.bincount(place, right, num_bins) / counts
    filled = counts > 0
    ece = float((np.abs(means - accuracies)[filled] * counts[filled]).sum() / len(labels))
    return Reliability(means, accuracies, counts, ece)


def ece_intervals(
    answers: Sequence[np.ndarray], labels: np.ndarray, resamples: int = RESAMPLES
) -> list[dict[str, float | None]]:
    """Return the calibration error of each of some probs [N, C] with its interval, as JSON values."""

    def errors(chosen: np.ndarray) -> np.ndarray:
        return np.array([reliability(probs[chosen], labels[chosen]).ece for probs in answers])

    return [one.to_json() for one in bootstrap(errors, len(labels), resamples)]


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature, 0.01 to 100, of the least negative log-likelihood of logits [N, C] and labels int [N].

    In b = 1/T the function is convex with the slope mean(sum_k p_k z_k - z_label): its zero is found by halving.
    ValueError: every face is right, or the labels do not follow the logits, so that the best T is out of range.
    """
    logits, labels = check_answers(logits, labels, "logits")
    of_label = logits[np.arange(len(labels)), labels].mean()

    def slope(inverse: float) -> float:
        return float((softmax(logits, 1 / inverse) * logits).sum(axis=1).mean() - of_label)

    low, high = 1 / _LARGEST, 1 / _LEAST
    if slope(low) >= 0:
        raise ValueError(f"expected labels that follow the logits, got a best temperature above {_LARGEST:g}")
    if slope(high) <= 0:
        raise ValueError(f"expected a face that is named wrongly, got a best temperature below {_LEAST:g}")
    while high / low > 1 + 1e-9:
        middle = np.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return float(1 / np.sqrt(low * high))


def cross_fitted_probs(logits: np.ndarray, labels: np.ndarray, folds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Scale each face by a temperature fitted on the other faces, so that an error measured on it is fair."""
    logits, labels = check_answers(logits, labels, "logits")
    if folds not in range(2, len(labels) + 1):
        raise ValueError(f"expected folds from 2 to the {len(labels)} faces, got {folds}")
    fold_of = np.random.default_rng(0).permutation(len(labels)) % folds
    probs, temperatures = np.empty(logits.shape), np.empty(folds)
    for fold in range(folds):
        inside = fold_of == fold
        temperatures[fold] = fit_temperature(logits[~inside], labels[~inside])
        probs[inside] = softmax(logits[inside], temperatures[fold])
    return probs, temperatures


def plot_reliability(probs: np.ndarray, labels: np.ndarray, axis: Axes | None = None, title: str = "") -> Figure:
    """Draw accuracy over confidence of probs [N, C]; on the diagonal a network is right as often as it says."""
    axis = take_axis(axis)
    found = reliability(probs, labels)
    middles = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    filled = found.counts > 0
    width = 0.92 / NUM_BINS
    axis.bar(middles[filled], found.accuracy[filled], width, color="tab:blue", alpha=0.7, label="accuracy")
    axis.bar(middles, found.counts / found.counts.sum(), width, color="0.85", label="ratio of the faces")
    axis.plot(found.confidence[filled], found.accuracy[filled], ".", color="black", markersize=4)
    axis.plot([0, 1], [0, 1], "--", color="tab:red", linewidth=1, label="as sure as right")
    axis.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axis.set_title(f"{title} ECE {found.ece:.3f}".strip(), fontsize=10)
    axis.legend(loc="upper left", fontsize=7)
    return figure_of(axis)
