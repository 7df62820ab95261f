"""From sensitivities to a plan: every layer is cut until it costs the same predicted loss, at a given FLOPs target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fer_paddle.compression.flops import layer_flops
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.compression.sensitivity import Sensitivities

STEPS = 60  # of the bisection: far finer than one filter


@dataclass(frozen=True)
class Plan:
    """How many filters each group keeps.

    Attributes:
        kept: Filters by group.
        flops: Multiply-adds of the network that is left.
        full_flops: Multiply-adds of the network before.
        allowed_rise: The rise of the figure that every layer was allowed alone; 0 for an even plan.
    """

    kept: Mapping[str, int]
    flops: int
    full_flops: int
    allowed_rise: float

    @property
    def flops_share(self) -> float:
        """The part of the multiply-adds that is left, 0 to 1."""
        return self.flops / self.full_flops


class FlopsModel:
    """Predicts the multiply-adds of a pruned network without pruning it.

    A convolution's are proportional to its filters and to its input channels, and each of both belongs to a group.

    Args:
        pruner: Of the network.
    """

    def __init__(self, pruner: FilterPruner):
        self.groups = pruner.groups
        self.by_layer = layer_flops(pruner.network, pruner.input_shape)
        self.full = sum(self.by_layer.values())
        self._cuts: dict[str, list[str]] = {name: [] for name in self.by_layer}
        for group in self.groups.values():
            for member, _ in group.members:
                layer = member.removesuffix(".weight")
                if layer in self._cuts:
                    self._cuts[layer].append(group.layer)

    def predict(self, kept: Mapping[str, int]) -> int:
        """Gives the multiply-adds with so many filters kept by group; all in groups that are not named."""
        total = 0.0
        for name, flops in self.by_layer.items():
            for group in self._cuts[name]:
                filters = self.groups[group].filters
                flops *= kept.get(group, filters) / filters
            total += flops
        return round(total)


def plan_by_sensitivity(
    pruner: FilterPruner,
    sensitivities: Sensitivities,
    flops_share: float,
    figure: str = "loss",
    multiple: int = 1,
) -> Plan:
    """Finds the least rise of the figure that, allowed to every layer alone, brings the network to a FLOPs target.

    Args:
        pruner: Of the network at full size.
        sensitivities: Of that network.
        flops_share: Part of the multiply-adds to keep at most, 0 to 1.
        figure: One that is better the smaller it is.
        multiple: Filters are kept in multiples of this (a group of fewer keeps all): 4 or 8 suit the processor.

    Raises:
        ValueError: The sensitivities are of other layers, or the target is out of reach.
    """
    if sensitivities.layers.keys() != pruner.groups.keys():
        raise ValueError("expected the sensitivities of this network's layers, got those of others or unfinished ones")
    curves = {}
    for name in pruner.groups:
        shares, rises = sensitivities.rise(name, figure)
        # Noise may let a curve fall. A tiny slope makes it strictly rise, so that it can be read backwards.
        curves[name] = np.maximum.accumulate(rises) + 1e-9 * shares, shares
    highest = max(float(rises[-1]) for rises, _ in curves.values())

    def keep(rise: float) -> dict[str, int]:
        shares = {name: float(np.interp(rise, *curve)) for name, curve in curves.items()}
        return _round_kept(pruner, shares, multiple)

    return _bisect(pruner, keep, highest, flops_share)


def plan_evenly(pruner: FilterPruner, flops_share: float, multiple: int = 1) -> Plan:
    """Cuts every group by the same share: what a plan from sensitivities must beat. Arguments as there."""

    def keep(share: float) -> dict[str, int]:
        return _round_kept(pruner, dict.fromkeys(pruner.groups, share), multiple)

    plan = _bisect(pruner, keep, 1.0, flops_share)
    return Plan(plan.kept, plan.flops, plan.full_flops, 0.0)


def _round_kept(pruner: FilterPruner, pruned_shares: Mapping[str, float], multiple: int) -> dict[str, int]:
    kept = {}
    for name, share in pruned_shares.items():
        filters = pruner.groups[name].filters
        count = round(filters * (1 - share) / multiple) * multiple
        kept[name] = min(max(count, multiple), filters)
    return kept


def _bisect(pruner: FilterPruner, keep: Callable[[float], dict[str, int]], highest: float, flops_share: float) -> Plan:
    """Finds the smallest value whose filters meet the target; `keep` gives fewer filters for a higher value."""
    if not 0 < flops_share <= 1:
        raise ValueError(f"expected a share of the FLOPs above 0 and at most 1, got {flops_share}")
    model = FlopsModel(pruner)
    target = flops_share * model.full
    if (least := model.predict(keep(highest))) > target:
        raise ValueError(
            f"expected a share of the FLOPs of {least / model.full:.3f} or more, which is the least, got {flops_share}"
        )
    low, high = 0.0, highest
    for _ in range(STEPS):
        middle = (low + high) / 2
        if model.predict(keep(middle)) > target:
            low = middle
        else:
            high = middle
    kept = keep(high)
    return Plan(kept, model.predict(kept), model.full, high)
