"""Transfer learning: names and patterns, what freezes, what starts anew, which rate acts."""

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.models import build_model
from fer_paddle.training import transfer
from fer_paddle.training.optim import adamw, momentum
from fer_paddle.weights import load_into, save_arrays, save_weights, state_arrays

nn = paddle.nn


class Small(nn.Layer):
    """The names of an expression network in a few parameters."""

    def __init__(self, num_classes=7):
        super().__init__()
        self.num_features, self.num_classes = 4, num_classes
        self.features = nn.Sequential(nn.Conv2D(1, 4, 3), nn.BatchNorm2D(4))
        self.classify = nn.Linear(4, num_classes)

    def embed(self, images):
        return self.features(images).mean((2, 3))

    def forward(self, images):
        return self.classify(self.embed(images))


def arrays(*names, value=0.0):
    return {name: np.full(2, value, np.float32) for name in names}


def test_names_by_pattern_and_prefix():
    state = arrays("stem.weight", "stages.0.weight", "stages.10.weight", "classify.bias")
    assert list(transfer.drop_keys(state, ["stages.1*", "classify.*"])) == ["stem.weight", "stages.0.weight"]
    both = nn.Layer()
    both.first, both.second = nn.Linear(1, 2), Small()
    states = [state_arrays(nn.Linear(1, 2)), state_arrays(Small())]
    merged = transfer.merge_states(*(transfer.with_prefix(s, p) for s, p in zip(states, ("first.", "second."))))
    load_into(both, merged)
    assert both.second.classify.weight.numpy().tolist() == states[1]["classify.weight"].tolist()
    assert transfer.without_prefix(merged, "second.").keys() == states[1].keys()
    for change, says in (
        (lambda: transfer.drop_keys(state, ["head.*"]), "whose name matches 'head.*', got stem.weight"),
        (lambda: transfer.merge_states(state, arrays("stem.weight")), "different names, got 1 twice, such as 'stem"),
        (lambda: transfer.without_prefix(merged, "eyes."), "names begin with 'eyes.'"),
        (lambda: transfer.freeze(Small(), "classify.*"), "a list of patterns, got the text"),  # of it, * is all
    ):
        with pytest.raises(ValueError, match=says):
            change()


def test_means_of_weights():
    states = [{**arrays("a", value=value), "count": np.array([int(value)])} for value in (1, 4)]
    mean = transfer.average_states(states)
    assert mean["a"].tolist() == [2.5, 2.5] and mean["a"].dtype == np.float32 and mean["count"] == [1]
    for wrong in ([], [states[0], arrays("b")]):
        with pytest.raises(ValueError, match="expected"):
            transfer.average_states(wrong)


def test_start_keeps_what_is_new():
    old, new = Small(7), Small(8)
    head = new.classify.weight.numpy().copy()
    kept = transfer.start_from(new, state_arrays(old), transfer.HEADS)
    assert kept == ["classify.bias", "classify.weight"]
    np.testing.assert_array_equal(new.features[0].weight.numpy(), old.features[0].weight.numpy())
    np.testing.assert_array_equal(new.classify.weight.numpy(), head)
    with pytest.raises(ValueError, match="weights do not fit: expected 'classify.bias'|'classify.weight'"):
        transfer.start_from(new, state_arrays(old))


@pytest.mark.parametrize(("num_classes", "kept"), [(7, 0), (8, 2)])
def test_a_file_of_other_classes_gives_all_but_the_last_layer(num_classes, kept, tmp_path):
    save_arrays(tmp_path / "old.safetensors", state_arrays(Small(7)))
    assert len(transfer.start_from_file(Small(num_classes), tmp_path / "old.safetensors")) == kept
    with pytest.raises(ValueError, match="weights do not fit"):
        transfer.start_from_file(build_model("mini_xception"), tmp_path / "old.safetensors")


def test_a_pruned_file_names_the_one_to_start_from(tmp_path):
    card = {"shapes": {"classify": [2, 7]}, "pruned_from": "whole.safetensors"}
    save_weights(tmp_path / "cut.safetensors", state_arrays(Small(7)), card)
    with pytest.raises(ValueError, match=r"whole network to start from, got the pruned .*: take whole\.safetensors$"):
        transfer.start_from_file(Small(7), tmp_path / "cut.safetensors")


def step(network, optimizer):
    network(paddle.randn([4, 1, 6, 6]) + 3).square().mean().backward()
    optimizer.step()
    optimizer.clear_grad()


@pytest.mark.parametrize("make", [adamw, momentum])
def test_what_is_frozen_stands_still(make):
    """Running statistics too: else the features of a frozen part would drift."""
    network = Small()
    frozen = transfer.freeze_backbone(network)
    assert frozen == ["features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias"]
    before = state_arrays(network)
    network.train()
    step(network, make(network, 0.1, 0.01))
    after = state_arrays(network)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"classify.weight", "classify.bias"}


def test_what_is_unfrozen_learns_again():
    network = Small()
    transfer.freeze(network, ["*"])
    transfer.unfreeze(network)
    before = state_arrays(network)
    step(network, momentum(network, 0.1, 0.0))
    after = state_arrays(network)
    assert not any(np.array_equal(before[name], after[name]) for name in before)
    assert network.features[1]._mean.stop_gradient  # a statistic is no parameter to learn
    with pytest.raises(ValueError, match="expected parameters whose names match body.*, got none"):
        transfer.freeze(network, ["body.*"])


@pytest.mark.parametrize("make", [adamw, momentum])
def test_factors_act_on_the_step(make):
    """From the same weights and the same gradient, a tenth of the rate is a tenth of the step."""
    steps = []
    for factor in (1.0, 0.1):
        paddle.seed(1)
        network = Small()
        transfer.set_rates(network, {"features.*": factor})
        before = state_arrays(network)
        step(network, make(network, 0.01, 0.0))
        after = state_arrays(network)
        steps.append({name: after[name] - before[name] for name in before})
    np.testing.assert_allclose(steps[1]["features.0.weight"], 0.1 * steps[0]["features.0.weight"], rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(steps[1]["classify.weight"], steps[0]["classify.weight"], rtol=1e-3, atol=1e-7)


def test_the_last_pattern_that_matches_counts():
    factors = transfer.set_rates(Small(), {"*": 0.5, "features.*": 0.1, "features.1.*": 0.0})
    expected = {"features.0": 0.1, "features.1": 0.0, "classify": 0.5}
    assert factors == {f"{name}.{kind}": rate for name, rate in expected.items() for kind in ("weight", "bias")}
    for wrong, says in (
        ({"*": -1}, r"expected a factor for \* of 0 or more, got -1"),
        ({"*": np.nan}, r"expected a factor for \* of 0 or more, got nan"),
        ({"body.*": 1}, "a weight whose name matches 'body.*'"),
    ):
        with pytest.raises(ValueError, match=says):
            transfer.set_rates(Small(), wrong)
