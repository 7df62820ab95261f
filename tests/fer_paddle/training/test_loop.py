"""fit: what it does and keeps, what it stops at, and what it refuses."""

import json
import math
import threading

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.loop import BEST, Callback, FitConfig, NonFiniteLoss, RunOptions, fit
from fer_paddle.training.run import best_record
from fer_paddle.weights import load_arrays, load_card, load_into
from tests.fer_paddle.training import tiny_run

BATCH = [(paddle.zeros([2, 1, 8, 8]), paddle.to_tensor([0, 1]))]


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


def test_the_best_weights_give_the_best_figure(unbroken):
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


def test_validate_sees_the_average_in_eval_mode():
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


def test_outside_the_main_thread():
    """Python allows signal handlers in the main thread alone."""
    histories = []
    thread = threading.Thread(target=lambda: histories.append(tiny_run.train(None, epochs=1)[2]))
    thread.start()
    thread.join()
    assert len(histories[0]) == 1


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
    ],
)
def test_early_stopping(figures, validate_every, config, epochs):
    values, model = iter(figures), tiny_run.TinyNet()
    config = FitConfig(9, monitor="valid_score", validate_every=validate_every, **config)
    optimizer = tiny_run.make_optimizer(model, epochs=9)
    run = {"config": config, "validate": lambda model: {"score": next(values)}}
    history = fit(model, tiny_run.loss, {"train": BATCH, "valid": BATCH}, optimizer, **run)
    assert len(history) == epochs
    for record in history:
        is_due = record["epoch"] % validate_every == 0 or record["epoch"] == 9
        assert ("valid_score" in record, "valid_loss" in record) == (is_due, is_due)


def test_a_figure_that_is_not_finite_is_resumed_as_none(tmp_path):
    def train(epochs, values, resume):
        model = tiny_run.TinyNet()
        config = FitConfig(epochs, monitor="valid_score", mode="max", patience=3)
        optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
        run = {"config": config, "validate": lambda model: {"score": next(values)}}
        options = RunOptions(tmp_path, resume)
        return fit(model, tiny_run.loss, {"train": BATCH, "valid": BATCH}, optimizer, options=options, **run)

    for resume in (False, True):  # weights that no figure has chosen are not answered in silence
        with pytest.raises(
            NonFiniteLoss, match="expected a finite valid_score in one epoch or more, got none in 2 epochs"
        ):
            train(2, iter([math.nan, math.inf]), resume)
    history = train(6, iter([2, 3, math.nan, 1]), resume=True)
    assert [record["valid_score"] for record in history[:4]] == [None, None, 2, 3] and len(history) == 6
    assert load_card(tmp_path / BEST)["figures"] == best_record(history, FitConfig(6, 0, "valid_score", "max"))
    assert best_record(history, FitConfig(6, 0, "valid_score", "max"))["epoch"] == 4
    json.loads((tmp_path / LAST).read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_and_names_the_batch(value, tmp_path, monkeypatch):
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


def test_weights_that_are_not_finite_are_neither_measured_nor_kept(tmp_path, monkeypatch):
    """The loss of the last step of the second epoch is 0, and its gradient 0 * inf."""
    steps = []

    def loss(outputs, targets):
        steps.append(outputs.stop_gradient)
        return (outputs * 0).sum().sqrt() if steps.count(False) == 2 * tiny_run.STEPS else outputs.mean()

    monkeypatch.setattr(tiny_run, "loss", loss)
    with pytest.raises(NonFiniteLoss, match="expected finite weights after 10 steps, got others in features.0.weight"):
        tiny_run.train(tmp_path)
    assert json.loads((tmp_path / LAST).read_text())["epoch"] == load_card(tmp_path / BEST)["figures"]["epoch"] == 1
    assert len(tiny_run.train(tmp_path, resume=True)[2]) == 3


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
def test_wrong_arguments_fail_before_the_first_step(loaders, arguments, says):
    model = tiny_run.TinyNet()
    with pytest.raises(ValueError, match=says):
        fit(model, tiny_run.loss, loaders, None, config=FitConfig(1), **arguments)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"epochs": 0}, "epochs of 1 or more, got 0"),
        ({"epochs": 1, "mode": "best"}, "mode 'min' or 'max', got 'best'"),
        ({"epochs": 1, "patience": 0}, "patience of 1 or more, got 0"),
        ({"epochs": 1, "validate_every": 0}, "validate_every of 1 or more, got 0"),
        ({"epochs": 1, "sam_radius": math.nan}, "expected sam_radius of 0 or more, got nan"),
        ({"epochs": 2, "swa_start": -1}, "expected swa_start of 0 to 1"),
        ({"epochs": 2, "swa_start": 0.5}, "expected swa_start of 0 to 1"),
        ({"epochs": 2.5}, "expected an integer as epochs, got 2.5"),
        ({"epochs": 2, "ema_decay": 1}, r"expected an ema_decay in \[0, 1\), got 1"),
        ({"epochs": 2, "swa_start": 1, "ema_decay": 0.9}, "no ema_decay beside it"),
    ],
)
def test_a_wrong_configuration(fields, says):
    with pytest.raises(ValueError, match=says):
        FitConfig(**fields)
