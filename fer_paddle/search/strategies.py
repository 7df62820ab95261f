"""Which design to try next. A strategy asks nothing of a network: `ask` gives a design, `tell` takes its score.

The same seed and the same scores give the same designs, so a search that was stopped goes on by telling the scores of
its rows again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fer_paddle.files import check_integer
from fer_paddle.labels import look_up
from fer_paddle.search.space import Design, Space, design_key

TRIES = 2000  # for a design
FREE_TRIES = 100  # of them; the others are shrunk, for a limit that hardly any design keeps to


class Strategy:
    """Give designs of a space that `accept` lets through, such as `Prices.accept`, none of them twice."""

    def __init__(self, space: Space, accept: Callable[[Design], bool] = lambda design: True, seed: int = 0):
        self.space, self.accept, self.rng = space, accept, np.random.default_rng(seed)
        self.seen: set[str] = set()

    def ask(self) -> dict[str, Any]:
        """Return the next design; ValueError where none is found within the limits."""
        for number in range(TRIES):
            design = self.propose()
            if number >= FREE_TRIES:
                design = self.space.shrink(design, self.rng)
            key = design_key(design)
            if key not in self.seen and self.accept(design):
                self.seen.add(key)
                return design
        raise ValueError(f"expected a new design within the limits, found none in {TRIES} of {len(self.space)}")

    def propose(self) -> dict[str, Any]:
        """Return a design, perhaps one that was given before."""
        return self.space.sample(self.rng)

    def tell(self, design: Design, score: float) -> None:
        """Take the finite score of a design; larger is better."""


class RandomSearch(Strategy):
    """Draw every design anew: the baseline that others must beat (Li and Talwalkar 2019, arXiv:1902.07638)."""


class RegularizedEvolution(Strategy):
    """Change one value of the best of a few designs out of the youngest; the oldest die, however good they are.

    Source: Real et al. 2019, arXiv:1802.01548, algorithm 1.
    """

    def __init__(self, *arguments: Any, population: int = 10, tournament: int = 4, **more: Any):
        super().__init__(*arguments, **more)
        check_integer("population", population, 1)
        check_integer("tournament", tournament, 1, population)
        self.tournament = tournament
        self.population: deque[tuple[float, Design]] = deque(maxlen=population)

    def propose(self) -> dict[str, Any]:
        if len(self.population) < (self.population.maxlen or 0):
            return self.space.sample(self.rng)
        rivals = self.rng.choice(len(self.population), self.tournament, replace=False)
        _, parent = max((self.population[rival] for rival in rivals), key=lambda one: one[0])
        return self.space.mutate(parent, self.rng)

    def tell(self, design: Design, score: float) -> None:
        self.population.append((score, design))


class SimulatedAnnealing(Strategy):
    """Walk from a design to one that differs in one value; a worse one is taken with the chance exp(change / T).

    Source: Kirkpatrick et al. 1983, doi:10.1126/science.220.4598.671; PaddleSlim's SANAS does the same.
    """

    def __init__(self, *arguments: Any, temperature: float = 0.05, decay: float = 0.9, **more: Any):
        super().__init__(*arguments, **more)
        if not temperature > 0 or not 0 < decay <= 1:
            raise ValueError(f"expected a temperature above 0 and a decay in (0, 1], got {temperature} and {decay}")
        self.temperature, self.decay = temperature, decay  # T at first, in units of the score; its factor after each
        self.here: tuple[float, Design] | None = None

    def propose(self) -> dict[str, Any]:
        if self.here is None:
            return self.space.sample(self.rng)
        design = self.space.mutate(self.here[1], self.rng)
        # two or three steps at once where all neighbors were tried
        return self.space.mutate(design, self.rng) if design_key(design) in self.seen else design

    def tell(self, design: Design, score: float) -> None:
        change = math.inf if self.here is None else score - self.here[0]
        if change >= 0 or self.rng.random() < math.exp(change / self.temperature):
            self.here = score, design
        self.temperature *= self.decay


STRATEGIES: dict[str, type[Strategy]] = {
    "random": RandomSearch,
    "evolution": RegularizedEvolution,
    "annealing": SimulatedAnnealing,
}


def make_strategy(name: str, *arguments: Any, **more: Any) -> Strategy:
    """Make one of STRATEGIES; an unknown name raises ValueError."""
    return look_up(STRATEGIES, name, "a strategy of {}")(*arguments, **more)


def search(
    strategy: Strategy, score: Callable[[int, Design], float], trials: int | None = None
) -> Iterator[tuple[Design, float]]:
    """Try as many designs, or all where `trials` is None, and give each with its score.

    `score` maps the number of a trial, from 0, and its design to a figure that is larger for a better one.
    """
    for number in range(len(strategy.space) if trials is None else min(trials, len(strategy.space))):
        design = strategy.ask()
        value = score(number, design)
        if not math.isfinite(value):
            raise ValueError(f"expected a finite score of {design_key(design)}, got {value}")
        strategy.tell(design, value)
        yield design, value
