"""Checkpoints that resume a run bit for bit: safetensors for the tensors, JSON for the rest.

The tensors of an epoch go to a file of their own; `last.json` names that file and is renamed into place last.
A kill at any moment leaves the former checkpoint whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fer_paddle import files
from fer_paddle.environment import paddle
from fer_paddle.training.config import FitConfig, StagedRecipe
from fer_paddle.training.ema import EMA
from fer_paddle.weights import load_arrays, load_into, save_arrays

LAST = "last.json"
_Recipe = TypeVar("_Recipe", bound=StagedRecipe)
_Config = TypeVar("_Config", bound=FitConfig)
_MODEL, _AVERAGE, _OPTIMIZER = "model.", "average.", "optimizer."


def save_checkpoint(
    folder: Path,
    weights: Mapping[str, np.ndarray],
    model: paddle.nn.Layer,
    optimizer: paddle.optimizer.Optimizer,
    average: EMA | None,
    progress: dict[str, Any],
) -> None:
    """Write the checkpoint of a run, `weights` of its model and `progress` as JSON, and remove the former one."""
    tensors = {_MODEL + name: array for name, array in weights.items()}
    tensors |= {_OPTIMIZER + name: array for name, array in optimizer_arrays(model, optimizer).items()}
    tensors |= {_AVERAGE + name: array for name, array in ({} if average is None else average.arrays()).items()}
    name = f"checkpoint-{progress['epoch']:04d}-{progress['step']:06d}.safetensors"
    save_arrays(folder / name, tensors)
    schedule = optimizer.state_dict().get("LR_Scheduler")
    files.write_json(folder / LAST, {"tensors": name, "schedule": schedule, **progress})
    for former in folder.glob("checkpoint-*.safetensors"):
        if former.name != name:
            former.unlink()


def load_progress(folder: Path) -> dict[str, Any]:
    """Read the JSON part of the last checkpoint; FileNotFoundError, ValueError where there is none of ours."""
    path = folder / LAST
    progress = files.read_json(path, "a checkpoint to resume")
    fields = {"tensors", "schedule", "epoch", "step", "stopped", "means", "history", "config", "task"}
    if not fields <= progress.keys():
        raise ValueError(f"expected a checkpoint with the fields {', '.join(sorted(fields))} in {path}")
    return progress


def load_begun(folder: Path, resume: bool) -> dict[str, Any] | None:
    """Read the progress of the run in a folder, None without one; ValueError where it is not to be resumed."""
    if not (folder / LAST).is_file():
        return None
    progress = load_progress(folder)
    if not resume:
        raise ValueError(
            f"expected a folder without a run, got {folder} with one of {progress['epoch']} finished epochs: "
            "resume it or choose another folder"
        )
    return progress


def with_stages_begun(recipe: _Recipe, folder: Path, resume: bool) -> _Recipe:
    """Return the recipe of a run; of one that goes on for more epochs with the stages that it began with."""
    begun = load_begun(folder, resume)
    return recipe if begun is None else recipe.as_longer(read_config(type(recipe), begun, folder))


def read_config(kind: type[_Config], progress: dict[str, Any], folder: Path) -> _Config:
    """Return the configuration of a checkpoint; ValueError where it is of another kind, or of another version."""
    try:
        return kind.from_json(progress["config"])
    except ValueError as error:
        raise ValueError(f"{error} in {folder / LAST}") from error


def restore_checkpoint(
    folder: Path,
    progress: dict[str, Any],
    model: paddle.nn.Layer,
    optimizer: paddle.optimizer.Optimizer,
    average: EMA | None,
) -> None:
    """Set network, optimizer, schedule and average to what `save_checkpoint` wrote; ValueError where of others."""
    tensors = load_arrays(folder / progress["tensors"])

    def part(prefix: str) -> dict[str, np.ndarray]:
        return {name[len(prefix) :]: array for name, array in tensors.items() if name.startswith(prefix)}

    load_into(model, part(_MODEL))
    restore_optimizer(model, optimizer, part(_OPTIMIZER), progress["schedule"])
    if average is not None:
        average.load(part(_AVERAGE))


def optimizer_arrays(model: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer) -> dict[str, np.ndarray]:
    """Copy the optimizer's moments, by names such as `stem.0.weight:moment1_0`.

    Paddle names them by a process-wide counter (`conv2d_7.w_0_moment1_0`), which another process need not share.
    """
    arrays, state = {}, optimizer.state_dict()
    for structured, parameter in model.named_parameters():
        prefix = parameter.name + "_"
        for key, value in state.items():
            if key.startswith(prefix) and isinstance(value, paddle.Tensor):
                arrays[f"{structured}:{key[len(prefix) :]}"] = value.numpy().copy()
    return arrays


def restore_optimizer(
    model: paddle.nn.Layer,
    optimizer: paddle.optimizer.Optimizer,
    arrays: dict[str, np.ndarray],
    schedule: dict[str, Any] | None,
) -> None:
    """Set what `optimizer_arrays` copied, and the state of the learning-rate schedule where there is one.

    Paddle gives the moments to the optimizer by name when it makes them, in its first step. The loop runs
    that step in a `unique_name.guard`, which numbers them as `optimizer_arrays` found them.
    """
    has_schedule = isinstance(optimizer._learning_rate, paddle.optimizer.lr.LRScheduler)
    if has_schedule != (schedule is not None):
        raise ValueError(
            f"expected an optimizer {'with' if schedule else 'without'} a learning-rate schedule, "
            "as the checkpoint has, got another"
        )
    names = {structured: parameter.name for structured, parameter in model.named_parameters()}
    state: dict[str, Any] = {}
    for key, array in arrays.items():
        structured, suffix = key.split(":")
        state[f"{names[structured]}_{suffix}"] = paddle.to_tensor(array)
    if schedule is not None:
        state["LR_Scheduler"] = schedule
    with warnings.catch_warnings():
        # LinearWarmup keeps the schedule after it among its own state, and Paddle warns of that.
        warnings.filterwarnings("ignore", message="There are some unused values in state_dict")
        optimizer.set_state_dict(state)
