"""Transfer learning: start from the weights of another network, freeze, unfreeze, and train at several rates.

Names of weights are matched by shell patterns, such as `classify.*` or `*stages.0*`.

Sources: Yosinski et al. 2014, arXiv:1411.1792 (which layers transfer); Howard and Ruder 2018, arXiv:1801.06146
(gradual unfreezing, section 3.3; discriminative rates, section 3.2); Wortsman et al. 2022, arXiv:2203.05482 (means of
weights).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.files import check_number
from fer_paddle.training.run import Callback, Run
from fer_paddle.weights import load_arrays, load_card, load_into, state_arrays

# What a network learns anew for other classes: its last layer, and the auxiliary head.
HEADS = ("classify.*", "*.classify.*", "votes.*")

Arrays = Mapping[str, np.ndarray]


def drop_keys(arrays: Arrays, patterns: Sequence[str]) -> dict[str, np.ndarray]:
    """Leave out the arrays whose name matches one of the patterns; a pattern that matches none raises ValueError."""
    _check_patterns(patterns, list(arrays))
    return {name: array for name, array in arrays.items() if not _matches(name, patterns)}


def with_prefix(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """Put `prefix` before every name: the names the weights have as a part of a larger network."""
    return {prefix + name: array for name, array in arrays.items()}


def without_prefix(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """Keep the arrays whose name begins with `prefix`, without it; ValueError where there is none."""
    kept = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
    if not kept:
        raise ValueError(f"expected weights whose names begin with {prefix!r}, got {', '.join(list(arrays)[:5])}, ...")
    return kept


def merge_states(*states: Arrays) -> dict[str, np.ndarray]:
    """Join the weights of several networks to those of one that holds them all; a common name raises ValueError."""
    merged: dict[str, np.ndarray] = {}
    for state in states:
        if common := sorted(merged.keys() & state.keys()):
            raise ValueError(f"expected weights of different names, got {len(common)} twice, such as {common[0]!r}")
        merged |= state
    return merged


def average_states(states: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Return the mean of the same network's weights from several runs that had one start.

    Integers, such as counters, are those of the first; ValueError where names or shapes differ.
    """
    if not states:
        raise ValueError("expected the weights of one run or more, got none")
    if any(_shapes(one) != _shapes(states[0]) for one in states):
        raise ValueError("expected weights of one network, got other names or shapes")
    return {
        name: np.mean([state[name] for state in states], axis=0, dtype=first.dtype)
        if first.dtype.kind == "f"
        else first
        for name, first in states[0].items()
    }


def _shapes(state: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in state.items()}


def start_from(network: paddle.nn.Layer, arrays: Arrays, new: Sequence[str] = ()) -> list[str]:
    """Load pretrained weights except for the layers whose names match `new`, which stay as they are; return these.

    ValueError: without those, a name is missing or too many, or a shape differs.
    """
    own = state_arrays(network)
    kept = {name: array for name, array in own.items() if _matches(name, new)}
    load_into(network, {**{n: a for n, a in arrays.items() if not _matches(n, new)}, **kept})
    return sorted(kept)


def start_from_file(
    network: paddle.nn.Layer, path: str | os.PathLike[str], classes: Sequence[str] | None = None
) -> list[str]:
    """Load pretrained weights from a file; the last layer stays as it is, and is named, where it has other classes.

    `classes` are compared with those in the card of the file, where it has one. An auxiliary head is left out.
    ValueError: the weights are of another network, or of a pruned one.
    """
    arrays, card = load_arrays(path), load_card(path) if Path(path).with_suffix(".json").is_file() else {}
    if "shapes" in card:
        whole = card.get("pruned_from", "the network that it was pruned from")
        raise ValueError(f"expected weights of a whole network to start from, got the pruned {path}: take {whole}")
    if "votes.weight" in arrays:
        arrays = without_prefix(arrays, "network.")
    head = arrays.get("classify.weight")
    same = head is not None and list(head.shape) == network.classify.weight.shape
    if same and classes is not None:
        same = card.get("classes", list(classes)) == list(classes)
    return start_from(network, arrays, () if same else HEADS)


def freeze(network: paddle.nn.Layer, patterns: Sequence[str]) -> list[str]:
    """Freeze every parameter whose name matches, and its batch normalization's statistics; return their names."""
    return _set_learning(network, patterns, False)


def unfreeze(network: paddle.nn.Layer, patterns: Sequence[str] = ("*",)) -> list[str]:
    """Let every parameter learn whose name matches, and its batch normalization's statistics; return their names."""
    return _set_learning(network, patterns, True)


def freeze_backbone(network: paddle.nn.Layer) -> list[str]:
    """Freeze all but the heads, and return the names of the frozen parameters."""
    return freeze(network, _backbone(network))


def set_rates(network: paddle.nn.Layer, factors: Mapping[str, float]) -> dict[str, float]:
    """Give parameters their own learning rate, as a factor of the optimizer's (discriminative rates).

    The factors act in every optimizer of Paddle and stay with the parameters until they are set anew. Of several
    patterns that match, the last counts; the others get 1. Returns the factor of each parameter by name.
    """
    for pattern, factor in factors.items():
        check_number(f"a factor for {pattern}", factor)
    names = [name for name, _ in _learnable(network)]
    _check_patterns(factors, names)
    found = {}
    for name, parameter in _learnable(network):
        matching = [factor for pattern, factor in factors.items() if fnmatchcase(name, pattern)]
        parameter.optimize_attr["learning_rate"] = found[name] = float(matching[-1]) if matching else 1.0
    return found


@contextmanager
def frozen_backbone(network: paddle.nn.Layer, freeze_epochs: int, backbone_rate: float) -> Iterator[list[Callback]]:
    """Freeze all but the heads for the first epochs of a training, then slow them; yield the callbacks it needs."""
    if backbone_rate != 1:
        set_rates(network, dict.fromkeys(_backbone(network), backbone_rate))
    frozen = freeze_backbone(network) if freeze_epochs else []
    try:
        yield [GradualUnfreezing(freeze_epochs)] if frozen else []
    finally:
        if frozen:
            unfreeze(network, frozen)
        if backbone_rate != 1:
            set_rates(network, {})


class GradualUnfreezing(Callback):
    """Unfreeze parameters when an epoch, counted from 0, begins; a resumed run finds them as they were."""

    def __init__(self, epoch: int, patterns: Sequence[str] = ("*",)):
        self.epoch, self.patterns = epoch, tuple(patterns)

    def on_fit_start(self, run: Run) -> None:
        if run.epoch >= self.epoch:
            unfreeze(run.model, self.patterns)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch == self.epoch:
            unfreeze(run.model, self.patterns)


def _check_patterns(patterns: Iterable[str], names: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"expected a weight whose name matches {pattern!r}, got {', '.join(names[:5])}, ...")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    if isinstance(patterns, str):  # whose letters would be patterns, among them an asterisk
        raise ValueError(f"expected a list of patterns, got the text {patterns!r}")
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _backbone(network: paddle.nn.Layer) -> list[str]:
    return [name for name, _ in _learnable(network) if not _matches(name, HEADS)]


def _learnable(network: paddle.nn.Layer) -> list[tuple[str, paddle.Tensor]]:
    """Return parameters by name, frozen ones too; without the running statistics, which Paddle counts among them."""
    named = network.named_parameters()
    return [(name, parameter) for name, parameter in named if not name.endswith(("_mean", "_variance"))]


def _set_learning(network: paddle.nn.Layer, patterns: Sequence[str], learning: bool) -> list[str]:
    chosen = {name: parameter for name, parameter in _learnable(network) if _matches(name, patterns)}
    if not chosen:
        raise ValueError(f"expected parameters whose names match {', '.join(patterns)}, got none")
    for parameter in chosen.values():
        parameter.stop_gradient = not learning
    for name, layer in network.named_sublayers(include_self=True):
        if isinstance(layer, paddle.nn.BatchNorm2D) and (f"{name}." if name else "") + "weight" in chosen:
            layer._use_global_stats = None if learning else True
    return list(chosen)
