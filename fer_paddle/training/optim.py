"""Optimizers and learning-rate schedules over Paddle's; every schedule is counted in steps.

Sources: cosine from Loshchilov and Hutter 2017, arXiv:1608.03983; warm-up from Goyal et al. 2017, arXiv:1706.02677;
one cycle from Smith and Topin 2018, arXiv:1708.07120.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.files import check_integer, check_number
from fer_paddle.training.config import StagedRecipe

SCHEDULES = ("constant", "step", "multi_step", "halve", "cosine", "one_cycle", "plateau")
_POINTS = {"step": 1, "halve": 1, "plateau": 1}  # of multi_step one or more, of the others none
_LEAST_CYCLE = 10


def make_schedule(
    name: str,
    peak: float,
    total_steps: int,
    points: Sequence[int] = (),
    factor: float = 0.1,
    warmup_steps: int = 0,
    mode: str = "max",
) -> Any:
    """Make a schedule for an optimizer that `loop.fit` advances.

    | name | after the warm-up |
    |---|---|
    | constant | stays |
    | step | times `factor` every `points[0]` steps |
    | halve | times 1/2 every `points[0]` steps |
    | multi_step | times `factor` at each of `points`, counted from the run's first step |
    | cosine | falls to zero along a half cosine |
    | one_cycle | rises from peak / 25 for 30 % of the run, then falls to peak / 10000; it is its own warm-up |
    | plateau | times `factor` when the monitored figure was no better for more than `points[0]` measured epochs |

    Args:
        peak: The highest rate.
        total_steps: Steps of the whole run.
        factor: Above 0 and below 1.
        warmup_steps: Steps of linear rise from zero.
        mode: For plateau: `max` where a larger figure is better, else `min`.

    Returns:
        A Paddle schedule, or `peak` itself where nothing changes it.

    Raises:
        ValueError: The name is unknown, a number is none, or the points, the factor or the warm-up do not fit it.
    """
    check_number("peak", peak)
    for steps in (total_steps, warmup_steps, *points):
        check_integer("a number of steps", steps)
    check_schedule(name, points, factor, warmup_steps > 0)
    schedules = paddle.optimizer.lr
    rest = max(total_steps - warmup_steps, 1)
    if name == "plateau":
        return schedules.ReduceOnPlateau(peak, mode=mode, factor=factor, patience=points[0])
    if name == "one_cycle":
        if total_steps < _LEAST_CYCLE:
            raise ValueError(f"expected {_LEAST_CYCLE} steps or more for one_cycle, got {total_steps}")
        return schedules.OneCycleLR(peak, total_steps, end_learning_rate=peak / 10_000)
    rate: Any = peak
    if name in ("step", "halve"):
        rate = schedules.StepDecay(peak, points[0], gamma=0.5 if name == "halve" else factor)
    elif name == "multi_step":
        rate = schedules.MultiStepDecay(peak, [point - warmup_steps for point in points], gamma=factor)
    elif name == "cosine":
        rate = schedules.CosineAnnealingDecay(peak, T_max=rest)
    return schedules.LinearWarmup(rate, warmup_steps, 0.0, peak) if warmup_steps else rate


def rates_of(schedule: Any, steps: int) -> list[float]:
    """Return the rate of each of the first steps of a schedule, which is advanced."""
    rates = []
    for _ in range(steps):
        rates.append(float(schedule()))
        schedule.step()
    return rates


def schedule_after(steps: int, optimizer: paddle.optimizer.Optimizer, former: Any) -> Any:
    """Return the state of a new optimizer's schedule after some steps; of a plateau, which counts none, the former."""
    schedule = optimizer._learning_rate
    if isinstance(schedule, paddle.optimizer.lr.ReduceOnPlateau):
        return former
    for _ in range(steps):
        schedule.step()
    return optimizer.state_dict()["LR_Scheduler"]


def check_schedule(name: str, points: Sequence[float], factor: float, has_warmup: bool) -> None:
    """Raise ValueError where `make_schedule` could not make such a schedule."""
    if name not in SCHEDULES:
        raise ValueError(f"expected a schedule of {', '.join(SCHEDULES)}, got {name!r}")
    fits = len(points) >= 1 if name == "multi_step" else len(points) == _POINTS.get(name, 0)
    if not fits or any(point <= 0 for point in points) or list(points) != sorted(set(points)):
        wanted = "one or more rising points" if name == "multi_step" else f"{_POINTS.get(name, 0)} points above 0"
        raise ValueError(f"expected {wanted} for the schedule {name}, got {list(points)}")
    if not 0 < factor < 1:
        raise ValueError(f"expected a factor between 0 and 1, got {factor}")
    if has_warmup and name in ("one_cycle", "plateau"):
        raise ValueError(f"expected no warm-up for the schedule {name}, got one")


def adamw(model: paddle.nn.Layer, rate: Any, weight_decay: float, grad_clip: Any = None) -> paddle.optimizer.AdamW:
    """Make AdamW over a model; only weights of two axes or more decay, not biases and batch normalization."""
    matrices = {parameter.name for parameter in model.parameters() if parameter.ndim > 1}
    return paddle.optimizer.AdamW(
        rate,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=matrices.__contains__,
        grad_clip=grad_clip,
    )


def cosine_adamw(
    model: paddle.nn.Layer, recipe: StagedRecipe, steps_per_epoch: int, grad_clip: Any = None
) -> paddle.optimizer.AdamW:
    """Make AdamW for a recipe whose rate rises over its warm-up and falls as a half cosine, counted in steps."""
    warmup_steps = math.ceil(recipe.warmup_epochs * steps_per_epoch)
    rate = make_schedule("cosine", recipe.learning_rate, recipe.epochs * steps_per_epoch, warmup_steps=warmup_steps)
    return adamw(model, rate, recipe.weight_decay, grad_clip)


def momentum(model: paddle.nn.Layer, rate: Any, weight_decay: float) -> paddle.optimizer.Momentum:
    """Make SGD with Nesterov's momentum 0.9 over a model; the decay is an L2 penalty on all weights."""
    return paddle.optimizer.Momentum(
        rate, momentum=0.9, parameters=model.parameters(), weight_decay=weight_decay or None, use_nesterov=True
    )
