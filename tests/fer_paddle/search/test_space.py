"""The space, what its designs cost, and how the strategies walk through it."""

import numpy as np
import pytest

from fer_paddle.models import build_model, find_design
from fer_paddle.search.cost import Limits, Prices
from fer_paddle.search.space import PLAIN, Space, build_plain, describe_plain
from fer_paddle.search.strategies import FREE_TRIES, STRATEGIES, Strategy, make_strategy, search

FLAT = {f"{name}{i}": value for i, width in enumerate((24, 32, 48, 48)) for name, value in
        (("width", width), ("depth", 2), ("kernel", 3))} | {"activation": "relu", "size": 40}  # fmt: skip


def test_a_hand_made_network_is_a_design_of_the_space():
    assert FLAT.keys() == PLAIN.choices.keys() and all(FLAT[name] in PLAIN.choices[name] for name in FLAT)
    model, arguments = find_design("vgg8_flat")
    state = {name: tensor.shape for name, tensor in build_plain(FLAT).state_dict().items()}
    assert state == {name: tensor.shape for name, tensor in build_model(model, **arguments).state_dict().items()}
    assert describe_plain(FLAT) == "24x2k3 32x2k3 48x2k3 48x2k3 relu 40 px"


def test_a_latency_is_measured_once_and_only_where_it_counts(monkeypatch):
    measured = []

    def count(network, size, runs):
        measured.append(runs)
        return {"parameters": 10, "mflops": 2.0, "activations": 5}

    def clock(network, size, runs):
        measured.append(runs)
        return {"latency_ms": 0.3}

    monkeypatch.setattr("fer_paddle.search.cost.measure_cost", count)
    monkeypatch.setattr("fer_paddle.search.cost.measure_latency", clock)
    known: dict = {}
    assert not Prices(build_plain, Limits(parameters=9, latency_ms=1), known).accept(FLAT) and measured == [0]
    prices = Prices(build_plain, Limits(mflops=2.0, latency_ms=0.2), runs=7)
    assert not prices.accept(FLAT) and not prices.accept(FLAT) and measured == [0, 0, 7]
    assert Prices(build_plain, Limits(latency_ms=0.3), prices.known).accept(FLAT) and measured == [0, 0, 7]


TOY = Space({f"x{i}": (0, 1, 2, 3, 4) for i in range(8)})
PEAK = (4, 1, 3, 0, 2, 4, 1, 2)


def height(design):
    """A hill with one top, 1, and a rough slope: one of its values may hide a step."""
    steps = [abs(design[f"x{i}"] - top) for i, top in enumerate(PEAK)]
    return 1 - sum(steps) / 32 - 0.02 * (steps[0] * steps[1] % 3)


@pytest.mark.parametrize("name", ["evolution", "annealing"])
def test_a_strategy_finds_more_than_chance(name):
    """Margin: over seeds 0 to 9 the mean of the best of 80 trials is 0.04 or more above that of random search."""

    def mean_best(strategy):
        runs = [
            search(make_strategy(strategy, TOY, seed=seed), lambda _, design: height(design), 80) for seed in range(10)
        ]
        return np.mean([max(score for _, score in run) for run in runs])

    assert mean_best(name) > mean_best("random") + 0.04


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_keeps_to_its_limit_repeats_no_design_and_goes_on_by_its_scores(name):
    def accept(design):
        return sum(design.values()) <= 14

    def run(scores, trials=40):
        strategy = make_strategy(name, TOY, accept, seed=3)
        return list(search(strategy, lambda number, design: scores.setdefault(number, height(design)), trials))

    scores: dict[int, float] = {}
    run(scores, 15)  # stopped; its scores are kept
    found = run(scores)
    assert found == run({})
    assert all(accept(design) for design, _ in found) and len({str(design) for design, _ in found}) == 40


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_limit_that_hardly_any_design_keeps_to_is_met(name):
    asked = []

    def accept(design):
        asked.append(design)
        return sum(design.values()) <= 2  # 45 of 390,625

    strategy = make_strategy(name, TOY, accept, seed=1)
    assert len(list(search(strategy, lambda _, design: height(design), 10))) == 10 and len(asked) < 10 * FREE_TRIES * 2


def test_a_small_space_is_tried_whole_and_then_ends():
    space = Space({"a": (1, 2), "b": (1, 2, 3)})
    assert len(list(search(make_strategy("random", space), lambda number, design: 0.0))) == 6


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: make_strategy("grid", TOY), "expected a strategy of random, evolution, annealing, got 'grid'"),
        (lambda: Strategy(TOY, lambda design: False).ask(), "expected a new design within the limits, found none"),
        (lambda: make_strategy("evolution", TOY, population=2, tournament=3), "expected tournament in 1..2, got 3"),
        (lambda: make_strategy("annealing", TOY, temperature=0), "expected a temperature above 0"),
        (
            lambda: next(search(make_strategy("random", TOY), lambda *_: np.nan)),
            "expected a finite score of .*, got nan",
        ),
        (lambda: Limits(mflops=np.nan), "expected mflops of 0 or more, got nan"),
        (lambda: build_model("vgg8", depths=[2]), "expected depths of 1 to 8 and odd kernels of 1 to 11 for each of 4"),
        (lambda: build_model("vgg8", kernels=4), "expected depths of 1 to 8 and odd kernels"),
        (lambda: build_model("vgg8", activation="tanh"), "expected an activation of relu, elu, hardswish, got 'tanh'"),
    ],
)
def test_wrong_use_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
