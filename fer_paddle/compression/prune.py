"""Chapter 5: filter pruning with PaddleSlim. Whole filters go, so the network that is left is smaller and faster.

PaddleSlim finds which tensors must lose a channel together (a filter, its batch normalization, the next convolution's
input, everything a sum ties to it) and cuts them. Fixed here:

- It stops in silence at an operator that it does not know. `environment` sets OPS_UNCHANGE_SHAPE=elu before PaddleSlim
  is imported; without it DistResNet has no prunable group at all.
- It keeps every former weight as a buffer `*_backup`, which state_dict carries along.
- It cuts the weights and leaves what the layers say of their size.
- Its trip to static mode and back starts Paddle's names anew: the next layer made would share the names of its
  parameters with an old one, and an optimizer would mix up their moments.

Source: Li et al. 2017, arXiv:1608.08710 (L1); He et al. 2019, arXiv:1811.00250 (FPGM); Liu et al. 2017,
arXiv:1708.06519 (scales of batch normalization); PaddleSlim 2.6.0, dygraph/prune and prune/criterion.py. New
statistics: Li et al. 2020 (EagleEye), arXiv:2007.02491, section 3.3; Izmailov et al. 2018, arXiv:1803.05407.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_paddle.compression.slim import slim
from fer_paddle.environment import paddle
from fer_paddle.models.model import sized_layers, update_sizes
from fer_paddle.models.network import evaluating, image_tensor

CRITERIA = ("l1", "fpgm", "bn_scale")
Criterion = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FilterGroup:
    """The filters of one convolution, and what goes with them."""

    layer: str  # name of the convolution, which names the group
    filters: int  # its filters
    # pairs (name of a parameter, axis) that lose an entry with each filter; the convolution's own first
    members: tuple[tuple[str, int], ...]


class FilterPruner:
    """Cut filters out of a network, for good or for the time of a `with` block.

    Args:
        network: The network; PaddleSlim traces it once, here.
        input_shape: Of a batch of one, such as (1, 1, 48, 48).
        criterion: Which filters go first. `l1`: those of the smallest mean absolute weight. `fpgm`: those nearest to
            all others, which these can replace. `bn_scale`: those whose batch normalization scales them the least.
            A function from the weights [N, ...] of N filters to their scores [N]: those of the smallest score.

    `groups` has the prunable groups by the name of their convolution, in the network's order.
    """

    def __init__(self, network: paddle.nn.Layer, input_shape: Sequence[int], criterion: str | Criterion = "l1"):
        if not callable(criterion) and criterion not in CRITERIA:
            raise ValueError(f"expected a criterion of {', '.join(CRITERIA)}, got {criterion!r}")
        self.network, self.input_shape, self.criterion = network, tuple(input_shape), criterion
        with evaluating(network), paddle.utils.unique_name.guard(), slim(), _indexed_graphs():
            self._slim = _slim_pruner(criterion)(network, list(input_shape))
        self._tensor_names = {tensor.name: name for name, tensor in network.named_parameters()}
        self.groups = {group.layer: group for group in map(self._read_group, self._slim.collections)}
        if not self.groups:
            raise ValueError(f"expected convolutions that can be pruned in {type(network).__name__}, found none")

    def _read_group(self, collection: Any) -> FilterGroup:
        """Translate PaddleSlim's names to the network's; outputs that it lists too are left out."""
        master = self._tensor_names[collection.master_name]
        filters = collection.values[collection.master_name].shape[0]
        details = [(self._tensor_names.get(one.name), one.axis) for one in collection.all_pruning_details()]
        members = dict.fromkeys([(master, 0), *((name, axis) for name, axis in details if name is not None)])
        return FilterGroup(master.removesuffix(".weight"), filters, tuple(members))

    def prune(self, kept: Mapping[str, int]) -> None:
        """Cut the network for good, to `kept` filters by group, 1 or more each; groups that are not named keep all.

        Then the pruner is used up: make a new one to cut further.
        """
        self._cut(kept)
        for layer in self.network.sublayers(include_self=True):
            for name in [name for name in layer._buffers if name.endswith("_backup")]:
                del layer._buffers[name]
            layer.__dict__.pop("_origin_groups", None)

    @contextmanager
    def pruned(self, kept: Mapping[str, int]) -> Iterator[None]:
        """Cut the network for the time of a `with` block; arguments and errors as in `prune`."""
        plan = self._cut(kept)
        try:
            yield
        finally:
            plan.restore(self.network)
            update_sizes(self.network)

    def _cut(self, kept: Mapping[str, int]) -> Any:
        for name, count in kept.items():
            if name not in self.groups:
                raise ValueError(f"expected a prunable convolution, one of {', '.join(self.groups)}, got {name!r}")
            if count not in range(1, self.groups[name].filters + 1):
                raise ValueError(f"expected 1 to {self.groups[name].filters} filters to keep in {name}, got {count}")
        parameters = dict(self.network.named_parameters())
        ratios = {
            parameters[f"{name}.weight"].name: 1 - count / self.groups[name].filters
            for name, count in kept.items()
            if count < self.groups[name].filters
        }
        with slim():
            plan = self._slim.prune_vars(ratios, axis=0)
        update_sizes(self.network)
        return plan

    def unprunable(self) -> list[str]:
        """Return the convolutions whose filters are in no group: outputs, or behind an operator PaddleSlim lacks."""
        cut = {name for group in self.groups.values() for name, axis in group.members if axis == 0}
        layers = sized_layers(self.network).items()
        return [name for name, layer in layers if isinstance(layer, paddle.nn.Conv2D) and f"{name}.weight" not in cut]


@contextmanager
def _indexed_graphs() -> Iterator[None]:
    """Let PaddleSlim look up the operators at a variable; it reads the whole graph each time, 5 s for DistResNet."""
    from paddleslim.core.graph_wrapper import GraphWrapper, OpWrapper, VarWrapper

    @functools.cache
    def index(graph: GraphWrapper, names: str) -> dict[str, list[OpWrapper]]:
        found = defaultdict(list)
        for op in graph.ops():
            for name in dict.fromkeys(getattr(op._op, names)):
                found[name].append(op)
        return found

    former = VarWrapper.inputs, VarWrapper.outputs
    VarWrapper.inputs = lambda var: [*index(var._graph, "output_arg_names")[var.name()]]
    VarWrapper.outputs = lambda var: [*index(var._graph, "input_arg_names")[var.name()]]
    try:
        yield
    finally:
        VarWrapper.inputs, VarWrapper.outputs = former


def _slim_pruner(criterion: str | Criterion) -> type:
    """Return PaddleSlim's pruner class for a criterion; it has none by BN scales for dynamic networks."""
    from paddleslim.dygraph import FilterPruner as SlimFilterPruner
    from paddleslim.dygraph import FPGMFilterPruner, L1NormFilterPruner
    from paddleslim.prune import prune_worker
    from paddleslim.prune.criterion import CRITERION

    if "elu" not in prune_worker.OPS_UNCHANGE_SHAPE:
        raise ValueError("expected OPS_UNCHANGE_SHAPE=elu, or fer_paddle.environment imported before paddleslim")

    if criterion in ("l1", "fpgm"):
        return L1NormFilterPruner if criterion == "l1" else FPGMFilterPruner

    def score(collection: Any) -> np.ndarray:
        if callable(criterion):
            return np.asarray(criterion(collection.values[collection.master_name]))
        graph = collection.all_pruning_details()[0].op._graph
        try:
            scores = CRITERION.get("bn_scale")(collection, collection.values, graph)
        except (IndexError, SystemExit) as error:  # what PaddleSlim raises where there is none
            got = "found one without; take another criterion"
            raise ValueError(f"expected batch normalization behind each convolution, {got}") from error
        return scores[collection.master_name][collection.master_axis]

    class ScoreFilterPruner(SlimFilterPruner):
        """PaddleSlim with the scores of a function, or of `bn_scale`, which it offers to static programs alone."""

        def cal_mask(self, pruned_ratio: float, collection: Any, num_head: int = -1) -> np.ndarray:
            scores = score(collection)
            mask = np.ones(len(scores), np.int32)
            mask[np.argsort(scores)[: round(len(scores) * pruned_ratio)]] = 0
            return mask

    return ScoreFilterPruner


@paddle.no_grad()
def recalibrate_norms(network: paddle.nn.Layer, batches: Iterable[np.ndarray | paddle.Tensor]) -> None:
    """Replace the running mean and variance of every batch normalization by the mean over the batches.

    A layer that lost inputs gives outputs of another mean and spread than its batch normalization remembers; a network
    of averaged weights does, too.

    The rest works as in eval mode. `batches` are inputs, float32 [N, C, H, W] each, of about equal N; at least one.
    """
    norms = [layer for layer in network.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    momenta, count = [norm._momentum for norm in norms], 0
    with evaluating(network):
        try:
            for norm in norms:
                norm.train()
            for images in batches:
                for norm in norms:
                    norm._momentum = count / (count + 1)  # running = momentum * running + (1 - momentum) * batch
                network(image_tensor(images))
                count += 1
        finally:
            for norm, momentum in zip(norms, momenta):
                norm._momentum = momentum
                norm.eval()
    if not count:
        raise ValueError("expected at least one batch to measure batch normalization on, got none")
