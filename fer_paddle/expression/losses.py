"""The loss of expression networks, the auxiliary head that some recipes train with, the answer of both, the accuracy.

FER2013's labels call many neutral faces angry or sad, FER+'s votes call most faces neutral or happy: each corrects the
other. The class shares of the training faces are divided out in part, so that rare expressions are found too.

Source: Menon et al. 2021, "Long-tail learning via logit adjustment", arXiv:2007.07314, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.expression.predict import check_prior
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

functional = paddle.nn.functional


class AuxiliaryHead(paddle.nn.Layer):
    """A network with a second head that learns the FER+ votes beside the label: multi-task learning, Caruana 1997."""

    def __init__(self, network: paddle.nn.Layer, num_votes: int = 10):
        super().__init__()
        self.network = network
        self.votes = paddle.nn.Linear(network.num_features, num_votes)

    @property
    def num_classes(self) -> int:
        """The number of labels."""
        return self.network.num_classes

    def forward(self, images: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """float32 [N, 1, H, W] -> (logits [N, num_classes], vote logits [N, num_votes])."""
        features = self.network.embed(images)
        return self.network.classify(features), self.votes(features)


class ExpressionLoss:
    """Cross-entropy of the labels, and of the FER+ votes where the network has an auxiliary head.

    Args:
        label_smoothing: Ratio of the target spread evenly over the classes (Szegedy et al. 2016,
            arXiv:1512.00567).
        aux_weight: Weight of the second term.
        class_weights: float32 [num_classes], or None for equal weights.
    """

    def __init__(self, label_smoothing: float = 0.0, aux_weight: float = 0.0, class_weights: np.ndarray | None = None):
        self.label_smoothing, self.aux_weight = label_smoothing, aux_weight
        self.class_weights = None if class_weights is None else paddle.to_tensor(np.float32(class_weights))

    def __call__(
        self, outputs: paddle.Tensor | tuple[paddle.Tensor, paddle.Tensor], targets: tuple[paddle.Tensor, paddle.Tensor]
    ) -> dict[str, paddle.Tensor]:
        """Return the terms `label` and, with an auxiliary head, `votes`; a row of zeros among these has none.

        Labels are int64 [N], or probabilities float32 [N, C] where soft; votes are probabilities float32 [N, V].
        """
        labels, votes = targets
        logits, vote_logits = outputs if isinstance(outputs, tuple) else (outputs, None)
        terms = {"label": self.label_term(logits, labels)}
        if vote_logits is not None:
            terms["votes"] = -self.aux_weight * (votes * functional.log_softmax(vote_logits)).sum(1).mean()
        return terms

    def label_term(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the mean over the batch (not over the weights) of -class weight * sum(target * log probs)."""
        num_classes = logits.shape[1]
        smoothing = self.label_smoothing
        probs = functional.one_hot(labels, num_classes) if labels.ndim == 1 else labels
        target = probs * (1 - smoothing) + smoothing / num_classes
        losses = -(target * functional.log_softmax(logits)).sum(1)
        if self.class_weights is None:
            return losses.mean()
        weights = self.class_weights.gather(labels) if labels.ndim == 1 else paddle.matmul(labels, self.class_weights)
        return (losses * weights).mean()


def balance_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Return class weights (mean count / count) ** power, float32 [C], scaled to a mean of 1 over all samples.

    Args:
        counts: Samples of each class, int [C], one or more in all; a class without any weighs nothing.
        power: 0 weighs all samples alike, 1 all classes alike.
    """
    counts = np.asarray(counts, np.float64)
    weights = np.where(counts > 0, (counts.mean() / np.maximum(counts, 1)) ** power, 0)
    return (weights * counts.sum() / (weights * counts).sum()).astype(np.float32)


def accuracy(
    outputs: paddle.Tensor | tuple[paddle.Tensor, paddle.Tensor], targets: tuple[paddle.Tensor, paddle.Tensor]
) -> float:
    """Return the ratio of the batch whose largest logit is the label's; the label of a soft one is its likeliest."""
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    labels = targets[0] if targets[0].ndim == 1 else targets[0].argmax(1)
    return float((logits.argmax(1) == labels).astype("float32").mean())


LABEL_SETS = ("both", "fer2013", "ferplus")


@dataclass(frozen=True)
class Combination:
    """How two heads answer together: a weighted sum of their logits for the seven expressions.

    `share` * (FER+ logits - `prior_power` * log `prior_ferplus`) + (1 - `share`) * FER2013 logits, without contempt.
    """

    prior_fer2013: Sequence[float]  # class shares that the head of FER2013's labels learned, seven
    prior_ferplus: Sequence[float]  # those of the head of FER+'s votes, eight
    share: float = 0.95  # weight of FER+, 0 to 1
    # how much of the class shares of FER+ is divided out, 0 (nothing) to 1 (all classes alike)
    prior_power: float = 0.25

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and 0 <= self.prior_power <= 1):
            raise ValueError(f"expected share and prior_power from 0 to 1, got {self.share} and {self.prior_power}")
        for prior, classes in ((self.prior_fer2013, EXPRESSIONS), (self.prior_ferplus, FERPLUS_EXPRESSIONS)):
            check_prior(prior, len(classes))

    @classmethod
    def from_json(cls, content: Any) -> Combination:
        """Read the `heads` of a card; ValueError where a field is missing, unknown or wrong."""
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(f"expected heads as the fields of Combination, got {content!r}: {error}") from error

    def classes(self, labels: str) -> tuple[str, ...]:
        """Return the classes of the answer by one of LABEL_SETS."""
        if labels not in LABEL_SETS:
            raise ValueError(f"expected labels of {', '.join(LABEL_SETS)}, got {labels!r}")
        return FERPLUS_EXPRESSIONS if labels == "ferplus" else EXPRESSIONS

    def prior(self, labels: str) -> list[float]:
        """Return the class shares that the answer by one of LABEL_SETS assumes."""
        if labels == "fer2013":
            return list(self.prior_fer2013)
        if labels == "ferplus":
            return list(self.prior_ferplus)
        crowd, label = np.array(self.prior_ferplus[: len(EXPRESSIONS)]), np.array(self.prior_fer2013)
        mean = crowd ** (self.share * (1 - self.prior_power)) * label ** (1 - self.share)
        return (mean / mean.sum()).round(4).tolist()

    def fold(self, heads: AuxiliaryHead, labels: str) -> paddle.nn.Layer:
        """Turn the two heads into the one last layer of an answer, in place: both are linear."""
        count = len(self.classes(labels))
        network, votes = heads.network, heads.votes
        if labels == "ferplus":
            network.classify, network.num_classes = votes, count
        if labels == "both":
            offset = self.share * self.prior_power * np.log(self.prior_ferplus[:count])
            weight = self.share * votes.weight[:, :count] + (1 - self.share) * network.classify.weight
            bias = self.share * votes.bias[:count] + (1 - self.share) * network.classify.bias
            network.classify.weight.set_value(weight)
            network.classify.bias.set_value(bias - paddle.to_tensor(offset, "float32"))
        return network


def share_classes(counts: np.ndarray, power: float = 1.0) -> list[float]:
    """Return counts ** power as shares of four digits that sum to 1 and are above 0, of counts [C]."""
    shares = np.maximum(np.asarray(counts, np.float64), 1e-3) ** power
    return np.maximum(shares / shares.sum(), 1e-4).round(4).tolist()
