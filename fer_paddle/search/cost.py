"""What a network costs, counted or measured, and the limits a search keeps to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.analysis.complexity import count_parameters, layer_activations, layer_costs, total_costs
from fer_paddle.deployment.benchmark import time_runs
from fer_paddle.deployment.export import export_network
from fer_paddle.deployment.runtimes.onnx import OnnxRunner
from fer_paddle.environment import paddle, quiet
from fer_paddle.files import check_number
from fer_paddle.search.space import Design, Space, design_key


def measure_cost(network: paddle.nn.Layer, size: int, runs: int = 50) -> dict[str, float]:
    """Return what one gray image of size x size costs.

    Returns:
        `parameters`, `mflops` (as paddle.flops counts), `activations` (numbers that the convolutions put out) and, with
        runs above 0, `latency_ms` (median) and `latency_p95_ms` on one thread of ONNX Runtime.
    """
    shape = (1, 1, size, size)
    flops = total_costs(layer_costs(network, shape[1:]))["flops"]
    counted = {
        "parameters": count_parameters(network),
        "mflops": round(flops / 1e6, 3),
        "activations": sum(layer_activations(network, shape).values()),
    }
    return counted | (measure_latency(network, size, runs) if runs else {})


def measure_latency(network: paddle.nn.Layer, size: int, runs: int = 50) -> dict[str, float]:
    """Return `latency_ms` (median) and `latency_p95_ms` of one gray image on one thread of ONNX Runtime."""
    shape = (1, 1, size, size)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        with quiet():
            export_network(network, path, {"images": (None, *shape[1:])}, {}, image)
        runner = OnnxRunner(path, threads=1)
    times = time_runs(lambda: runner(image), runs)
    return {"latency_ms": round(times["median_ms"], 3), "latency_p95_ms": round(times["p95_ms"], 3)}


@dataclass(frozen=True)
class Limits:
    """Upper bounds of the costs of `measure_cost`; None for no bound."""

    mflops: float | None = None
    parameters: float | None = None
    activations: float | None = None
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.given.items():
            check_number(name, limit)

    @property
    def given(self) -> dict[str, float]:
        """The bounds that there are, by name."""
        return {name: limit for name, limit in asdict(self).items() if limit is not None}

    def hold(self, costs: Mapping[str, float]) -> bool:
        """Return whether the costs that are known keep to the bounds."""
        return all(costs[name] <= limit for name, limit in self.given.items() if name in costs)


class Prices:
    """Costs of designs, each measured once: a clock gives others each time, and a resumed search needs the same."""

    def __init__(
        self,
        build: Callable[[Design], paddle.nn.Layer],  # gives a network with any weights
        limits: Limits,  # a latency is measured only where they have one, and of what keeps to the others
        known: dict[str, dict[str, Any]] | None = None,  # costs by `design_key`, added to; a study keeps it
        runs: int = 50,  # timed ones
    ):
        self.build, self.limits, self.runs = build, limits, runs
        self.known = {} if known is None else known

    def __call__(self, design: Design) -> dict[str, float]:
        """Return the costs of a design at its `size`."""
        key = design_key(design)
        if key not in self.known:
            network = self.build(design)
            costs = measure_cost(network, design["size"], 0)
            if self.limits.latency_ms is not None and self.limits.hold(costs):
                costs |= measure_latency(network, design["size"], self.runs)
            self.known[key] = costs
        return self.known[key]

    def check(self, space: Space) -> None:
        """Raise ValueError for limits that not even the smallest design of a space keeps to."""
        costs = self(space.smallest)
        if over := {name: limit for name, limit in self.limits.given.items() if costs.get(name, 0) > limit}:
            least = ", ".join(f"{name} {costs[name]:g}" for name in over)
            asked = ", ".join(f"{name} {limit:g}" for name, limit in over.items())
            raise ValueError(f"expected limits that a design can keep to, got {asked}: the smallest has {least}")

    def accept(self, design: Design) -> bool:
        """Return whether a design keeps to the limits."""
        return self.limits.hold(self(design))
