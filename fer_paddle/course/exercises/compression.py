"""Cases of notebooks 07 to 10."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import numpy as np

from fer_paddle.compression import quant_params
from fer_paddle.compression.distill import soft_divergence
from fer_paddle.course.chapters import Between
from fer_paddle.course.checks import Case, Cases
from fer_paddle.environment import paddle


def exercise_07_1() -> Cases:
    """The gradient of T^2 KL, against Paddle's."""
    rng = np.random.default_rng(7)
    z, v = (row - row.mean() for row in rng.normal(size=(2, 7)).astype(np.float32) * 2)
    for temperature in (1.0, 5.0, 100.0):
        logits = paddle.to_tensor(z[None], stop_gradient=False)
        probs = paddle.nn.functional.softmax(paddle.to_tensor(v[None]) / temperature)
        (expected,) = paddle.grad(temperature**2 * soft_divergence(logits, probs, temperature), logits)
        yield Case((z, v, temperature), expected.numpy()[0], 2e-3, f"slope(z, v, {temperature:g})")


def exercise_07_3() -> Cases:
    """Labels by the mean of probabilities."""
    rng = np.random.default_rng(8)
    for number in (2, 3):
        probs = rng.dirichlet(np.full(7, 0.4), size=(number, 30))
        yield Case((list(probs),), probs.mean(axis=0).argmax(axis=1), name=f"ensemble({number} teachers)")


def exercise_08_2() -> Cases:
    """Scores that have nothing to do with the weights and differ from call to call."""
    weights = np.random.default_rng(0).normal(size=(2000, 4, 3, 3)) * np.linspace(0.1, 1, 2000)[:, None, None, None]
    former = np.abs(weights).mean(axis=(1, 2, 3))

    def correlate(scores: Any) -> float:
        """Return the correlation with the scores of the call before."""
        nonlocal former
        before, former = former, np.asarray(scores, float)
        return float(abs(np.corrcoef(before, former)[0, 1]))

    yield Case((weights,), 2000, name="len(random_scores(weights of 2000 filters))", of=len)
    yield Case((weights,), Between(0, 0.12), name="correlation with L1", of=correlate)
    yield Case((weights,), Between(0, 0.12), name="correlation of two calls", of=correlate)


def exercise_08_4() -> Cases:
    """Features whose mean and spread pruning has changed, by the statistics of their own batch."""
    rng = np.random.default_rng(9)
    for channels in (2, 5):
        shape = (6, channels, 4, 4)
        features = rng.normal(size=shape) * rng.uniform(0.2, 3, (channels, 1, 1)) + rng.normal(size=(channels, 1, 1))
        features = features.astype(np.float32)
        norm = paddle.nn.BatchNorm2D(channels)
        norm.train()
        name = f"normalize_anew(features of {channels} channels)"
        yield Case((features,), norm(paddle.to_tensor(features)).numpy(), 1e-3, name)


def exercise_09_1() -> Cases:
    """Weights after the round trip, a scale a channel or one a layer."""
    scales = np.logspace(-2, 0, 4)[:, None, None, None]
    weights = (np.random.default_rng(9).normal(size=(4, 3, 3, 3)) * scales).astype(np.float32)
    for bits in (8, 4):
        for by_channel in (True, False):
            expected = quant_params.for_weights(weights, 0 if by_channel else None, bits).round_trip(weights)
            yield Case((weights, bits, by_channel), expected, 1e-5, f"round_trip(weights, {bits}, {by_channel})")


def exercise_09_2() -> Cases:
    """The share of faces whose class stays."""
    rng = np.random.default_rng(3)
    exact = rng.normal(size=(50, 7))
    for noise in (0.0, 0.3, 2.0):
        other = exact + noise * rng.normal(size=exact.shape)
        expected = float((exact.argmax(axis=1) == other.argmax(axis=1)).mean())
        yield Case((exact, other), expected, 1e-6, f"same_answers(logits, logits with noise {noise})")


def exercise_09_3() -> Cases:
    """Values and gradients inside and outside of the range."""
    values = np.linspace(-2, 2, 401).astype(np.float32)
    for threshold in (1.0, 0.5):
        r = paddle.to_tensor(values, stop_gradient=False)
        wanted = quant_params.symmetric(threshold).round_trip(values)
        call = f"fake_quantize(r, {threshold})"
        yield Case((r, threshold), wanted, 1e-5, call, of=lambda found: found.numpy())
        name = f"|gradient - 1| inside and |gradient| outside of {call}"
        yield Case((r, threshold), [0.0, 0.0], 1e-5, name, of=partial(_wrong_slopes, r, threshold))


def _wrong_slopes(r: paddle.Tensor, threshold: float, found: paddle.Tensor) -> list[float]:
    """Return how far the gradients lie from 1 inside of the range and from 0 outside."""
    found.sum().backward()
    values, slopes = np.abs(r.numpy()), np.zeros(r.shape) if r.grad is None else r.grad.numpy()
    inside, outside = values < threshold, values > threshold * 1.02  # the lowest integer is one step below
    return [float(np.abs(slopes[inside] - 1).max()), float(np.abs(slopes[outside]).max())]


def exercise_09_4() -> Cases:
    """The layer on numbers after the round trip: one scale for x, one an output for w."""
    rng = np.random.default_rng(4)
    for inputs, outputs in ((256, 7), (64, 3)):
        x, w = rng.normal(size=(5, inputs)), rng.normal(size=(inputs, outputs)) * np.logspace(-2, 0, outputs)
        of_x, of_w = quant_params.symmetric(np.abs(x).max()), quant_params.for_weights(w, axis=1)
        expected = of_x.round_trip(x).astype(np.float64) @ of_w.round_trip(w).astype(np.float64)
        yield Case((x, w), expected, 1e-4, f"linear_int8(x [5, {inputs}], w [{inputs}, {outputs}])")


def exercise_10_1() -> Cases:
    """What the translation asks of a node: one layer without settings."""

    def layer(kind: str, params: dict[int, Any] | None = None, *weights: Any) -> tuple[str, int, int]:
        return kind, len(params or {}), len(weights)

    yield Case((SimpleNamespace(layer=layer, settings={}),), ("Softplus", 0, 0), name="translate(node)")


def exercise_10_2() -> Cases:
    """Bytes, and the largest relative error, of weights in float16."""
    for count in (100, 1000):
        weights = np.random.default_rng(count).normal(size=count).astype(np.float32)
        half = weights.astype(np.float16)
        error = float(np.abs((half.astype(np.float64) - weights) / weights).max())
        yield Case((weights,), half.nbytes, name=f"half_size({count} weights)[0]", of=itemgetter(0))
        yield Case((weights,), error, 1e-5, f"half_size({count} weights)[1]", of=itemgetter(1))


def exercise_10_3() -> Cases:
    """Normalized batches back as gray levels."""
    rng = np.random.default_rng(3)
    for mean, deviation in ((0.5, 0.25), (0.42, 0.21)):
        pixels = rng.integers(0, 256, (2, 1, 4, 4))
        batch = ((pixels / 255 - mean) / deviation).astype(np.float32)
        yield Case((batch, mean, deviation), pixels, 0.01, f"to_pixels(batch, {mean}, {deviation})")
