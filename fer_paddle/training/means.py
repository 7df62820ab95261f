"""Running means of named figures, weighted by the samples they were taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Means:
    """Weighted running means.

    Args:
        state: Pairs (weighted total, weight) by name, to go on from; None starts empty.
    """

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None):
        self.state = {name: list(pair) for name, pair in (state or {}).items()}

    def add(self, figures: Mapping[str, float], weight: int) -> None:
        """Takes in the means of one batch of `weight` samples."""
        for name, value in figures.items():
            pair = self.state.setdefault(name, [0.0, 0])
            pair[0] += value * weight
            pair[1] += weight

    def result(self) -> dict[str, float]:
        """The means so far, by name."""
        return {name: total / weight for name, (total, weight) in self.state.items()}
