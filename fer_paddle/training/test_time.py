"""Test-time augmentation and ensembles: the mean of the probabilities over several views and networks.

Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1;
ensembles: Hansen and Salamon 1990, "Neural network ensembles".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.images import faces_to_batch
from fer_paddle.models.files import load_model

_BATCH = 64


class TestTime:
    """A classifier of face crops: each is seen in several views by each of several networks.

    Args:
        networks: One or more expression networks; they are put into eval mode.
        sizes: Sides in pixels that every network sees the faces at.
        flip: Add the mirror image of each.

    Raises:
        ValueError: There is no network or size, or the networks have different classes.
    """

    __test__ = False  # for pytest: no test class

    def __init__(self, networks: Sequence[paddle.nn.Layer], sizes: Sequence[int], flip: bool = True):
        if not networks or not sizes or min(sizes) < 1:
            raise ValueError(f"expected a network and a size of 1 or more, got {len(networks)} and {list(sizes)}")
        if len({network.num_classes for network in networks}) != 1:
            raise ValueError(f"expected networks of as many classes, got {[n.num_classes for n in networks]}")
        self.networks, self.sizes, self.flip = list(networks), tuple(sizes), flip
        for network in self.networks:
            network.eval()

    @property
    def views(self) -> int:
        """Passes through a network for one face."""
        return len(self.networks) * len(self.sizes) * (2 if self.flip else 1)

    @paddle.no_grad()
    def __call__(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Gives the mean probabilities.

        Args:
            crops: Face crops uint8, gray [H, W] or BGR [H, W, 3], of any sizes.

        Returns:
            float32 [N, num_classes]; every row sums to 1.
        """
        num_classes = self.networks[0].num_classes
        parts = [np.zeros((0, num_classes), np.float32)]
        for start in range(0, len(crops), _BATCH):
            probs = paddle.zeros([len(crops[start : start + _BATCH]), num_classes])
            for size in self.sizes:
                images = paddle.to_tensor(faces_to_batch(crops[start : start + _BATCH], size))
                for view in (images, images.flip(3)) if self.flip else (images,):
                    for network in self.networks:
                        probs += paddle.nn.functional.softmax(network(view))
            parts.append((probs / self.views).numpy())
        return np.concatenate(parts)


def load_ensemble(
    paths: Sequence[str | os.PathLike[str]], sizes: Sequence[int] = (), flip: bool = False
) -> tuple[TestTime, tuple[str, ...]]:
    """Reads one network or several and makes one classifier of them.

    Args:
        paths: `.safetensors` files with their cards.
        sizes: As in TestTime; none takes the side in the first card.
        flip: As in TestTime.

    Returns:
        The classifier, and the names of its classes.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: A file is damaged, or the networks have different classes.
    """
    loaded = [load_model(path) for path in paths]
    classes = {tuple(card["classes"]) for _, card in loaded}
    if len(classes) != 1:
        raise ValueError(f"expected networks of the same classes, got {len(classes)} different lists")
    sizes = sizes or (int(loaded[0][1]["input_size"]),)
    return TestTime([network for network, _ in loaded], sizes, flip), classes.pop()


def measure_views(
    classifier: TestTime,
    crops: Sequence[np.ndarray],
    labels: np.ndarray,
    classes: Sequence[str],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> dict[str, Any]:
    """Gives JSON values: `accuracy`, `faces`, `views` of each, and `recall` by class (of those that have faces).

    Args:
        classifier: What sees the faces.
        crops: Face crops, uint8.
        labels: int [N], indices into the classes.
        classes: Their names.
        progress: Wraps the batch starts for a progress bar.

    Raises:
        ValueError: There is no face.
    """
    if not len(labels):
        raise ValueError("expected at least one face to measure on, got none")
    starts = progress(range(0, len(labels), _BATCH))
    probs = np.concatenate([classifier(list(crops[start : start + _BATCH])) for start in starts])
    right = probs.argmax(axis=1) == labels
    recall = {name: float(right[labels == i].mean()) for i, name in enumerate(classes) if (labels == i).any()}
    return {"accuracy": float(right.mean()), "faces": len(labels), "views": classifier.views, "recall": recall}
