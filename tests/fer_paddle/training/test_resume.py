"""fit: the same weights after any interruption, a kill included, and an ended run goes on for more epochs."""

import json
import os
import signal

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.checkpoint import LAST, optimizer_arrays
from fer_paddle.training.loop import BEST, Callback, FitConfig, Interrupted, RunOptions, fit
from fer_paddle.training.optim import make_schedule
from fer_paddle.training.run import training_cost
from fer_paddle.training.transfer import GradualUnfreezing, freeze
from fer_paddle.weights import load_card, state_arrays
from tests.fer_paddle.training import tiny_run


def assert_same_arrays(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def everything_of(folder):
    """All that a run leaves but for the clock: tensors of the last checkpoint and of the best weights, and the JSON."""
    texts = {name: json.loads((folder / name).read_text()) for name in ("best.json", "curves.json", LAST)}
    del texts[LAST]["seconds"], texts["best.json"]["hours"]
    return tiny_run.tensors_of(folder), texts


def assert_same_runs(ours, theirs):
    our_tensors, our_texts = everything_of(ours)
    their_tensors, their_texts = everything_of(theirs)
    assert our_texts == their_texts
    assert_same_arrays(our_tensors, their_tensors)


@pytest.mark.parametrize("how", ["killed in mid-epoch", "killed while writing"])
def test_a_killed_process_is_resumed_bit_for_bit(how, unbroken, start_tiny_run, tmp_path):
    folder, model, optimizer, history = unbroken
    done = start_tiny_run(tmp_path, how)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "global mean and variance" not in done.stderr  # what Paddle says at every batch normalization
    # The second epoch is lost, the first is whole.
    assert json.loads((tmp_path / LAST).read_text())["epoch"] == 1
    # In this process Paddle has counted on: parameters and moments have other names than in the killed one.
    resumed, resumed_optimizer, resumed_history = tiny_run.train(tmp_path, resume=True)
    assert resumed_history == history
    assert_same_arrays(state_arrays(resumed), state_arrays(model))
    assert_same_arrays(optimizer_arrays(resumed, resumed_optimizer), optimizer_arrays(model, optimizer))
    assert_same_runs(tmp_path, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in folder.iterdir())


def plateau(model):
    rate = make_schedule("plateau", 0.1, 0, (1,), factor=0.5, mode="max")
    return paddle.optimizer.Momentum(rate, parameters=model.parameters())


PLATEAU = {"optimize": plateau, "monitor": "valid_accuracy", "mode": "max", "epochs": 9}
FROZEN = {"prepare": lambda model: freeze(model, ["features.*"]), "extra": [GradualUnfreezing(1, ["features.*"])]}


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ((1, 2), {"accumulate": 2}),
        ((1, 2), {"accumulate": 2, "sam_radius": 0.1}),
        ((2, 1), {"swa_start": 1, "epochs": 4, "ema_decay": None}),
        ((7, 1), PLATEAU),
        ((0, 3), FROZEN),  # while frozen
        ((1, 2), FROZEN),  # after it
    ],
)
def test_every_way_to_train_is_resumed_bit_for_bit(place, changes, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    extra = changes.get("extra", [])
    model, _, history = tiny_run.train(whole, **changes)
    with pytest.raises(Interrupted):
        tiny_run.train(broken, **{**changes, "extra": [*extra, tiny_run.SignalAt(signal.SIGINT, *place)]})
    again, _, resumed = tiny_run.train(broken, resume=True, **changes)
    assert resumed == history
    assert_same_arrays(state_arrays(again), state_arrays(model))
    assert_same_runs(broken, whole)


@pytest.mark.parametrize(
    ("number", "epoch", "step", "saved"),
    [
        (signal.SIGINT, 0, 1, (0, 1)),  # before there is any checkpoint, in the warm-up of the rate
        (signal.SIGINT, 1, 3, (1, 3)),
        (signal.SIGINT, 1, 5, (1, 5)),  # after the last step, before the validation
        (signal.SIGINT, 1, None, (2, 0)),  # at the epoch's end
        (signal.SIGTERM, 0, 2, (0, 2)),  # as paddle.distributed.launch makes of Ctrl-C, several times over
    ],
)
def test_an_interruption_saves_and_is_resumed_bit_for_bit(number, epoch, step, saved, unbroken, tmp_path):
    former = signal.getsignal(number)
    with pytest.raises(Interrupted, match="resume it from") as raised:
        tiny_run.train(
            tmp_path, extra=[tiny_run.SignalAt(number, epoch, step)] * (2 if number == signal.SIGTERM else 1)
        )
    assert signal.getsignal(number) is former and raised.value.number == number
    last = json.loads((tmp_path / LAST).read_text())
    assert (last["epoch"], last["step"]) == saved
    # The time before it counts.
    (tmp_path / LAST).write_text(json.dumps({**last, "seconds": 7200}))
    tiny_run.train(tmp_path, resume=True)
    assert_same_runs(tmp_path, unbroken[0])
    cost = training_cost(load_card(tmp_path / BEST))
    assert (cost["hours"] >= 2 or epoch) and f"{os.cpu_count()} cores" in cost["machine"]


def test_a_second_ctrl_c_acts_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt) as raised:
        tiny_run.train(tmp_path, extra=[tiny_run.SignalAt(signal.SIGINT, 0, 2)] * 2)
    assert not isinstance(raised.value, Interrupted)
    assert not (tmp_path / LAST).exists()


def test_reader_processes_outlive_ctrl_c(unbroken, start_tiny_run, tmp_path):
    done = start_tiny_run(tmp_path, "Ctrl-C with reader processes")
    assert "Interrupted: stopped after 1 epochs and" in done.stderr
    # The readers inherit the handler and must not act on it.
    assert done.stderr.count("interrupted: the step") == 1
    tiny_run.train(tmp_path, resume=True)
    assert_same_runs(tmp_path, unbroken[0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"epochs": 2}, r"epochs \(2, was 3\)"),
        ({"task": {**tiny_run.TASK, "sizes": ((0, 16),)}}, r"task.sizes \(\[\[0, 16\]\], was \[\[0, 8\]\]\)"),
        ({"task": {**tiny_run.TASK, "start_digest": "ab"}}, r"task.start_digest \('ab', was None\)"),
        ({"seed": 1, "patience": 2}, r"patience \(2, was None\), seed \(1, was 9\)"),
    ],
)
def test_another_configuration_is_refused_by_name(changes, named, unbroken):
    with pytest.raises(ValueError, match=named):
        tiny_run.train(unbroken[0], resume=True, **changes)


def test_another_network_is_refused_and_a_run_is_not_overwritten(unbroken):
    other = tiny_run.TinyNet()
    other.classify = paddle.nn.Linear(24, 5)
    with pytest.raises(ValueError, match="classify.weight"):
        tiny_run.train(unbroken[0], resume=True, model=other)
    with pytest.raises(ValueError, match="expected a folder without a run, got .* 3 finished epochs: resume it"):
        tiny_run.train(unbroken[0])


SCHEDULES = {  # of epochs of 5 steps
    "cosine": lambda epochs: make_schedule("cosine", 0.02, epochs * 5, warmup_steps=3),
    "one_cycle": lambda epochs: make_schedule("one_cycle", 0.02, epochs * 5),
    "multi_step": lambda epochs: make_schedule("multi_step", 0.02, epochs * 5, [4, 12]),
    "plateau": lambda epochs: make_schedule("plateau", 0.02, epochs * 5, [1]),
    "constant": lambda epochs: 0.02,
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("ended", ["at its end", "early"])
def test_an_ended_run_goes_on_for_more_epochs(name, ended, tmp_path):
    """On the schedule of as many, and under its own configuration but for them."""

    def train(folder, epochs, resume=False, **changes):
        model = tiny_run.TinyNet()
        rate, config = SCHEDULES[name](epochs), FitConfig(epochs, **{"seed": 9, "monitor": "valid_accuracy", **changes})
        optimizer = paddle.optimizer.Momentum(rate, parameters=model.parameters())
        options = RunOptions(folder, resume, [Stop()] if ended == "early" and not resume else [])
        loaders = {**tiny_run.make_loaders()}
        return fit(model, tiny_run.loss, loaders, optimizer, {"accuracy": accuracy}, config=config, options=options)

    class Stop(Callback):
        def on_epoch_end(self, run):
            run.stop = run.epoch == 2

    accuracy = tiny_run.accuracy
    planned = 2 if ended == "at its end" else 3
    longer = planned + 1
    first = train(tmp_path, planned)
    assert len(first) == 2 and train(tmp_path, planned, resume=True) == first
    with pytest.raises(ValueError, match="got another: seed"):
        train(tmp_path, longer, resume=True, seed=8)
    history = train(tmp_path, longer, resume=True)
    assert history[:2] == first and [record["epoch"] for record in history] == list(range(1, longer + 1))
    if name not in ("plateau", "constant"):
        schedule = SCHEDULES[name](longer)
        for _ in range(5 * longer):
            schedule.step()
        assert history[-1]["learning_rate"] == pytest.approx(schedule(), abs=1e-9)


def test_what_fails_while_it_measures_costs_no_epoch(tmp_path):
    def train(validate, resume=False):
        seed_everything(5)
        model = tiny_run.TinyNet()
        steps: list[int] = []

        class Count(Callback):
            def on_step_end(self, run):
                steps.append(run.step)

        optimizer = tiny_run.make_optimizer(model, 1)
        config, options = FitConfig(1, monitor="valid_score"), RunOptions(tmp_path, resume, [Count()])
        loaders = {"train": tiny_run.make_loaders()["train"]}
        fit(model, tiny_run.loss, loaders, optimizer, config=config, options=options, validate=validate)
        return steps

    def fail(model):
        raise ValueError("a damaged photo")

    with pytest.raises(ValueError, match="a damaged photo"):
        train(fail)
    assert train(lambda model: {"score": 1.0}, resume=True) == []
