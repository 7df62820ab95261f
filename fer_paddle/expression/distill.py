"""Knowledge distillation: a small network learns from the answers of a large one, and from what lies within it.

The teacher's probabilities, softened by a temperature, say more than a label: how much a sad face looks afraid. The
shared training loop runs it, with the recipes of plain training.

Sources: Hinton et al. 2015, arXiv:1503.02531, section 2; hints from Romero et al. 2015 (FitNets), arXiv:1412.6550,
section 2.2; teacher and student see the same augmented faces, as in Beyer et al. 2022, arXiv:2106.05237.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fer_paddle.environment import paddle
from fer_paddle.expression.data.mixup import mixed_loss
from fer_paddle.expression.files import save_model
from fer_paddle.expression.losses import accuracy
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.teacher import Tap, Teacher
from fer_paddle.expression.train import Faces, make_config, make_loaders, make_loss, make_optimizer
from fer_paddle.training import parallel
from fer_paddle.training.loop import BEST, Callback, fit
from fer_paddle.training.run import training_cost
from fer_paddle.weights import load_arrays, load_card, load_into

nn, functional = paddle.nn, paddle.nn.functional
_STUDENT = "network."


@dataclasses.dataclass(frozen=True)
class DistillSettings:
    """What the student takes from the teacher.

    Attributes:
        temperature: Softens both answers; 1 takes them as they are.
        soft_weight: Weight of the teacher's answers, 0 to 1; the labels keep the rest.
        hint_weight: Weight of the hints, 0 or more; 0 takes none.
        teacher_layer: Layer of the teacher that gives the hint, by name.
        student_layer: Layer of the student that is to match it.

    Raises:
        ValueError: A number is out of its range.
    """

    temperature: float = 4.0
    soft_weight: float = 0.7
    hint_weight: float = 0.0
    teacher_layer: str = "pool"
    student_layer: str = "pool"

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not 0 <= self.soft_weight <= 1 or not self.hint_weight >= 0:
            raise ValueError(
                "expected a temperature above 0, soft_weight from 0 to 1 and hint_weight of 0 or more, "
                f"got {self.temperature}, {self.soft_weight} and {self.hint_weight}"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return dataclasses.asdict(self)


class Answers(NamedTuple):
    """What student and teacher say of a batch.

    Attributes:
        logits: The student's, float32 [N, C].
        shares: The teacher's softened probabilities, float32 [N, C].
        hint: What the student makes of the teacher's layer, or None.
        teacher_hint: That layer, in the same shape, or None.
    """

    logits: paddle.Tensor
    shares: paddle.Tensor
    hint: paddle.Tensor | None
    teacher_hint: paddle.Tensor | None


class Student(nn.Layer):
    """A network in training beside its teacher; in eval mode it is the network alone.

    Args:
        network: The network to train.
        teacher: The teacher.
        settings: What to take from it.
        size: Side of the training faces in pixels, from which the sizes of the hint layers follow.

    Raises:
        ValueError: The classes differ, a layer is unknown, or hints are asked of several teachers.
    """

    def __init__(self, network: nn.Layer, teacher: Teacher, settings: DistillSettings, size: int):
        if network.num_classes != teacher.num_classes:
            raise ValueError(f"expected a teacher of {network.num_classes} classes, got one of {teacher.num_classes}")
        if settings.hint_weight and len(teacher.networks) > 1:
            raise ValueError(f"expected one teacher to give hints, got {len(teacher.networks)}")
        super().__init__()
        self.network = network
        self._teacher, self._settings, self._taps = teacher, settings, ()
        if settings.hint_weight:
            self._taps = (Tap(network, settings.student_layer), Tap(teacher.networks[0], settings.teacher_layer))
            ours, theirs = self._hint_channels(size)
            self.regressor = nn.Conv2D(ours, theirs, 1)

    def forward(self, images: paddle.Tensor) -> Answers | paddle.Tensor:
        """float32 [N, 1, H, W] -> Answers in training, logits [N, C] in eval mode."""
        logits = self.network(images)
        if not self.training:
            for tap in self._taps:
                tap.take()
            return logits
        shares = self._teacher.shares(images, self._settings.temperature)
        if not self._taps:
            return Answers(logits, shares, None, None)
        ours, theirs = (_as_maps(tap.take()) for tap in self._taps)
        side = min(ours.shape[2], theirs.shape[2])
        hint = functional.adaptive_avg_pool2d(self.regressor(ours), side)
        return Answers(logits, shares, hint, functional.adaptive_avg_pool2d(theirs, side))

    def close(self) -> None:
        """Takes the hooks out of both networks."""
        for tap in self._taps:
            tap.close()

    @paddle.no_grad()
    def _hint_channels(self, size: int) -> list[int]:
        """Channels of both hint layers, from a pass over one black face that leaves no trace."""
        images, was_training = paddle.zeros([1, 1, size, size]), self.network.training
        self.network.eval()
        self.network(images)
        self._teacher.shares(images)
        if was_training:
            self.network.train()
        return [_as_maps(tap.take()).shape[1] for tap in self._taps]


def _as_maps(features: paddle.Tensor) -> paddle.Tensor:
    """[N, F] -> [N, F, 1, 1]; maps [N, K, h, w] stay."""
    return features if features.ndim == 4 else features.reshape([features.shape[0], -1, 1, 1])


class DistillLoss:
    """(1 - a) * label + a * T^2 * KL(teacher || student) + w * hint.

    The factor T^2 keeps the slope of the soft term as large as that of the labels at any temperature (Hinton et al.
    2015, end of section 2). The hint is the mean square error over the mean square of the teacher's layer: 1 says
    nothing of it, 0 is the layer.

    Args:
        settings: Weights and temperature.
        label_loss: Of plain training.
    """

    def __init__(self, settings: DistillSettings, label_loss: Callable[[Any, Any], Mapping[str, paddle.Tensor]]):
        self.settings, self.label_loss = settings, label_loss

    def __call__(self, outputs: Answers | paddle.Tensor, targets: Any) -> dict[str, paddle.Tensor]:
        """Gives the terms `label`, `soft` and `hint`; of logits alone, as in validation, `label` at full weight."""
        if not isinstance(outputs, Answers):
            return self.label_loss(outputs, targets)
        weight, temperature = self.settings.soft_weight, self.settings.temperature
        terms = {name: (1 - weight) * term for name, term in self.label_loss(outputs.logits, targets).items()}
        terms["soft"] = weight * temperature**2 * soft_divergence(outputs.logits, outputs.shares, temperature)
        if outputs.hint is not None:
            error = ((outputs.hint - outputs.teacher_hint) ** 2).mean()
            terms["hint"] = self.settings.hint_weight * error / (outputs.teacher_hint**2).mean().clip(1e-12)
        return terms


def soft_divergence(logits: paddle.Tensor, shares: paddle.Tensor, temperature: float) -> paddle.Tensor:
    """Mean over the batch of KL(shares || softmax(logits / temperature)).

    Args:
        logits: float32 [N, C].
        shares: float32 [N, C], rows sum to 1.
        temperature: Of the student's answers, above 0.
    """
    logs = functional.log_softmax(logits / temperature)
    return (shares * (paddle.log(shares.clip(1e-12)) - logs)).sum(1).mean()


def check_recipe(recipe: Recipe) -> None:
    """Refuses with a ValueError a recipe that a student cannot train by: a helping head, or layers held back."""
    if recipe.aux_weight or recipe.freeze_epochs or recipe.backbone_rate != 1:
        got = f"{recipe.aux_weight}, {recipe.freeze_epochs} and {recipe.backbone_rate}"
        raise ValueError(
            f"expected a recipe of aux_weight 0, freeze_epochs 0 and backbone_rate 1, got {recipe.name!r} with {got}"
        )


def distill_expressions(
    network: nn.Layer,
    teacher: Teacher,
    train: Faces,
    valid: Faces,
    recipe: Recipe,
    settings: DistillSettings,
    folder: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
) -> list[dict[str, float]]:
    """Trains `network` in place with a teacher; the same as training.expression.train_expressions but for that.

    Args:
        network: A network of MODELS, fresh from `seed_everything(recipe.seed)` for a repeatable run.
        teacher: The teacher.
        train: Faces to learn from.
        valid: Faces to measure on after every epoch.
        recipe: How to train, all layers alike and without the helping head of FER+ votes: here the teacher helps.
        settings: What to take from the teacher.
        folder: Where checkpoints go; None keeps none.
        resume: Go on from the folder's last checkpoint.
        callbacks: See loop.fit.
        workers: Reader processes.

    Returns:
        The history of loop.fit, with the terms of DistillLoss.

    Raises:
        ValueError: The recipe has a helping head or holds layers back, student and teacher do not fit together, or
            see loop.fit.
    """
    check_recipe(recipe)
    loaders = make_loaders(train, valid, recipe, workers)
    parallel.start()
    student = Student(network, teacher, settings, recipe.sizes[0][1])
    model = parallel.prepare_model(student, recipe.global_statistics)
    taught = {**settings.to_json(), **teacher.describe()}
    task = {"recipe": recipe.to_json(), "distill": taught, "train_faces": len(train)}
    loss = DistillLoss(settings, mixed_loss(make_loss(recipe, train)))
    optimizer = make_optimizer(model, recipe, len(loaders["train"]))
    try:
        return fit(
            model, loss, loaders, optimizer, {"accuracy": accuracy}, callbacks,
            config=make_config(recipe, task), folder=folder, resume=resume,
        )  # fmt: skip
    finally:
        student.close()


def load_student(folder: str | os.PathLike[str], network: nn.Layer) -> None:
    """Loads the best weights of a run of `distill_expressions` into a network of the student's kind.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged, or of another network.
    """
    arrays = load_arrays(Path(folder) / BEST)
    own = {name.removeprefix(_STUDENT): array for name, array in arrays.items() if name.startswith(_STUDENT)}
    load_into(network, own)


def export_student(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    network: nn.Layer,
    model: str,
    arguments: Mapping[str, Any] | None = None,
    card: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes the best weights of a run of `distill_expressions` as a model to ship, without teacher and regressor.

    Args:
        folder: Folder of the run.
        path: The `.safetensors` file to write.
        network: A network of the student's kind; it ends with its weights.
        model: Its name in MODELS.
        arguments: Of its constructor.
        card: More for the card, such as the data.

    Returns:
        The card.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged, or of another network or run.
    """
    told = load_card(Path(folder) / BEST)
    try:
        figures, task = told["figures"], told["config"]["task"]
        recipe, settings = Recipe.from_json(task["recipe"]), task["distill"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected the card of a distillation beside {folder}/{BEST}, it lacks {error}") from error
    load_student(folder, network)
    size = recipe.valid_size_at(figures["epoch"] - 1)
    content = {"figures": figures, "recipe": recipe.to_json(), "distill": settings, **training_cost(told)}
    return save_model(path, model, network, size, {**content, **(card or {})}, arguments, recipe.classes)
