"""Mixup and CutMix: an image made of two, with the labels of both in the same ratio.

They work on whole batches: `MixBatch` collates one, and `mixed_loss` makes any loss understand it, so that the
training loop needs to know nothing of them.

Sources: mixup, Zhang et al. 2018, arXiv:1710.09412; CutMix, Yun et al. 2019, arXiv:1905.04899.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class MixBatch:
    """Collate samples (image, (label, votes)) to a mixed batch, as `collate` of training.loader.make_loader.

    With probability `chance` a batch is mixed with itself in another order: by CutMix or mixup, either with the same
    chance where both are on. The ratio of the first image is drawn from Beta(alpha, alpha), one for the batch. All
    randomness comes from the pixels of the batch, so that the same batch is always mixed alike: a resumed run repeats
    itself, however many processes read.
    """

    mixup_alpha: float = 0.0  # of mixup; 0 turns it off. The paper takes 0.2 for ImageNet, 1 for CIFAR
    cutmix_alpha: float = 0.0  # of CutMix; 0 turns it off. The paper takes 1
    chance: float = 1.0  # ratio of the batches that are mixed, 0 to 1

    def __call__(self, samples: Sequence[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]) -> tuple[Any, Any]:
        """Return images float32 [N, 1, S, S] and (labels [N], votes [N, V], the partners' labels and votes, ratio)."""
        images = np.stack([image for image, _ in samples])
        labels = np.stack([np.asarray(label) for _, (label, _) in samples])
        votes = np.stack([vote for _, (_, vote) in samples])
        rng = np.random.default_rng(zlib.crc32(images.tobytes()))
        partners, ratio = np.arange(len(images)), 1.0
        if rng.random() < self.chance:
            partners = rng.permutation(len(images))
            if self.cutmix_alpha and (not self.mixup_alpha or rng.random() < 0.5):
                images, ratio = cutmix(images, partners, rng.beta(self.cutmix_alpha, self.cutmix_alpha), rng)
            else:
                ratio = rng.beta(self.mixup_alpha, self.mixup_alpha)
                images = mixup(images, partners, ratio)
        return images, (labels, votes, labels[partners], votes[partners], np.float32(ratio))


def mixup(images: np.ndarray, partners: np.ndarray, ratio: float) -> np.ndarray:
    """Return ratio * image + (1 - ratio) * partner, float32 [N, 1, S, S]; `partners` are indices int [N]."""
    return (np.float32(ratio) * images + np.float32(1 - ratio) * images[partners]).astype(np.float32)


def cutmix(
    images: np.ndarray, partners: np.ndarray, ratio: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Replace one rectangle of each image, the same in all, by the partner's.

    The rectangle has sqrt(1 - ratio) of each side and is cut where it reaches beyond the image. Return the images
    float32 [N, 1, H, W], and the ratio of the first image that really is left.
    """
    height, width = images.shape[2:]
    half_height, half_width = (side * np.sqrt(1 - ratio) / 2 for side in (height, width))
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    top, bottom = (int(np.clip(round(edge), 0, height)) for edge in (y - half_height, y + half_height))
    left, right = (int(np.clip(round(edge), 0, width)) for edge in (x - half_width, x + half_width))
    mixed = images.copy()
    mixed[:, :, top:bottom, left:right] = images[partners, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def mixed_loss(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make a loss of (outputs, (labels, votes)) -> terms take the targets of `MixBatch`, too: both by the ratio."""

    def of_both(outputs: Any, targets: Sequence[Any]) -> Any:
        if len(targets) == 2:
            return loss(outputs, targets)
        labels, votes, partner_labels, partner_votes, ratio = targets
        first, second = loss(outputs, (labels, votes)), loss(outputs, (partner_labels, partner_votes))
        return {name: ratio * first[name] + (1 - ratio) * second[name] for name in first}

    return of_both
