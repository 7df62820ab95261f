"""The arithmetic of quantization: real numbers as integers of eight bits, a scale and a zero point.

    integer = clip(round(real / scale) + zero_point, low, high)        real = (integer - zero_point) * scale

NumPy only, so that it can be read and checked: the notebook compares it with what PaddleSlim and ONNX Runtime write.

Source: Jacob et al. 2018, arXiv:1712.05877, equation 1; Krishnamoorthi 2018, arXiv:1806.08342, sections 2.1 to 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SMALLEST_THRESHOLD = 1e-8  # of a tensor of zeros, as Paddle takes it: a scale of zero would divide by zero


@dataclass(frozen=True, eq=False)
class QuantParams:
    """A map between real numbers and integers."""

    scale: np.ndarray  # real distance of two integers, above 0: float64 [] for a whole tensor, [C] one a channel
    zero_point: np.ndarray  # the integer that means 0.0, int64 of the shape of `scale`
    low: int  # smallest integer, -128 or -127 for eight bits
    high: int  # largest integer, 127 for eight bits
    axis: int | None = None  # the axis of the channels; None for one scale

    def __post_init__(self) -> None:
        if self.scale.shape != self.zero_point.shape or self.scale.ndim != (self.axis is not None):
            got = f"{self.scale.shape}, {self.zero_point.shape} and axis {self.axis}"
            raise ValueError(f"expected one scale and zero point, or one a channel with their axis, got {got}")
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            raise ValueError(f"expected finite scales above 0, got {self.scale.min()} to {self.scale.max()}")

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Return int32 of the same shape; a half is rounded to the even neighbor."""
        if np.isnan(values).any():
            raise ValueError("expected numbers to quantize, got NaN among them")
        integers = np.round(values / self._along(self.scale, values)) + self._along(self.zero_point, values)
        return np.clip(integers, self.low, self.high).astype(np.int32)

    def dequantize(self, integers: np.ndarray) -> np.ndarray:
        """Return the real numbers that integers stand for, float32 of the same shape."""
        shifted = integers.astype(np.float64) - self._along(self.zero_point, integers)
        return (shifted * self._along(self.scale, integers)).astype(np.float32)

    def round_trip(self, values: np.ndarray) -> np.ndarray:
        """Return real numbers after quantization and back, float32: what QAT computes on."""
        return self.dequantize(self.quantize(values))

    def _along(self, parameter: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the parameter in a shape that broadcasts over the channels of `values`."""
        if self.axis is None:
            return parameter
        shape = [1] * values.ndim
        shape[self.axis] = -1
        return parameter.reshape(shape)


def symmetric(threshold: float | np.ndarray, bits: int = 8, axis: int | None = None) -> QuantParams:
    """Map zero to zero, and `threshold`, one or one a channel [C] with `axis`, to the largest of 2 to 16 bits."""
    high = _highest(bits)
    threshold = np.asarray(threshold, np.float64)
    if not (np.isfinite(threshold) & (threshold >= 0)).all():
        raise ValueError(f"expected finite thresholds of 0 or more, got {threshold}")
    scale = np.maximum(threshold, SMALLEST_THRESHOLD) / high
    return QuantParams(scale, np.zeros(scale.shape, np.int64), -high - 1, high, axis)


def asymmetric(lowest: float, highest: float, bits: int = 8) -> QuantParams:
    """Map the interval from lowest to highest, widened to hold zero, to all 2**bits integers.

    Zero must be exact, because padding and ReLU make many of them. `bits` is 2 to 16.
    """
    high = _highest(bits)
    if not (np.isfinite(lowest) and np.isfinite(highest) and lowest <= highest):
        raise ValueError(f"expected finite numbers lowest <= highest, got {lowest} and {highest}")
    lowest, highest = min(float(lowest), 0.0), max(float(highest), 0.0)
    scale = max(highest - lowest, SMALLEST_THRESHOLD) / (2 * high + 1)
    zero_point = round(-high - 1 - lowest / scale)
    return QuantParams(np.asarray(scale), np.asarray(zero_point), -high - 1, high)


def for_weights(weights: np.ndarray, axis: int | None = 0, bits: int = 8) -> QuantParams:
    """Map symmetrically, by the largest absolute value of each channel, or of the whole tensor without an axis.

    `axis` is that of the outputs: 0 of a convolution [out, in, kh, kw], 1 of a linear layer [in, out].
    """
    if axis is None:
        return symmetric(np.abs(weights).max(), bits)
    channels = np.moveaxis(np.abs(weights), axis, 0)
    return symmetric(channels.reshape(len(channels), -1).max(axis=1), bits, axis % weights.ndim)


def signal_to_noise_db(values: np.ndarray, approximation: np.ndarray) -> float:
    """Return the power of the values over that of the error, in decibel; one bit more brings 6 dB."""
    signal, noise = float(np.square(values).sum()), float(np.square(values - approximation).sum())
    return 10 * np.log10(signal / noise) if noise else float("inf")


def _highest(bits: int) -> int:
    if bits not in range(2, 17):
        raise ValueError(f"expected 2 to 16 bits, got {bits}")
    return 2 ** (bits - 1) - 1
