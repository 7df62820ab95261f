"""From sensitivities to a plan: how many filters each layer keeps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fer_paddle.analysis.complexity import layer_activations, layer_flops, layer_weights
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.compression.sensitivity import Sensitivities

STEPS = 1 << 20  # of an even cut: far finer than one filter
COSTS = ("flops", "parameters", "activations")  # the first is the usual one


@dataclass(frozen=True)
class Plan:
    """How many filters each group keeps, the multiply-adds that are left, and those before."""

    kept: Mapping[str, int]
    flops: int
    full_flops: int

    @property
    def flops_ratio(self) -> float:
        """The ratio of the multiply-adds that is left, 0 to 1."""
        return self.flops / self.full_flops


class CostModel:
    """Predict a cost of COSTS of a pruned network: proportional to filters and, but for activations, to inputs."""

    def __init__(self, pruner: FilterPruner, cost: str = "flops"):
        if cost not in COSTS:
            raise ValueError(f"expected a cost of {', '.join(COSTS)}, got {cost!r}")
        self.groups = pruner.groups
        if cost == "parameters":
            self.by_layer = layer_weights(pruner.network)
        else:
            count = layer_flops if cost == "flops" else layer_activations
            self.by_layer = count(pruner.network, pruner.input_shape)
        self.full = sum(self.by_layer.values())
        self._cuts: dict[str, list[str]] = {name: [] for name in self.by_layer}
        for group in self.groups.values():
            for member, axis in group.members:
                layer = member.removesuffix(".weight")
                if layer in self._cuts and (cost != "activations" or axis == 0):
                    self._cuts[layer].append(group.layer)

    def predict(self, kept: Mapping[str, int]) -> int:
        """Return the cost with so many filters kept by group; all in groups that are not named."""
        total = 0.0
        for name, full in self.by_layer.items():
            cost = float(full)
            for group in self._cuts[name]:
                filters = self.groups[group].filters
                cost *= kept.get(group, filters) / filters
            total += cost
        return round(total)


def plan_by_sensitivity(
    pruner: FilterPruner,
    sensitivities: Sensitivities,
    ratio: float,
    cost: str = "flops",
) -> Plan:
    """Plan greedily: prune, step by step, the layer with the least rise of the loss per cost saved.

    No group is cut further than it was measured; ValueError where the target is out of reach.

    Args:
        ratio: Of the cost to keep at most, above 0 to 1.
        cost: What to save: `flops`; `parameters` for a small file; `activations` for speed where memory limits it, as
            in networks of many thin layers.
    """
    if sensitivities.layers.keys() != pruner.groups.keys():
        raise ValueError("expected the sensitivities of this network's layers, got those of others or unfinished ones")
    model = CostModel(pruner, cost)
    target = _target(model, ratio)
    curves = {name: _curve(sensitivities, name) for name in pruner.groups}
    kept = {name: group.filters for name, group in pruner.groups.items()}
    while (now := model.predict(kept)) > target:
        steps = []
        for name, (counts, rises) in curves.items():
            lower = counts < kept[name]
            if lower.any():
                saved = (now - model.predict({**kept, name: 0})) / kept[name]  # by each filter
                rise = rises[lower] - rises[counts == kept[name]]
                price = rise / (saved * (kept[name] - counts[lower]))
                best = int(np.flatnonzero(price == price.min())[-1])  # the shortest of equal steps
                # No further than the target needs.
                enough = counts[lower] <= kept[name] - (now - target) / saved
                steps.append((price[best], name, int(max(counts[lower][best], counts[lower][enough].max(initial=0)))))
        if not steps:
            raise ValueError(_out_of_reach(model, kept, ratio))
        _, name, count = min(steps)
        kept[name] = count
    return _plan(pruner, kept)


def _curve(sensitivities: Sensitivities, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return how many filters a group may keep, int [K] from the fewest to all, and the rise of the loss at each."""
    ratios, rises = sensitivities.rise(name)
    filters = sensitivities.layers[name]["filters"]
    counts = np.arange(1, filters + 1)
    counts = counts[counts >= round(filters * (1 - ratios[-1]))]
    # Noise may let a curve fall: what was lost once stays lost.
    return counts, np.interp(1 - counts / filters, ratios, np.maximum.accumulate(rises))


def plan_evenly(pruner: FilterPruner, ratio: float) -> Plan:
    """Plan to cut every group alike to a ratio of the multiply-adds: what a plan from sensitivities must beat."""
    model = CostModel(pruner)
    target = _target(model, ratio)

    def keep(cut: float) -> dict[str, int]:
        return {name: max(round(group.filters * (1 - cut)), 1) for name, group in pruner.groups.items()}

    if model.predict(keep(1.0)) > target:
        raise ValueError(_out_of_reach(model, keep(1.0), ratio))
    least = bisect_left(range(STEPS), True, key=lambda step: model.predict(keep(step / STEPS)) <= target)
    return _plan(pruner, keep(least / STEPS))


def _plan(pruner: FilterPruner, kept: Mapping[str, int]) -> Plan:
    model = CostModel(pruner)
    return Plan(kept, model.predict(kept), model.full)


def _target(model: CostModel, ratio: float) -> float:
    if not 0 < ratio <= 1:
        raise ValueError(f"expected a ratio to keep above 0 and at most 1, got {ratio}")
    return ratio * model.full


def _out_of_reach(model: CostModel, kept: Mapping[str, int], ratio: float) -> str:
    least = model.predict(kept) / model.full
    return f"expected a ratio to keep of {least:.3f} or more, which is the least, got {ratio}"
