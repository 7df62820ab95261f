"""Soft targets of both label sets from networks that teach, also for faces without labels.

Source: Xie et al. 2020, "Self-training with Noisy Student", arXiv:1911.04252: the student sees damaged faces, the
teachers whole ones.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np

from fer_paddle.environment import find_data
from fer_paddle.expression.data.expressions import load_faces
from fer_paddle.expression.data.faces import LabelledFaces, join_faces
from fer_paddle.expression.data.ferplus import take_both
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.tta import TTAClassifier
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.weights import load_card

logger = logging.getLogger(__name__)


class Teachers:
    """Networks that answer for both label sets, each by the mean of those that know it; flips are averaged too."""

    def __init__(self, weights: Sequence[str | os.PathLike[str]]):
        models = [model for path in weights for model in _load_heads(path)]
        if unknown := [model.classes for model in models if model.classes not in (EXPRESSIONS, FERPLUS_EXPRESSIONS)]:
            raise ValueError(f"expected teachers of the seven or eight expressions, got {', '.join(unknown[0])}")
        groups = [[model for model in models if model.classes == names] for names in (EXPRESSIONS, FERPLUS_EXPRESSIONS)]
        if not all(groups):
            raise ValueError(f"expected a teacher of each label set or more, got {[len(group) for group in groups]}")
        self._classifiers = [
            TTAClassifier([model.network for model in group], [model.input_size for model in group]) for group in groups
        ]

    def __call__(self, crops: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities of FER2013's labels float32 [N, 7] and of FER+'s [N, 8]."""
        labels, votes = (classifier(crops) for classifier in self._classifiers)
        return labels, votes


def _load_heads(path: str | os.PathLike[str]) -> list[ExpressionModel]:
    label_sets = ("fer2013", "ferplus") if "heads" in load_card(ExpressionModel.find(path)) else ("both",)
    return [ExpressionModel.load(path, labels) for labels in label_sets]


def add_soft_targets(
    train: LabelledFaces, teachers: Teachers, share: float, unlabeled: LabelledFaces | None = None
) -> LabelledFaces:
    """Mix the teachers' answers by `share` into the targets of ferplus.take_both; add faces that they alone label."""
    assert train.votes is not None
    labels, votes = teachers(train.images)
    targets = (1 - share) * np.eye(len(EXPRESSIONS), dtype=np.float32)[train.labels] + share * labels
    # where a face has no votes they alone answer
    share_of_votes = np.where(train.votes.any(axis=1, keepdims=True), np.float32(share), np.float32(1))
    mixed = (1 - share_of_votes) * train.votes + share_of_votes * votes
    parts = [LabelledFaces(train.images, train.labels, mixed, targets=targets)]
    if unlabeled is not None:
        labels, votes = teachers(unlabeled.images)
        parts.append(LabelledFaces(unlabeled.images, labels.argmax(axis=1), votes, targets=labels))
        logger.info("the teachers label %d faces: %s", len(unlabeled), parts[-1].counts())
    return join_faces(parts)


def take_both_labels(
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    teachers: Sequence[str | os.PathLike[str]] = (),
    unlabeled: str | os.PathLike[str] | None = None,
) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the faces of a recipe of both label sets, with soft targets where there are teachers; else as they are."""
    if (teachers and not recipe.both_labels) or (unlabeled and not teachers):
        got = f"{len(teachers)} teachers, the recipe {recipe.name!r} and unlabeled faces {unlabeled}"
        raise ValueError(f"expected teachers with the recipe photos, and unlabeled faces with teachers, got {got}")
    if not recipe.both_labels:
        return train, valid
    train, valid = take_both(train), take_both(valid)
    if not teachers:
        return train, valid
    more = None if unlabeled is None else load_faces(find_data(os.fspath(unlabeled)), strict=False)
    return add_soft_targets(train, Teachers(teachers), recipe.teacher_share, more), valid
