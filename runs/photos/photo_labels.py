"""The two label sets, their class shares, and the answer that combines them."""

from __future__ import annotations

import dataclasses

import numpy as np
from fer_paddle.data.expressions import load_faces
from fer_paddle.data.faces import LabelledFaces
from fer_paddle.data.ferplus import COLUMNS, count_votes, keep_leading
from fer_paddle.environment import find_data
from fer_paddle.labels import EXPRESSIONS


@dataclasses.dataclass(frozen=True)
class Combination:
    """How the answers of both heads make one: a geometric mean of probabilities over powers of the class shares.

    log p = share * (log p_ferplus - a * log prior_ferplus) + (1 - share) * (log p_fer2013 - b * log prior_fer2013),
    over a temperature, for the seven expressions; contempt's part is dropped. Source: Menon et al. 2021,
    arXiv:2007.07314 (logit adjustment after training).

    Attributes:
        share: Weight of the FER+ head.
        a: Power of the FER+ shares.
        b: Power of the FER2013 shares.
        prior_ferplus: Share of each of the eight classes among the votes of the training faces.
        prior_fer2013: Share of each of the seven labels among the training faces.
        temperature: That the sum is divided by.
    """

    prior_ferplus: tuple[float, ...]
    prior_fer2013: tuple[float, ...]
    share: float = 0.5
    a: float = 0.5
    b: float = 0.0
    temperature: float = 1.0

    def __call__(self, ferplus: np.ndarray, fer2013: np.ndarray) -> np.ndarray:
        """Gives log probabilities [N, 7] from logits or log probabilities [N, 8] and [N, 7]."""
        count = len(EXPRESSIONS)
        crowd = log_softmax(ferplus)[:, :count] - self.a * np.log(self.prior_ferplus)[:count]
        label = log_softmax(fer2013) - self.b * np.log(self.prior_fer2013)
        return log_softmax((self.share * crowd + (1 - self.share) * label) / self.temperature)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities along the last axis."""
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def load_training_faces() -> tuple[LabelledFaces, np.ndarray]:
    """FER2013's training faces without faults and copies of PublicTest, and their FER+ shares float32 [N, 8].

    The shares are those of take_ferplus(mode="probability"); a row is zero where it leaves the face out.
    """
    faces = load_faces(find_data("fer2013_train.npz").parent, "Training")
    shares = keep_leading(count_votes(faces.votes))[:, list(COLUMNS)].astype(np.float32)
    return faces, shares / np.maximum(shares.sum(1, keepdims=True), 1)


def class_shares(faces: LabelledFaces, shares: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Class shares of FER+ and of FER2013 among the training faces, four digits."""
    crowd = shares.sum(0) / shares.sum()
    label = np.bincount(faces.labels, minlength=len(EXPRESSIONS)) / len(faces)
    return tuple(crowd.round(4).tolist()), tuple(label.round(4).tolist())
