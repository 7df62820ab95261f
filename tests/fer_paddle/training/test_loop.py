"""fit: the same weights after any interruption, what it stops at, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import signal
import threading

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.checkpoint import LAST, optimizer_arrays
from fer_paddle.training.loop import BEST, Callback, FitConfig, Interrupted, NonFiniteLoss, RunOptions, fit
from fer_paddle.training.optim import make_schedule
from fer_paddle.training.run import training_cost
from fer_paddle.weights import load_arrays, load_card, load_into, state_arrays

BATCH = [(paddle.zeros([2, 1, 8, 8]), paddle.to_tensor([0, 1]))]


def assert_same_arrays(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def everything_of(folder):
    """All that a run leaves but for the clock: tensors of the last checkpoint and of the best weights, and the JSON."""
    last = json.loads((folder / LAST).read_text())
    tensors = {f"last {name}": array for name, array in load_arrays(folder / last["tensors"]).items()}
    tensors |= {f"best {name}": array for name, array in load_arrays(folder / BEST).items()}
    texts = {name: json.loads((folder / name).read_text()) for name in ("best.json", "curves.json")}
    del last["seconds"], texts["best.json"]["hours"]
    return tensors, {**texts, LAST: last}


def assert_same_runs(ours, theirs):
    our_tensors, our_texts = everything_of(ours)
    their_tensors, their_texts = everything_of(theirs)
    assert our_texts == their_texts
    assert_same_arrays(our_tensors, their_tensors)


@pytest.fixture(scope="module")
def unbroken(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    model, optimizer, history = tiny_run.train(folder)
    return folder, model, optimizer, history


# --- resume ---


@pytest.mark.parametrize("how", ["killed in mid-epoch", "killed while writing"])
def test_a_killed_process_is_resumed_bit_for_bit(how, unbroken, tiny_run, start_tiny_run, tmp_path):
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
def test_an_interruption_saves_and_is_resumed_bit_for_bit(number, epoch, step, saved, unbroken, tiny_run, tmp_path):
    former = signal.getsignal(number)
    with pytest.raises(Interrupted, match="resume it from"):
        tiny_run.train(
            tmp_path, extra=[tiny_run.SignalAt(number, epoch, step)] * (2 if number == signal.SIGTERM else 1)
        )
    assert signal.getsignal(number) is former
    last = json.loads((tmp_path / LAST).read_text())
    assert (last["epoch"], last["step"]) == saved
    # The time before it counts.
    (tmp_path / LAST).write_text(json.dumps({**last, "seconds": 7200}))
    tiny_run.train(tmp_path, resume=True)
    assert_same_runs(tmp_path, unbroken[0])
    cost = training_cost(load_card(tmp_path / BEST))
    assert (cost["hours"] >= 2 or epoch) and f"{os.cpu_count()} cores" in cost["machine"]


def test_a_second_ctrl_c_acts_at_once(tiny_run, tmp_path):
    with pytest.raises(KeyboardInterrupt) as raised:
        tiny_run.train(tmp_path, extra=[tiny_run.SignalAt(signal.SIGINT, 0, 2)] * 2)
    assert not isinstance(raised.value, Interrupted)
    assert not (tmp_path / LAST).exists()


def test_reader_processes_outlive_ctrl_c(unbroken, tiny_run, start_tiny_run, tmp_path):
    done = start_tiny_run(tmp_path, "Ctrl-C with reader processes")
    assert "Interrupted: stopped after 1 epochs and" in done.stderr
    # The readers inherit the handler and must not act on it.
    assert done.stderr.count("interrupted: the step") == 1
    tiny_run.train(tmp_path, resume=True)
    assert_same_runs(tmp_path, unbroken[0])


def test_a_finished_run_is_resumed_to_its_history(unbroken, tiny_run):
    folder, _, _, history = unbroken
    before = everything_of(folder)
    _, _, again = tiny_run.train(folder, resume=True)
    assert again == history
    assert everything_of(folder)[1] == before[1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"epochs": 2}, r"epochs \(2, was 3\)"),
        ({"task": {"sizes": ((0, 16),)}}, r"task.sizes \(\[\[0, 16\]\], was \[\[0, 8\]\]\)"),
        ({"seed": 1, "patience": 2}, r"patience \(2, was None\), seed \(1, was 9\)"),
    ],
)
def test_another_configuration_is_refused_by_name(changes, named, unbroken, tiny_run):
    with pytest.raises(ValueError, match=named):
        tiny_run.train(unbroken[0], resume=True, **changes)


def test_another_network_is_refused_and_a_run_is_not_overwritten(unbroken, tiny_run):
    other = tiny_run.TinyNet()
    other.classify = paddle.nn.Linear(24, 5)
    with pytest.raises(ValueError, match="classify.weight"):
        tiny_run.train(unbroken[0], resume=True, model=other)
    with pytest.raises(ValueError, match="expected a folder without a run, got .* 3 finished epochs: resume it"):
        tiny_run.train(unbroken[0])


# --- what a run does ---


def test_history_and_files(unbroken):
    folder, _, optimizer, history = unbroken
    assert [record["epoch"] for record in history] == [1, 2, 3]
    names = {"loss", "loss_label", "loss_size", "accuracy"}
    expected = {"epoch", "learning_rate", *(f"{part}_{name}" for name in names for part in ("train", "valid"))}
    assert all(set(record) == expected for record in history)
    for record in history:
        assert record["valid_loss"] == pytest.approx(record["valid_loss_label"] + record["valid_loss_size"])
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    # The cosine's end.
    assert history[-1]["learning_rate"] == optimizer.get_lr() == pytest.approx(0, abs=1e-9)
    names = {"best.json", BEST, "checkpoint-0003-000000.safetensors", "curves.json", "curves.png", LAST}
    assert {path.name for path in folder.iterdir()} == names
    card = load_card(folder / BEST)
    assert training_cost({name: card[name] for name in ("figures", "config")}) == {}  # an older run noted none


def test_the_best_weights_give_the_best_figure(unbroken, tiny_run):
    folder, _, _, history = unbroken
    model = tiny_run.TinyNet()
    load_into(model, load_arrays(folder / BEST))
    model.eval()
    card = load_card(folder / BEST)
    assert card["figures"] == min(history, key=lambda record: record["valid_loss"])
    images, labels = map(paddle.to_tensor, map(np.stack, zip(*(tiny_run.TinyData(7, False)[i] for i in range(7)))))
    total = sum(tiny_run.loss(model(images), labels).values())
    # Also: a second, smaller batch of three counts by its samples.
    assert float(total) == pytest.approx(card["figures"]["valid_loss"], rel=1e-5)


def test_a_smaller_last_batch_counts_by_its_samples():
    """Means over batches of 3 and 1: 3 of 4 samples are worth 1, one is worth 5."""
    batches = [(paddle.ones([3, 1]), paddle.ones([3])), (paddle.ones([1, 1]) * 5, paddle.ones([1]))]
    model = paddle.nn.Linear(1, 1)
    model.weight.set_value(np.float32([[1]]))
    optimizer = paddle.optimizer.SGD(0.0, parameters=model.parameters())

    def mean(outputs, targets):
        return outputs.mean()

    config = FitConfig(1, monitor="train_loss")
    (record,) = fit(model, mean, {"train": batches}, optimizer, {"mean": mean}, config=config)
    assert record == {"epoch": 1, "learning_rate": 0.0, "train_loss": 2.0, "train_mean": 2.0}


def test_validate_sees_the_average_in_eval_mode(tiny_run):
    """And the next step goes on from the plain weights, in training mode."""
    seen = []

    def validate(model):
        seen.append((model.training, model.features[0].weight.numpy().copy()))
        return {"score": float(len(seen))}

    class Watch(Callback):
        def on_step_end(self, run):
            assert run.model.training

        def on_epoch_end(self, run):
            average = run.average.arrays()["features.0.weight"]
            np.testing.assert_array_equal(average, seen[-1][1])
            assert not np.array_equal(average, run.model.features[0].weight.numpy())

    model = tiny_run.TinyNet()
    config = FitConfig(2, ema_decay=0.9, monitor="valid_score", mode="max")
    loaders = {"train": tiny_run.make_loaders()["train"]}
    optimizer = tiny_run.make_optimizer(model)
    run = {"config": config, "options": RunOptions(callbacks=[Watch()]), "validate": validate}
    history = fit(model, tiny_run.loss, loaders, optimizer, **run)
    assert [record["valid_score"] for record in history] == [1.0, 2.0]
    assert not any(training for training, _ in seen)


def test_outside_the_main_thread(tiny_run):
    """Python allows signal handlers in the main thread alone."""
    histories = []
    thread = threading.Thread(target=lambda: histories.append(tiny_run.train(None, epochs=1)[2]))
    thread.start()
    thread.join()
    assert len(histories[0]) == 1


# --- what it stops at ---


@pytest.mark.parametrize(
    ("figures", "validate_every", "config", "epochs"),
    [
        # mode max, patience 2: epochs 4 and 5 do not better the third
        ([1, 2, 3, 3, 2, 9, 9, 9, 9], 1, {"mode": "max", "patience": 2}, 5),
        # the same as losses
        ([3, 2, 1, 1, 2, 0, 0, 0, 0], 1, {"mode": "min", "patience": 2}, 5),
        # always better: to the end
        (range(9), 1, {"mode": "max", "patience": 1}, 9),
        # no patience: to the end
        ([9, 8, 7, 6, 5, 4, 3, 2, 1], 1, {"mode": "max"}, 9),
        # measured at epochs 3, 6, 9 only: nothing to compare before the third; the sixth is no better
        ([5, 4, 9], 3, {"mode": "max", "patience": 2}, 6),
        # not before the figure is measured again, though five epochs have passed
        ([5, 6], 5, {"mode": "max", "patience": 1}, 9),
        # NaN is never the best, not even the first
        ([math.nan, 1, math.nan, math.nan, 9], 1, {"mode": "max", "patience": 2}, 4),
        ([math.nan, math.nan, math.nan], 1, {"mode": "min", "patience": 2}, 2),
    ],
)
def test_early_stopping(figures, validate_every, config, epochs, tiny_run):
    values, model = iter(figures), tiny_run.TinyNet()
    config = FitConfig(9, monitor="valid_score", validate_every=validate_every, **config)
    optimizer = tiny_run.make_optimizer(model, epochs=9)
    run = {"config": config, "validate": lambda model: {"score": next(values)}}
    history = fit(model, tiny_run.loss, {"train": BATCH, "valid": BATCH}, optimizer, **run)
    assert len(history) == epochs
    for record in history:
        is_due = record["epoch"] % validate_every == 0 or record["epoch"] == 9
        assert ("valid_score" in record, "valid_loss" in record) == (is_due, is_due)


SCHEDULES = {  # of epochs of 5 steps
    "cosine": lambda epochs: make_schedule("cosine", 0.02, epochs * 5, warmup_steps=3),
    "one_cycle": lambda epochs: make_schedule("one_cycle", 0.02, epochs * 5),
    "multi_step": lambda epochs: make_schedule("multi_step", 0.02, epochs * 5, [4, 12]),
    "plateau": lambda epochs: make_schedule("plateau", 0.02, epochs * 5, [1]),
    "constant": lambda epochs: 0.02,
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("ended", ["at its end", "early"])
def test_an_ended_run_goes_on_for_more_epochs(name, ended, tiny_run, tmp_path):
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


def test_what_fails_while_it_measures_costs_no_epoch(tiny_run, tmp_path):
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


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_and_names_the_batch(value, tiny_run, tmp_path, monkeypatch):
    calls = []

    def loss(outputs, targets):
        if outputs.stop_gradient:  # validation
            return {"label": outputs.sum() * 0}
        calls.append(1)
        # the eighth training step is the third of the second epoch
        return {"label": outputs.mean(), "bad": outputs.mean() * 0 + (value if len(calls) == 8 else 0.0)}

    monkeypatch.setattr(tiny_run, "loss", loss)
    ended = []

    class End(Callback):
        def on_fit_end(self, run):
            ended.append(run.done_steps)

    with pytest.raises(NonFiniteLoss) as raised:
        tiny_run.train(tmp_path, extra=[End()])
    samples = tiny_run.make_loaders()["train"].batch_sampler.batch(1, 2)
    message = str(raised.value)
    assert f"in epoch 2, step 3, samples {samples}" in message and f"loss_bad {value}" in message
    assert "\n" not in message
    assert ended == [7]
    # The last checkpoint stands, and the run goes on from it.
    assert json.loads((tmp_path / LAST).read_text())["epoch"] == 1
    assert len(tiny_run.train(tmp_path, resume=True)[2]) == 3


# --- what it refuses ---


@pytest.mark.parametrize(
    ("loaders", "arguments", "says"),
    [
        ({"train": []}, {}, "expected a loader 'train' with a length of at least one batch"),
        ({"train": iter(BATCH)}, {}, "expected a loader 'train' with a length"),  # gone after one epoch
        ({"valid": BATCH}, {}, "expected the loaders train"),
        ({"train": BATCH}, {}, "'valid_loss' needs, got neither"),
        ({"train": BATCH, "valid": BATCH}, {"task": {"x": np.float32(1)}}, "JSON values in task"),
    ],
)
def test_wrong_arguments_fail_before_the_first_step(loaders, arguments, says, tiny_run):
    model = tiny_run.TinyNet()
    with pytest.raises(ValueError, match=says):
        fit(model, tiny_run.loss, loaders, None, config=FitConfig(1), **arguments)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"epochs": 0}, "epochs >= 1"),
        ({"epochs": 1, "mode": "best"}, "mode 'min' or 'max', got 'best'"),
        ({"epochs": 1, "patience": 0}, "patience >= 1 or None, got 0"),
        ({"epochs": 1, "validate_every": 0}, "validate_every and accumulate >= 1, got 0 and 1"),
        ({"epochs": 1, "sam_radius": math.nan}, "expected sam_radius >= 0, got nan"),
        ({"epochs": 2, "swa_start": -1}, "expected swa_start of 0 to 1"),
        ({"epochs": 2, "swa_start": 1, "ema_decay": 0.9}, "no ema_decay beside it"),
    ],
)
def test_a_wrong_configuration(fields, says):
    with pytest.raises(ValueError, match=says):
        FitConfig(**fields)
