"""The loss of expression networks, the auxiliary head that some recipes train with, and the accuracy."""

from __future__ import annotations

import numpy as np

from fer_paddle.environment import paddle

functional = paddle.nn.functional


class AuxiliaryHead(paddle.nn.Layer):
    """A network with an auxiliary head that learns the FER+ votes beside the label.

    FER2013's labels are noisy, and ten votes an image say more than one label. Only `network` is kept, but for the
    recipe `photos`, which answers by both (heads.Combination). Source: multi-task learning, Caruana 1997.
    """

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

    Raises:
        ValueError: `label_smoothing` is not in [0, 1).
    """

    def __init__(self, label_smoothing: float = 0.0, aux_weight: float = 0.0, class_weights: np.ndarray | None = None):
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"expected a label smoothing in [0, 1), got {label_smoothing}")
        self.label_smoothing, self.aux_weight = label_smoothing, aux_weight
        self.class_weights = None if class_weights is None else paddle.to_tensor(np.float32(class_weights))

    def __call__(
        self,
        outputs: paddle.Tensor | tuple[paddle.Tensor, paddle.Tensor],
        targets: tuple[paddle.Tensor, paddle.Tensor],
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
