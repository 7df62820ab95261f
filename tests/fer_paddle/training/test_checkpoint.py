"""Checkpoint files: what is in them, what survives a kill, what is said of a damaged one.

That a run resumes bit for bit stands in test_resume.py.
"""

import json

import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.checkpoint import (
    LAST,
    load_progress,
    optimizer_arrays,
    read_config,
    restore_checkpoint,
    restore_optimizer,
    save_checkpoint,
)
from fer_paddle.training.config import FitConfig
from fer_paddle.weights import state_arrays

PROGRESS = {"epoch": 1, "step": 2, "stopped": False, "means": {}, "history": [], "config": {}, "task": {}}


def make_run(rate=0.1):
    """A network and an optimizer that has made one step."""
    model = paddle.nn.Sequential(paddle.nn.Linear(3, 4), paddle.nn.Linear(4, 2))
    optimizer = paddle.optimizer.Adam(rate, parameters=model.parameters())
    step(model, optimizer)
    return model, optimizer


def step(model, optimizer):
    with paddle.utils.unique_name.guard():
        (model(paddle.ones([2, 3])) ** 2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()


def test_only_the_last_checkpoint_stays(tmp_path):
    model, optimizer = make_run()
    # what kills in the middle of a write leave, and files that are not ours
    left = (".checkpoint-0001-000000.safetensors.4200000.tmp", ".best.safetensors.4200000.tmp")
    for name in (*left, "notes.txt", "best.safetensors"):
        (tmp_path / name).write_text("x")
    for number in (1, 2):
        save_checkpoint(tmp_path, state_arrays(model), model, optimizer, None, {**PROGRESS, "epoch": number})
    expected = {LAST, "checkpoint-0002-000002.safetensors", "notes.txt", "best.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"epoch": 1', "expected JSON in"),
        ("[]", "expected a JSON object in .*, got list"),
        ('{"epoch": 1, "step": 0}', "expected a checkpoint with the fields config, epoch"),
    ],
)
def test_a_damaged_json(text, says, tmp_path):
    (tmp_path / LAST).write_text(text)
    with pytest.raises(ValueError, match=says):
        load_progress(tmp_path)
    for config in (3, {"x": 1}):
        with pytest.raises(ValueError, match=r"expected the fields of FitConfig, got others: .* in .*last.json"):
            read_config(FitConfig, {"config": config}, tmp_path)
    (tmp_path / LAST).unlink()
    with pytest.raises(FileNotFoundError, match="expected a checkpoint to resume at"):
        load_progress(tmp_path)


def test_a_truncated_tensor_file(tmp_path):
    model, optimizer = make_run()
    save_checkpoint(tmp_path, state_arrays(model), model, optimizer, None, PROGRESS)
    path = tmp_path / json.loads((tmp_path / LAST).read_text())["tensors"]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="expected a whole safetensors file"):
        restore_checkpoint(tmp_path, load_progress(tmp_path), model, optimizer, None)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="found none at"):
        restore_checkpoint(tmp_path, load_progress(tmp_path), model, optimizer, None)


@pytest.mark.parametrize(
    ("rate", "schedule", "has"),
    [(0.1, {"last_epoch": 1, "last_lr": 0.1}, "with"), (paddle.optimizer.lr.StepDecay(0.1, 2), None, "without")],
)
def test_a_schedule_on_one_side_only(rate, schedule, has):
    model, optimizer = make_run(rate)
    with pytest.raises(ValueError, match=f"expected an optimizer {has} a learning-rate schedule"):
        restore_optimizer(model, optimizer, optimizer_arrays(model, optimizer), schedule)
