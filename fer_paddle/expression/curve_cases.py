"""Five shapes of training and test loss, each made by a real short run.

Source: the course's notes on convolutional networks, "Curves".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fer_paddle.environment import seed_everything
from fer_paddle.expression.data.faces import LabelledFaces, split_faces
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import head_arguments, train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.training.augment import AugmentConfig
from fer_paddle.training.loop import Callback, RunOptions

FLAT = 0.1  # a loss that changes less is flat; guessing among seven costs ln 7 = 1.95
_SIDE = ((0, 32),)
_FLIP = AugmentConfig(flip=0.5, shift=0.05)
_PLAIN = Recipe(
    name="curves", epochs=10, batch_size=32, sizes=_SIDE, valid_sizes=_SIDE, learning_rate=3e-4, augment=_FLIP
)


@dataclasses.dataclass(frozen=True)
class CurveCase:
    """One of the five cases."""

    name: str
    title: str  # English and Chinese
    train: str  # what the training loss does: `falls`, `flat` or `rises`
    test: tuple[str, ...]  # what the test loss may do
    meaning: str
    remedy: str
    made_by: str  # how this run was made
    recipe: Recipe
    wrong_labels: float = 0.0  # ratio of the training labels that are drawn at random
    faces: int | None = None  # to train on; None takes all


CASES = (
    CurveCase(
        "learning", "still learning 仍在学习", "falls", ("falls",),
        "the network learns, and what it learns holds for new faces", "go on", "a low rate and few epochs", _PLAIN,
    ),
    CurveCase(
        "overfitting", "overfitting 过拟合", "falls", ("flat", "rises"),
        "it learns the training faces by heart",
        "more data, augmentation, weight decay, a smaller network, an earlier stop",
        "140 faces without augmentation",
        dataclasses.replace(_PLAIN, epochs=20, batch_size=14, learning_rate=3e-3, augment=AugmentConfig()), faces=140,
    ),
    CurveCase(
        "wrong_data", "the data are wrong 数据有问题", "flat", ("falls",),
        "the training labels cannot be learned, the test labels can",
        "look at labels, readers and splits",
        "half of the training labels drawn at random",
        dataclasses.replace(
            _PLAIN, epochs=12, learning_rate=1e-3,
            ema_decay=0.98,  # wrong labels pull every step elsewhere
            augment=AugmentConfig(flip=0.5, shift=0.08, rotate_deg=15, scale=0.15),  # no wrong label learned by heart
        ),
        wrong_labels=0.5,
    ),
    CurveCase(
        "stuck", "stuck 学习遇到瓶颈", "flat", ("flat",),
        "the steps lead nowhere",
        "change the rate (range test), the batch or the decay; first learn one batch by heart",
        "a weight decay that wipes out what each step learns",
        dataclasses.replace(_PLAIN, optimizer="adamw", learning_rate=0.01, weight_decay=50.0),
    ),
    CurveCase(
        "wrong_settings", "design or settings are wrong 结构、参数或数据有问题", "rises", ("rises",),
        "every step does harm",
        "check signs, loss and normalization; lower the rate",
        "a weight decay with the wrong sign: the weights grow with every step",
        dataclasses.replace(_PLAIN, optimizer="adamw", weight_decay=-27.0),
    ),
)  # fmt: skip


def run_case(
    case: CurveCase,
    train: LabelledFaces,
    test: LabelledFaces,
    model: str = "resnet18_tiny",
    folder: Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, float]]:
    """Train one case, or go on with the run in the folder; `model` is a name of DESIGNS. Return the history."""
    faces = spoil_labels(train, case.wrong_labels, case.recipe.seed)
    if case.faces is not None and case.faces < len(faces):
        faces = split_faces(faces, case.faces / len(faces), case.recipe.seed)[1]
    name, arguments = find_design(model, head_arguments(train))
    seed_everything(case.recipe.seed)
    options = RunOptions(folder, True, callbacks)
    return train_expressions(build_model(name, **arguments), faces, test, case.recipe, options)


def spoil_labels(faces: LabelledFaces, ratio: float, seed: int) -> LabelledFaces:
    """Draw a ratio of the labels at random; some are right by chance."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(faces.classes), len(faces))
    return dataclasses.replace(faces, labels=np.where(rng.random(len(faces)) < ratio, drawn, faces.labels))


def trend(values: Sequence[float]) -> str:
    """Say whether a curve `falls`, is `flat` or `rises`: the mean of its last third against the first third."""
    third = max(len(values) // 3, 1)
    change = float(np.mean(values[-third:]) - np.mean(values[:third]))
    return "flat" if abs(change) < FLAT else "falls" if change < 0 else "rises"


def judge(case: CurveCase, history: Sequence[Mapping[str, float]]) -> dict[str, object]:
    """Compare a run with what its case should show: `train`, `test` and whether they are `as_expected`."""
    train, test = (trend([record[name] for record in history]) for name in ("train_loss", "valid_loss"))
    return {"train": train, "test": test, "as_expected": train == case.train and test in case.test}


def draw_cases(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw training and test loss of the cases (name -> history) side by side."""
    figure = Figure(figsize=(2.6 * len(histories), 2.8), layout="constrained")
    for axis, (name, history) in zip(np.atleast_1d(figure.subplots(1, len(histories))), histories.items()):
        epochs = [record["epoch"] for record in history]
        for key, color, label in (("train_loss", "tab:blue", "training"), ("valid_loss", "tab:orange", "test")):
            axis.plot(epochs, [record[key] for record in history], "o-", color=color, markersize=3, label=label)
        low, high = axis.get_ylim()
        if high - low < 6 * FLAT:  # else a flat curve fills the height and seems to move
            axis.set_ylim((low + high) / 2 - 3 * FLAT, (low + high) / 2 + 3 * FLAT)
        axis.set(xlabel="epoch", title=name.replace("_", " "))
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("loss")
    figure.axes[0].legend(fontsize=8)
    return figure
