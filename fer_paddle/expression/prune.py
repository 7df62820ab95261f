"""An expression network and its faces in a pruning study."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.prune_study import PruneTask, ema_decay
from fer_paddle.deployment.export import export_model
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces, check_classes
from fer_paddle.expression.distill import DistillSettings, distill_expressions, load_teacher
from fer_paddle.expression.export import PARITY_FACES
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import Recipe, recipe_of
from fer_paddle.expression.train import STUDENT, describe_training, train_expressions, with_head
from fer_paddle.expression.trials import digest_faces
from fer_paddle.images import faces_to_batch
from fer_paddle.models.model import count_features
from fer_paddle.training.loop import BEST, RunOptions
from fer_paddle.training.run import training_cost
from fer_paddle.training.transfer import without_prefix
from fer_paddle.weights import load_arrays, load_card, load_into

BATCH = 128
Batch = tuple[np.ndarray, np.ndarray]  # images float32 [N, 1, H, W], labels int64 [N]


class ExpressionPruneTask(PruneTask):
    """An expression network to prune, see prune_study.PruneTask."""

    figure = "accuracy"

    def __init__(
        self,
        weights: Path,
        train: LabelledFaces,
        valid: LabelledFaces,
        epochs: int = 6,
        learning_rate: float = 1e-3,
        sensitivity_faces: int = 1500,  # training faces that each layer's sensitivity is measured on
        norm_faces: int = 2048,  # training faces for recalibrate_norms
        seed: int = 0,
        soft_weight: float = 0.0,  # of the teachers in the loss of fine-tuning, which then takes no votes
        teachers: Sequence[Path] = (),  # none takes the unpruned network
        recipe: Recipe | None = None,  # what fine-tuning shortens; None takes that of the network's own training
        description: str = "validation faces",  # of `valid`, for the report of the export
    ):
        if teachers and not soft_weight:
            raise ValueError("expected a soft_weight above 0 for the teachers, got 0")
        self.weights, self.train, self.valid, self.description = weights, train, valid, description
        self.model = ExpressionModel.load(weights)
        self.card = self.model.card
        for faces in (train, valid):
            check_classes(faces, self.card["classes"])
        self.size = self.model.input_size
        self.input_shape = (1, 1, self.size, self.size)
        self.distill, self.teacher = DistillSettings(soft_weight=soft_weight), None
        self.taught: dict[str, Any] = {}  # what the card says of the teachers
        if soft_weight:
            self.teacher = load_teacher(teachers or [weights], train)
            self.taught = {"distill": {**self.distill.to_json(), **self.teacher.describe()}}
        with_votes = train.votes is not None and self.teacher is None
        recipe = finetune_recipe(self.card, epochs, learning_rate, seed, with_votes, recipe)
        self.recipe = recipe.for_samples(len(train))
        self.valid_batches = make_batches(valid, self.size)
        self.sensitivity_batches = make_batches(sample_faces(train, sensitivity_faces, seed), self.size)
        self.norm_faces = sample_faces(train, norm_faces, seed)
        measured = min(sensitivity_faces, len(train))
        self.measured_on = {"train_faces": len(train), "faces": measured, "seed": seed, "size": self.size}
        used = {"valid_faces": len(valid), "norm_faces": len(self.norm_faces), "recipe": self.recipe.to_json()}
        self.settings = {**self.measured_on, **used, **self.taught}
        self.data = digest_faces(train, valid)

    def measure(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Return loss and accuracy on the validation faces."""
        return measure_faces(network, self.valid_batches)

    def measure_sensitivity(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Return loss and accuracy on some training faces."""
        return measure_faces(network, self.sensitivity_batches)

    def norm_batches(self) -> Iterable[np.ndarray]:
        """Return training faces without augmentation, float32 [N, 1, size, size]."""
        return (images for images, _ in make_batches(self.norm_faces, self.size))

    def fit(self, network: paddle.nn.Layer, folder: Path, options: RunOptions) -> None:
        """Fine-tune."""
        count_features(network)
        seed_everything(self.recipe.seed)
        task = (self.train, self.valid, self.recipe)
        if self.teacher is not None:
            distill_expressions(network, self.teacher, *task, self.distill, options)
            load_into(network, without_prefix(load_arrays(folder / BEST), STUDENT))
            return
        train_expressions(network, *task, options)
        load_into(with_head(network, self.recipe), load_arrays(folder / BEST))

    def save(self, network: paddle.nn.Layer, path: Path, record: Mapping[str, Any]) -> None:
        """Write the network, once its ONNX file agrees on validation faces; its card keeps recipe and record."""
        card: dict[str, Any] = {name: self.card[name] for name in ("task", "data", "use") if name in self.card}
        card |= {"recipe": self.recipe.to_json(), "pruning": dict(record), "pruned_from": self.weights.name}
        card |= training_cost(load_card(path.parent / BEST)) | self.taught
        card |= describe_training(self.train, self.valid, self.recipe)
        own = self.card
        model = ExpressionModel.of(own["model"], network, self.size, card, own["arguments"], own["classes"])
        export_model(model, path, faces_to_batch(list(self.valid.images[:PARITY_FACES]), self.size), self.description)


def finetune_recipe(
    card: Mapping[str, Any],
    epochs: int,
    learning_rate: float,
    seed: int,
    with_votes: bool = False,
    other: Recipe | None = None,
) -> Recipe:
    """Return a short recipe to fine-tune by: fewer epochs, a lower rate, one size, no average over few epochs.

    It shortens that of the card or, without one, `strong`, at the network's own size; `other` takes the place of both.
    """
    recipe, size = other or recipe_of(card), int(card["input_size"])
    train_size = recipe.sizes[-1][1] if other is None and "recipe" in card else size
    return dataclasses.replace(
        recipe.finetune_recipe("finetune", epochs, learning_rate, train_size, size),
        warmup_epochs=min(0.25, epochs / 2),
        aux_weight=recipe.aux_weight if with_votes else 0.0,
        ferplus=card.get("recipe", {}).get("ferplus"),
        ema_decay=ema_decay(recipe.ema_decay, epochs),
        seed=seed,
    )


def measure_faces(network: paddle.nn.Layer, batches: Sequence[Batch]) -> dict[str, float]:
    """Return the mean cross-entropy `loss` and the `accuracy` of a network, which ends in eval mode."""
    loss, right, count = 0.0, 0, 0
    network.eval()
    with paddle.no_grad():
        for images, labels in batches:
            logits, labels = network(paddle.to_tensor(images)), paddle.to_tensor(labels)
            loss += float(paddle.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            right += int((logits.argmax(1) == labels).sum())
            count += len(images)
    return {"loss": loss / count, "accuracy": right / count}


def make_batches(faces: LabelledFaces, size: int) -> list[Batch]:
    """Return batches of all faces, in order, at a side of `size` pixels."""
    images = faces_to_batch(list(faces.images), size)
    return [(images[i : i + BATCH], faces.labels[i : i + BATCH]) for i in range(0, len(faces), BATCH)]


def sample_faces(faces: LabelledFaces, count: int, seed: int) -> LabelledFaces:
    """Return `count` random faces, or all where there are fewer."""
    order = np.random.default_rng(seed).permutation(len(faces))
    return faces.select(order[:count])
