"""Filter pruning: the criteria against ones written by hand, and a network that is whole before and after."""

import numpy as np
import pytest

from fer_paddle.analysis.complexity import count_flops, layer_activations, layer_weights
from fer_paddle.compression.plan import COSTS, CostModel, plan_by_sensitivity, plan_evenly
from fer_paddle.compression.prune import CRITERIA, FilterPruner
from fer_paddle.compression.sensitivity import Sensitivities
from fer_paddle.compression.slim import slim
from fer_paddle.environment import paddle

nn = paddle.nn
SHAPE = (1, 1, 8, 8)


BY_HAND = {  # of weights [filters, rest] and scales of the batch normalization
    "l1": lambda weights, scales: np.abs(weights).sum(1),
    "fpgm": lambda weights, scales: np.linalg.norm(weights[:, None] - weights[None], axis=-1).sum(1),
    "bn_scale": lambda weights, scales: np.abs(scales),
}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_filters_that_stay_are_those_chosen_by_hand(criterion, count, small_net):
    layer, norm = small_net.first[0], small_net.first[1]
    weight, scale, following = (t.numpy().copy() for t in (layer.weight, norm.weight, small_net.second[0].weight))
    stay = np.sort(np.argsort(BY_HAND[criterion](weight.reshape(6, -1), scale))[6 - count :])
    FilterPruner(small_net, SHAPE, criterion).prune({"first.0": count})
    np.testing.assert_array_equal(layer.weight.numpy(), weight[stay])
    np.testing.assert_array_equal(norm.weight.numpy(), scale[stay])
    np.testing.assert_array_equal(small_net.second[0].weight.numpy(), following[:, stay])


def test_groups(small_net):
    pruner = FilterPruner(small_net, SHAPE)
    assert {name: group.filters for name, group in pruner.groups.items()} == {"stem.0": 8, "first.0": 6}
    # The sum ties the last convolution to the first, and the linear layer reads both.
    assert {("second.0.weight", 0), ("first.0.weight", 1), ("classify.weight", 0)} < set(
        pruner.groups["stem.0"].members
    )
    assert pruner.unprunable() == []


def test_a_program_takes_no_parameters_of_a_trace_whose_id_it_has(small_net, tmp_path, monkeypatch):
    # Python gives the id of an object that is gone to a later one.
    monkeypatch.setattr(paddle.jit.dy2static.program_translator, "_program_hash", lambda program: 0)
    FilterPruner(small_net, SHAPE)
    spec = [paddle.static.InputSpec([1, 4], "float32")]
    paddle.jit.save(nn.Linear(4, 2), str(tmp_path / "linear"), input_spec=spec)


def test_the_pruned_network_is_clean_and_trains(small_net):
    names = set(small_net.state_dict())
    pruner = FilterPruner(small_net, SHAPE)
    pruner.prune({"stem.0": 5, "first.0": 2})
    assert set(small_net.state_dict()) == names  # no *_backup
    assert (small_net.stem[0]._out_channels, small_net.first[0]._in_channels) == (5, 5)
    assert small_net.first[1]._num_features == 2 and small_net.classify.weight.shape == [5, 3]
    before = small_net.stem[0].weight.numpy().copy()
    optimizer = paddle.optimizer.AdamW(1e-2, parameters=small_net.parameters())
    small_net(paddle.randn([4, 1, 8, 8])).square().mean().backward()
    optimizer.step()
    assert not np.array_equal(small_net.stem[0].weight.numpy(), before)


def test_pruned_for_a_while(small_net):
    images = paddle.randn([2, 1, 8, 8])
    before, state = small_net(images).numpy(), {n: t.numpy().copy() for n, t in small_net.state_dict().items()}
    pruner = FilterPruner(small_net, SHAPE)
    with pytest.raises(KeyError), pruner.pruned({"first.0": 2}):
        assert small_net.first[0].weight.shape[0] == 2
        assert not np.array_equal(small_net(images).numpy(), before)
        raise KeyError
    np.testing.assert_array_equal(small_net(images).numpy(), before)
    assert {n: t.shape for n, t in small_net.state_dict().items()} == {n: list(a.shape) for n, a in state.items()}
    assert small_net.first[0]._out_channels == 6


def test_layers_made_later_have_names_of_their_own(small_net):
    """PaddleSlim's tracing starts Paddle's names anew; two parameters of one name would share Adam's moments."""
    FilterPruner(small_net, SHAPE)
    names = {tensor.name for tensor in small_net.parameters()}
    assert not {tensor.name for tensor in nn.Linear(8, 3).parameters()} & names


def test_a_depthwise_convolution_loses_whole_groups():
    network = nn.Sequential(
        nn.Conv2D(1, 8, 1, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU(),
        nn.Conv2D(8, 8, 3, padding=1, groups=8, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU(),
        nn.Conv2D(8, 4, 1, bias_attr=False), nn.BatchNorm2D(4), nn.AdaptiveAvgPool2D(1),
    )  # fmt: skip
    network.eval()
    FilterPruner(network, SHAPE).prune({"0": 3})
    assert (network[3].weight.shape, network[3]._groups, network[6]._in_channels) == ([3, 1, 3, 3], 3, 3)
    assert network(paddle.randn([2, 1, 8, 8])).shape == [2, 4, 1, 1]


def test_flops_are_those_of_the_formula_and_of_paddleslim(small_net):
    by_hand = 64 * (9 * 1 * 8 + 9 * 8 * 6 + 6 * 8) + 8 * 3
    with slim():
        from paddleslim.analysis import dygraph_flops

        theirs = dygraph_flops(small_net, list(SHAPE), only_conv=True)
    assert count_flops(small_net, SHAPE) == by_hand == theirs


@pytest.mark.parametrize("kept", [{}, {"stem.0": 3}, {"first.0": 1}, {"stem.0": 5, "first.0": 2}])
def test_predicted_costs_are_those_of_the_pruned_network(kept, small_net):
    full = {"stem.0": 64 * 8, "first.0": 64 * 6, "second.0": 64 * 8}
    assert list(layer_activations(small_net, SHAPE).values()) == list(full.values())  # the linear layer has no part
    pruner = FilterPruner(small_net, SHAPE)
    predicted = {cost: CostModel(pruner, cost).predict(kept) for cost in COSTS}
    pruner.prune(kept)
    assert predicted == {
        "flops": count_flops(small_net, SHAPE),
        "parameters": sum(layer_weights(small_net).values()),
        "activations": sum(layer_activations(small_net, SHAPE).values()),
    }


def made_up(stem, first, bend=1):
    """Sensitivities in which the loss rises by so much when a layer loses all filters, by a power of their ratio."""
    layers = {
        name: {"filters": size, "pruned": {str(n): {"loss": 1 + rise * (n / size) ** bend} for n in range(1, size)}}
        for name, size, rise in (("stem.0", 8, stem), ("first.0", 6, first))
    }
    return Sensitivities({}, {"loss": 1.0}, layers)


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.2])
def test_plans_meet_their_target(ratio, small_net):
    pruner = FilterPruner(small_net, SHAPE)
    for plan in (plan_evenly(pruner, ratio), plan_by_sensitivity(pruner, made_up(1, 1), ratio)):
        assert plan.flops_ratio <= ratio
        with pruner.pruned(plan.kept):
            assert count_flops(small_net, SHAPE) == plan.flops


@pytest.mark.parametrize("ratio", [0.7, 0.5, 0.3])
def test_the_plan_is_nearly_the_best_of_all(ratio, small_net):
    """Among all 48 plans that meet the target, few cost less by the curves; the curves bend, as real ones do."""
    pruner, model = FilterPruner(small_net, SHAPE), CostModel(FilterPruner(small_net, SHAPE))

    def cost(kept):
        return 3 * (1 - kept["stem.0"] / 8) ** 2 + (1 - kept["first.0"] / 6) ** 2

    every = [{"stem.0": a, "first.0": b} for a in range(1, 9) for b in range(1, 7)]
    best = min(cost(kept) for kept in every if model.predict(kept) <= ratio * model.full)
    plan = plan_by_sensitivity(pruner, made_up(3, 1, bend=2), ratio)
    assert plan.flops_ratio <= ratio and cost(plan.kept) <= 1.25 * best


def test_a_plan_cuts_no_further_than_was_measured(small_net):
    found = made_up(stem=1.0, first=0.0)
    for name in ("stem.0", "first.0"):
        found.layers[name]["pruned"] = {"2": found.layers[name]["pruned"]["2"]}
    with pytest.raises(ValueError, match="is the least"):
        plan_by_sensitivity(FilterPruner(small_net, SHAPE), found, 0.3)
    assert plan_by_sensitivity(FilterPruner(small_net, SHAPE), found, 0.7).kept["first.0"] == 4


SOFTSIGN = nn.Sequential(nn.Conv2D(1, 4, 1), nn.Softsign(), nn.Conv2D(4, 2, 1))
NO_NORM = nn.Sequential(nn.Conv2D(1, 4, 1), nn.ReLU(), nn.Conv2D(4, 2, 1), nn.BatchNorm2D(2))


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda pruner: pruner.prune({"second.0": 2}), "prunable convolution, one of stem.0, first.0, got 'second.0'"),
        (lambda pruner: pruner.prune({"first.0": 0}), "expected 1 to 6 filters to keep in first.0, got 0"),
        (lambda pruner: pruner.prune({"first.0": 2.5}), "expected 1 to 6 filters to keep in first.0, got 2.5"),
        # PaddleSlim stops at an operator it does not know, in silence; so would a study, with a perfect result.
        (lambda pruner: FilterPruner(SOFTSIGN, SHAPE), "expected convolutions that can be pruned in Sequential"),
        (
            lambda pruner: FilterPruner(NO_NORM, SHAPE, "bn_scale").prune({"0": 2}),
            "expected batch normalization behind",
        ),
        (lambda pruner: plan_by_sensitivity(pruner, made_up(1, 1), 0.0), "above 0 and at most 1"),
        (lambda pruner: plan_by_sensitivity(pruner, made_up(1, 1), 0.01), "is the least"),
        (lambda pruner: plan_by_sensitivity(pruner, Sensitivities({}, {}, {}), 0.5), "sensitivities of this network's"),
    ],
)
def test_what_cannot_be_is_refused(use, says, small_net):
    with pytest.raises(ValueError, match=says):
        use(FilterPruner(small_net, SHAPE))
    assert small_net.first[0].weight.shape[0] == 6
