"""One network with two label sets, FER2013's and FER+'s, and the answer that combines them.

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
from fer_paddle.expression.losses import AuxiliaryHead
from fer_paddle.expression.predict import check_prior
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

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
