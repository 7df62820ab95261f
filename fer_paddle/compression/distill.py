"""Knowledge distillation: a small network learns from the probabilities of a large one, and from its features.

The teacher's probabilities, softened by a temperature, say more than a label: which classes look alike.

Sources: Hinton et al. 2015, arXiv:1503.02531, section 2; hints from Romero et al. 2015 (FitNets), arXiv:1412.6550,
section 2.2; teacher and student see the same augmented images, as in Beyer et al. 2022, arXiv:2106.05237.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from fer_paddle.analysis.features import capture
from fer_paddle.environment import paddle
from fer_paddle.files import check_number
from fer_paddle.models.network import evaluating
from fer_paddle.weights import fingerprint

nn, functional = paddle.nn, paddle.nn.functional


@dataclasses.dataclass(frozen=True)
class DistillSettings:
    """What the student takes from the teacher."""

    temperature: float = 4.0  # softens the probabilities of both; above 0
    soft_weight: float = 0.7  # weight of the teacher's probabilities, 0 to 1; the labels keep the rest
    hint_weight: float = 0.0  # weight of the hints, 0 or more; 0 takes none
    teacher_layer: str = "pool"  # layer of the teacher that gives the hint, by name
    student_layer: str = "pool"  # layer of the student that is to match it

    def __post_init__(self) -> None:
        check_number("soft_weight", self.soft_weight, 0, 1)
        check_number("hint_weight", self.hint_weight)
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"expected a temperature above 0, got {self.temperature}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return dataclasses.asdict(self)


class Teacher:
    """One frozen network or several, whose probabilities are averaged. No layer: it is neither trained nor saved.

    Args:
        networks: Networks of the same classes, one or more; they are put into eval mode and frozen.
        sizes: Side in pixels of the images that each takes; None gives them the student's.
        names: What to call each in the student's card; None takes the names of their classes.
    """

    def __init__(
        self,
        networks: Sequence[paddle.nn.Layer],
        sizes: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
    ):
        if not networks or (sizes is not None and len(sizes) != len(networks)):
            raise ValueError(f"expected one teacher or more and a size for each, got {len(networks)} and {sizes}")
        if len({network.num_classes for network in networks}) > 1:
            raise ValueError(f"expected teachers of the same classes, got {[one.num_classes for one in networks]}")
        self.networks, self.sizes = list(networks), list(sizes or [0] * len(networks))
        self.names = list(names or [type(network).__name__ for network in networks])
        for network in self.networks:
            network.eval()
            for parameter in network.parameters():
                parameter.stop_gradient = True

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.networks[0].num_classes

    @property
    def fingerprints(self) -> list[str]:
        """Digests of the weights: every training calls its file model.safetensors."""
        return [fingerprint(network) for network in self.networks]

    def describe(self) -> dict[str, list[str]]:
        """Return names and fingerprints, as JSON values."""
        return {"teachers": self.names, "teacher_fingerprints": self.fingerprints}

    @paddle.no_grad()
    def probs(self, images: paddle.Tensor, temperature: float = 1.0) -> paddle.Tensor:
        """Return the mean of softmax(logits / temperature) over the networks: float32 [N, 1, H, W] -> [N, C]."""
        probs = [
            functional.softmax(network(_resize(images, size)) / temperature)
            for network, size in zip(self.networks, self.sizes)
        ]
        return sum(probs) / len(probs)


def _resize(images: paddle.Tensor, size: int) -> paddle.Tensor:
    if size in (0, images.shape[-1]):
        return images
    return functional.interpolate(images, [size, size], mode="bilinear", align_corners=False)


class Answers(NamedTuple):
    """What student and teacher give for a batch."""

    logits: paddle.Tensor  # the student's, float32 [N, C]
    probs: paddle.Tensor  # the teacher's softened probabilities, float32 [N, C]
    hint: paddle.Tensor | None = None  # what the student makes of the teacher's layer, or None
    teacher_hint: paddle.Tensor | None = None  # that layer, in the same shape, or None


class Student(paddle.nn.Layer):
    """A network in training beside its teacher; in eval mode it is the network alone.

    The sizes of the hint layers follow from `size`, the side of the training images in pixels.
    """

    def __init__(self, network: paddle.nn.Layer, teacher: Teacher, settings: DistillSettings, size: int):
        if network.num_classes != teacher.num_classes:
            raise ValueError(f"expected a teacher of {network.num_classes} classes, got one of {teacher.num_classes}")
        if settings.hint_weight and len(teacher.networks) > 1:
            raise ValueError(f"expected one teacher to give hints, got {len(teacher.networks)}")
        super().__init__()
        self.network = network
        self._teacher, self._settings, self._hooks = teacher, settings, ExitStack()
        self._outputs: tuple[dict[str, paddle.Tensor], ...] = ()
        if settings.hint_weight:
            layers = ((network, settings.student_layer), (teacher.networks[0], settings.teacher_layer))
            self._outputs = tuple(self._hooks.enter_context(capture(one, [name])) for one, name in layers)
            ours, theirs = self._hint_channels(size)
            self.regressor = nn.Conv2D(ours, theirs, 1)

    def forward(self, images: paddle.Tensor) -> Answers | paddle.Tensor:
        """float32 [N, 1, H, W] -> Answers in training, logits [N, C] in eval mode."""
        logits = self.network(images)
        if not self.training:
            self._take_outputs()
            return logits
        probs = self._teacher.probs(images, self._settings.temperature)
        if not self._outputs:
            return Answers(logits, probs)
        ours, theirs = self._take_outputs()
        side = min(ours.shape[2], theirs.shape[2])
        hint = functional.adaptive_avg_pool2d(self.regressor(ours), side)
        return Answers(logits, probs, hint, functional.adaptive_avg_pool2d(theirs, side))

    def close(self) -> None:
        """Take the hooks out of both networks."""
        self._hooks.close()

    def _take_outputs(self) -> list[paddle.Tensor]:
        """Return the outputs of the hint layers as maps [N, K, h, w]; they are forgotten, so that no graph stays."""
        outputs = [output for captured in self._outputs for output in captured.values()]
        for captured in self._outputs:
            captured.clear()
        return [one if one.ndim == 4 else one.reshape([one.shape[0], -1, 1, 1]) for one in outputs]

    @paddle.no_grad()
    def _hint_channels(self, size: int) -> list[int]:
        """Return the channels of both hint layers, from a pass over one black image that leaves no trace."""
        images = paddle.zeros([1, 1, size, size])
        with evaluating(self.network):
            self.network(images)
            self._teacher.probs(images)
        return [maps.shape[1] for maps in self._take_outputs()]


class DistillLoss:
    """(1 - a) * label + a * T^2 * KL(teacher || student) + w * hint.

    The factor T^2 keeps the slope of the soft term as large as that of the labels at any temperature (Hinton et al.
    2015, end of section 2). The hint is the mean square error over the mean square of the teacher's layer.
    """

    def __init__(self, settings: DistillSettings, label_loss: Callable[[Any, Any], Mapping[str, paddle.Tensor]]):
        self.settings, self.label_loss = settings, label_loss

    def __call__(self, outputs: Answers | paddle.Tensor, targets: Any) -> dict[str, paddle.Tensor]:
        """Return the terms `label`, `soft` and `hint`; of logits alone, as in validation, `label` at full weight."""
        if not isinstance(outputs, Answers):
            return dict(self.label_loss(outputs, targets))
        weight, temperature = self.settings.soft_weight, self.settings.temperature
        terms = {name: (1 - weight) * term for name, term in self.label_loss(outputs.logits, targets).items()}
        terms["soft"] = weight * temperature**2 * soft_divergence(outputs.logits, outputs.probs, temperature)
        if outputs.hint is not None and outputs.teacher_hint is not None:
            error = ((outputs.hint - outputs.teacher_hint) ** 2).mean()
            terms["hint"] = self.settings.hint_weight * error / (outputs.teacher_hint**2).mean().clip(1e-12)
        return terms


def soft_divergence(logits: paddle.Tensor, probs: paddle.Tensor, temperature: float) -> paddle.Tensor:
    """Return the mean over the batch of KL(probs || softmax(logits / temperature)); both float32 [N, C]."""
    logs = functional.log_softmax(logits / temperature)
    return (probs * (paddle.log(probs.clip(1e-12)) - logs)).sum(1).mean()
