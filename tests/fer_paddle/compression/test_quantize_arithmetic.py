"""The arithmetic and the thresholds of quantization, against numbers by hand and against Paddle. NumPy only."""

import numpy as np
import pytest

from fer_paddle.compression import activation_ranges as calibration
from fer_paddle.compression import quant_params

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (0.0, 0),  # zero is exact
        (1.27, 127),
        (-1.27, -127),
        (0.014, 1),
        (0.016, 2),
        (2.0, 127),  # cut off
        (-2.0, -128),  # the lowest whole number has no positive twin
    ],
)
def test_symmetric_by_hand(value, whole):
    assert quant_params.symmetric(1.27).quantize(np.array([value])) == [whole]


@pytest.mark.parametrize(
    ("lowest", "highest", "scale", "zero_point"),
    [
        (0.0, 2.55, 0.01, -128),  # after ReLU: all 256 steps are above zero
        (-1.28, 1.27, 0.01, 0),
        (1.0, 2.55, 0.01, -128),  # widened, for zero must be among them
        (-2.55, -1.0, 0.01, 127),
    ],
)
def test_asymmetric_by_hand(lowest, highest, scale, zero_point):
    found = quant_params.asymmetric(lowest, highest)
    assert found.scale == pytest.approx(scale) and found.zero_point == zero_point
    assert found.round_trip(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_the_error_is_at_most_half_a_step():
    values = RNG.normal(size=1000)
    for found in (quant_params.symmetric(np.abs(values).max()), quant_params.asymmetric(values.min(), values.max())):
        assert np.abs(found.round_trip(values) - values).max() <= float(found.scale) / 2 + 1e-6


def test_a_scale_a_channel_serves_small_channels():
    weights = RNG.normal(size=(4, 3, 3, 3)) * np.array([1, 0.1, 0.01, 0])[:, None, None, None]
    whole, each = quant_params.for_weights(weights, None), quant_params.for_weights(weights, 0)
    assert np.abs(each.quantize(weights)).reshape(4, -1).max(axis=1).tolist() == [127, 127, 127, 0]
    error = [np.abs(found.round_trip(weights) - weights)[2].max() for found in (whole, each)]
    assert error[1] < error[0] / 20
    noise = [quant_params.signal_to_noise_db(weights[:3], found.round_trip(weights)[:3]) for found in (whole, each)]
    assert noise[1] > noise[0]


BATCHES = {
    "normal": [RNG.normal(size=(4, 3, 9, 9)).astype(np.float32) for _ in range(3)],
    "one side": [np.abs(RNG.normal(size=(2, 600))).astype(np.float32)],
    "outliers": [RNG.standard_cauchy((2, 900)).astype(np.float32)],
    "two peaks": [np.r_[RNG.random(900) * 1e-3, np.full(900, 5.0)].astype(np.float32)[None]],
}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: quant_params.symmetric(1.0, bits=1), "expected"),
        (lambda: quant_params.symmetric(np.nan), "expected"),
        (lambda: quant_params.symmetric(-1.0), "expected"),
        (lambda: quant_params.asymmetric(1.0, 0.0), "expected"),
        (lambda: quant_params.symmetric([1.0, 2.0]), "expected"),  # two scales without an axis
        (lambda: quant_params.symmetric(1.0, bits=2.5), "expected 2 to 16 bits, got 2.5"),
        (lambda: quant_params.for_weights(np.ones((2, 3)), axis=2), "axis 2 is out of bounds"),
        (lambda: quant_params.symmetric(1.0).quantize(np.array([1, np.nan])), "expected numbers to quantize, got NaN"),
        *(
            (lambda batches=batches, name=name: calibration.find_threshold(batches, name), "calibration batches of fin")
            for batches in ([], [np.zeros((0, 3))], [np.array([[1, np.nan]])], [np.array([[1, np.inf]])])
            for name in calibration.ALGORITHMS
        ),
        (lambda: calibration.find_threshold(BATCHES["normal"], "best"), "expected an algorithm of"),
        (lambda: calibration.find_threshold(BATCHES["normal"], "KL", 12), "at most 1023 steps .*, got 12 bits"),
    ],
)
def test_wrong_arguments(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("name", BATCHES)
def test_thresholds_of_known_order(name):
    found = {algorithm: calibration.find_threshold(BATCHES[name], algorithm) for algorithm in calibration.ALGORITHMS}
    largest = max(float(np.abs(batch).max()) for batch in BATCHES[name])
    assert found["abs_max"] == largest
    assert all(0 < threshold <= largest * 1.001 for threshold in found.values()), found


def test_mse_cuts_an_outlier_where_enough_others_gain():
    """One value at 20 beside a thousand normal ones is worth its wide steps; beside 200,000 it is not."""
    shares = []
    for count in (1000, 200_000):
        values = np.r_[RNG.normal(size=count), 20.0].astype(np.float32)[None]
        shares.append(calibration.mse_threshold([values]) / 20.0)
    assert shares[0] > 0.9 and shares[1] < 0.7


@pytest.mark.parametrize("name", BATCHES)
def test_kl_is_paddles(name):
    """Paddle's function is a loop over lists; ours is the same numbers by NumPy."""
    cal_kl_threshold = pytest.importorskip("paddle.static.quantization.cal_kl_threshold").cal_kl_threshold
    counts, edges = calibration.histogram([batch[:, ..., :] for batch in BATCHES[name]])
    width = edges[1] - edges[0]
    assert abs(calibration.kl_threshold(counts, edges) - cal_kl_threshold(counts, width, 8)) <= width
