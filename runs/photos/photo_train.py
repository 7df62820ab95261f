"""Trains one network with two heads on FER2013's labels, FER+'s votes and an ensemble's answers on group photos.

    python photo_train.py data/photos/groups.npz runs/photos/first data/photos/targets.npz \\
        --start vgg8_fer2013_seed2.safetensors --hours 1

The averaged weights are written every EPOCH_STEPS; a further run may start from them.

Source of the scheme: Xie et al. 2020, "Self-training with Noisy Student", arXiv:1911.04252 (balanced classes, soft
targets, a student that sees damaged pictures).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fer_paddle import images, weight_files
from fer_paddle.data.augment import AugmentConfig, augment_face
from fer_paddle.environment import machine, paddle, seed_everything
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.training.callbacks import ProgressBar
from fer_paddle.training.loader import Loader
from fer_paddle.training.loop import Callback, FitConfig, fit
from fer_paddle.training.losses import TwoHeads
from fer_paddle.training.optimizers import adamw

from photo_faces import INNER
from photo_labels import Combination, class_shares, load_training_faces

functional = paddle.nn.functional

EPOCH_STEPS = 100
WARMUP_STEPS = 200
MOST_EPOCHS = 1000


@dataclasses.dataclass(frozen=True)
class PhotoRecipe:
    """How to train: everything that decides the result but the data.

    Attributes:
        hours: Of training, by the clock: the machine is shared, and its speed unknown.
        faces: FER2013 faces of a batch.
        group_faces: Faces of group photos of a batch.
        size: Side of the input in pixels.
        learning_rate: The highest rate, reached after WARMUP_STEPS; it falls along a half cosine of the time.
        weight_decay: Of AdamW.
        label_smoothing: Of FER2013's labels.
        label_teacher: Share of the teacher in the FER2013 target of a FER2013 face.
        votes_teacher: Share of the teacher in its FER+ target, where votes name an expression; all elsewhere.
        group_balance: A group face is drawn by (share of its answer among them) ** -group_balance.
        average_decay: Of the exponential average of the weights.
        seed: Of order, augmentation and new weights.
    """

    hours: float = 1.0
    faces: int = 40
    group_faces: int = 24
    size: int = 40
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    label_teacher: float = 0.3
    votes_teacher: float = 0.2
    group_balance: float = 0.5
    average_decay: float = 0.999
    seed: int = 0
    augment: AugmentConfig = AugmentConfig(
        flip=0.5,
        rotate_deg=15,
        scale=0.2,
        shift=0.09,
        brightness=0.15,
        contrast=0.3,
        erase=0.25,
        blur=0.015,
        noise=0.02,
    )


@dataclasses.dataclass(frozen=True)
class Samples:
    """Gray faces uint8 [N, S, S] with soft targets [N, 7] and [N, 8]; `inner` is the share of the side to show."""

    images: np.ndarray
    fer2013: np.ndarray
    ferplus: np.ndarray
    inner: float

    def __len__(self) -> int:
        return len(self.images)


class PhotoData:
    """FER2013's faces, then those of the group photos, augmented; depends on (seed, epoch, index) alone."""

    def __init__(self, faces: Samples, groups: Samples, recipe: PhotoRecipe):
        self.parts, self.recipe, self.epoch = (faces, groups), recipe, 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose random changes the samples have."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Gives (image float32 [1, size, size], (FER2013 target [7], FER+ target [8]))."""
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        first = len(self.parts[0])
        part, row = (self.parts[0], index) if index < first else (self.parts[1], index - first)
        size = self.recipe.size
        wide = round(size / part.inner)
        start = (wide - size) // 2
        face = augment_face(part.images[row], wide, self.recipe.augment, rng)[
            start : start + size, start : start + size
        ]
        return images.normalize(damage(face, rng))[None], (part.fer2013[row], part.ferplus[row])


def damage(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Harms a face uint8 [S, S] as photos are harmed: few pixels, JPEG, and another gamma, each now and then."""
    size = face.shape[0]
    if rng.random() < 0.3:
        face = images.resize(images.resize(face, rng.integers(size // 2, size)), size)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
        face = cv2.imdecode(cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_GRAYSCALE)
    if rng.random() < 0.3:
        levels = 255 * np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.5, 0.5))
        face = cv2.LUT(face, np.rint(levels).astype(np.uint8))
    return face


class MixedSampler:
    """Batches of FER2013 faces in a new order each pass, each with group faces drawn by weight.

    An epoch has EPOCH_STEPS: a run that ends by the clock keeps its weights often.
    """

    def __init__(self, faces: int, weights: np.ndarray, recipe: PhotoRecipe):
        self.faces, self.weights, self.recipe = faces, weights / weights.sum(), recipe
        self.epoch, self.first_step = 0, 0

    def __len__(self) -> int:
        return EPOCH_STEPS

    def set_epoch(self, epoch: int, first_step: int = 0) -> None:
        """Chooses the epoch that the next iteration runs over, and the step it begins with."""
        self.epoch, self.first_step = epoch, first_step

    def __iter__(self) -> Iterator[list[int]]:
        a_pass = self.faces // self.recipe.faces
        for step in range(self.epoch * EPOCH_STEPS + self.first_step, (self.epoch + 1) * EPOCH_STEPS):
            order = np.random.default_rng((self.recipe.seed, step // a_pass)).permutation(self.faces)
            start = step % a_pass * self.recipe.faces
            rng = np.random.default_rng((self.recipe.seed, step, 1))
            groups = rng.choice(len(self.weights), self.recipe.group_faces, p=self.weights) + self.faces
            yield [*order[start : start + self.recipe.faces].tolist(), *groups.tolist()]


class ClockSchedule(paddle.optimizer.lr.LRScheduler):
    """A rise over WARMUP_STEPS, then a half cosine over so many hours of the clock."""

    def __init__(self, peak: float, hours: float):
        self.hours, self.started = hours, time.monotonic()
        super().__init__(peak)

    def get_lr(self) -> float:
        """The rate now."""
        spent = min(self.spent() / self.hours, 1)
        return self.base_lr * min(1, self.last_epoch / WARMUP_STEPS) * (1 + np.cos(np.pi * spent)) / 2

    def spent(self) -> float:
        """Hours since the start."""
        return (time.monotonic() - self.started) / 3600


class StopByClock(Callback):
    """Ends the run after the epoch in which its hours are over."""

    def __init__(self, schedule: ClockSchedule):
        self.schedule = schedule

    def on_epoch_end(self, run: Any) -> None:
        run.stop = self.schedule.spent() >= self.schedule.hours


def soft_loss(outputs: Sequence[paddle.Tensor], targets: Sequence[paddle.Tensor]) -> dict[str, paddle.Tensor]:
    """Cross-entropy of both heads to their soft targets."""
    names = ("fer2013", "ferplus")
    return {
        name: -(target * functional.log_softmax(logits)).sum(1).mean()
        for name, logits, target in zip(names, outputs, targets)
    }


def make_samples(groups: Path, targets: Sequence[Path], recipe: PhotoRecipe) -> tuple[Samples, Samples, Combination]:
    """Reads the faces with their targets, and the class shares that the combined answer needs."""
    faces, shares = load_training_faces()
    files = [np.load(path) for path in targets]
    taught = {name: np.mean([file[name].astype(np.float32) for file in files], 0) for name in files[0].files}
    count = len(EXPRESSIONS)
    labels = np.eye(count, dtype=np.float32)[faces.labels]
    labels = (1 - recipe.label_smoothing) * labels + recipe.label_smoothing / count
    labels = mix(labels, taught["train_fer2013"], recipe.label_teacher)
    kept = np.where(shares.sum(1) > 0, recipe.votes_teacher, 1)[:, None].astype(np.float32)
    train = Samples(faces.images, labels, mix(shares, taught["train_ferplus"], kept), 1.0)
    with np.load(groups) as found:
        used = ~found["kept_out"]
        pictures = found["images"][used]
    photos = Samples(pictures, taught["groups_fer2013"][used], taught["groups_ferplus"][used], INNER)
    return train, photos, Combination(*class_shares(faces, shares))


def mix(one: np.ndarray, other: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """(1 - share) * one + share * other."""
    return ((1 - share) * one + share * other).astype(np.float32)


def balance(photos: Samples, combination: Combination, power: float) -> np.ndarray:
    """Weight of each group face: the share of its likeliest expression among them, to the power of -`power`."""
    answers = combination(np.log(photos.ferplus + 1e-4), np.log(photos.fer2013 + 1e-4)).argmax(1)
    return (np.bincount(answers, minlength=len(EXPRESSIONS))[answers] / len(answers)) ** -power


def start_from(model: TwoHeads, path: Path) -> None:
    """Sets the weights from a file of both heads, or of FER2013's alone, whose rows then start both heads."""
    arrays = weight_files.load_arrays(path)
    if not any(name.startswith("network.") for name in arrays):
        weight, bias = arrays["classify.weight"], arrays["classify.bias"]
        arrays = {f"network.{name}": array for name, array in arrays.items()}
        arrays["votes.weight"] = np.pad(weight, ((0, 0), (0, 1)))
        arrays["votes.bias"] = np.pad(bias, (0, 1), constant_values=bias.min() - 2)
    weight_files.load_into(model, {name: array.astype(np.float32) for name, array in arrays.items()})


class Export(Callback):
    """Writes the averaged weights of the newest epoch, float16, with a card, into the folder."""

    def __init__(self, path: Path, card: Mapping[str, Any]):
        self.path, self.card, self.started = path, card, time.monotonic()

    def on_epoch_end(self, run: Any) -> None:
        with run.averaged():
            arrays = weight_files.state_arrays(run.model)
        arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
        hours = (time.monotonic() - self.started) / 3600
        weight_files.save_weights(self.path, arrays, {**self.card, "hours": round(hours, 2), "history": run.history})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("targets", type=Path, nargs="+", help="of photo_teacher.py; of several, their mean")
    parser.add_argument("--model", default="vgg8")
    parser.add_argument("--arguments", type=json.loads, default={}, help="of the model, as JSON")
    parser.add_argument("--start", type=Path)
    for field in dataclasses.fields(PhotoRecipe):
        if field.name != "augment":
            name = "--" + field.name.replace("_", "-")
            parser.add_argument(name, type=type(field.default), default=field.default)
    told = parser.parse_args()
    names = [field.name for field in dataclasses.fields(PhotoRecipe) if field.name != "augment"]
    recipe = PhotoRecipe(**{name: getattr(told, name) for name in names})
    cv2.setNumThreads(1)
    seed_everything(recipe.seed)
    train, photos, combination = make_samples(told.groups, told.targets, recipe)
    model = TwoHeads(build_model(told.model, **told.arguments), len(FERPLUS_EXPRESSIONS))
    if told.start is not None:
        start_from(model, told.start)
    sampler = MixedSampler(len(train), balance(photos, combination, recipe.group_balance), recipe)
    schedule = ClockSchedule(recipe.learning_rate, recipe.hours)
    card = {
        "model": told.model,
        "arguments": told.arguments,
        "input_size": recipe.size,
        "normalize": {"mean": images.FER_MEAN, "std": images.FER_STD},
        "heads": {"network.classify": EXPRESSIONS, "votes": FERPLUS_EXPRESSIONS},
        "parameters": sum(tensor.size for tensor in model.parameters()),
        "combination": dataclasses.asdict(combination),
        "recipe": dataclasses.asdict(recipe),
        "start": str(told.start),
        "targets": [str(path) for path in told.targets],
        "faces": {"fer2013": len(train), "groups": len(photos)},
        "machine": machine(),
    }
    fit(
        model,
        soft_loss,
        {"train": Loader(PhotoData(train, photos, recipe), sampler)},
        adamw(model, schedule, recipe.weight_decay),
        callbacks=[ProgressBar(line_seconds=300), Export(told.out / "newest.safetensors", card), StopByClock(schedule)],
        config=FitConfig(MOST_EPOCHS, recipe.seed, "train_loss", average_decay=recipe.average_decay, task=card),
    )


if __name__ == "__main__":
    main()
