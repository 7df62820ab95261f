"""Test-time augmentation (TTA) and ensembles: the mean of the probabilities over several views and networks.

Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1;
ensembles: Hansen and Salamon 1990, "Neural network ensembles".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_paddle.analysis.metrics import softmax
from fer_paddle.deployment.runtimes import Runner
from fer_paddle.expression.predict import Classifier
from fer_paddle.images import faces_to_batch, predict

if TYPE_CHECKING:
    from paddle.nn import Layer

CROP = 0.9  # side of a crop over that of the image; Krizhevsky et al. have 0.875


class TTAClassifier:
    """A classifier of face crops that shows each in several views to each of several networks.

    Args:
        networks: One or more expression networks: Paddle's, which are put into eval mode, or loaded files.
        sizes: Side in pixels that each network sees the faces at, as many as networks.
        scales: Times these sides: (0.9, 1, 1.1) shows each face in three sizes.
        flip: Add the mirror image of each.
        five_crop: Enlarge each face by 1 / CROP and see its four corners and its center instead of the whole (with
            `flip` the ten crops of the source).
    """

    def __init__(
        self,
        networks: Sequence[Layer | Runner],
        sizes: Sequence[int],
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        five_crop: bool = False,
    ):
        self.runners = [one if isinstance(one, Runner) else _run_layer(one) for one in networks]
        self.sizes, self.scales, self.flip, self.five_crop = tuple(sizes), tuple(scales), flip, five_crop

    @property
    def views(self) -> int:
        """Passes through a network for one face."""
        return len(self.runners) * len(self.scales) * (5 if self.five_crop else 1) * (2 if self.flip else 1)

    def __call__(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the mean probabilities, float32 [N, num_classes], of crops uint8, gray or BGR, of any sizes."""
        if not len(crops):
            return self._mean_probs([np.zeros((1, 1), np.uint8)])[:0]
        return predict(self._mean_probs, crops)

    def _mean_probs(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        pairs = zip(self.runners, self.sizes)
        return np.mean([softmax(run(view)[0]) for run, size in pairs for view in self._show(crops, size)], axis=0)

    def _show(self, crops: Sequence[np.ndarray] | np.ndarray, size: int) -> Iterable[np.ndarray]:
        """Give the views for a network of a side in pixels, float32 [N, 1, side, side] each."""
        for side in (max(1, round(scale * size)) for scale in self.scales):
            full = round(side / CROP) if self.five_crop else side
            images = faces_to_batch(crops, full)
            end = full - side
            corners = [(0, 0), (0, end), (end, 0), (end, end), (end // 2, end // 2)]
            for top, left in corners if self.five_crop else [(0, 0)]:
                view = images[:, :, top : top + side, left : left + side]
                yield from (view, view[..., ::-1]) if self.flip else (view,)


def load_ensemble(
    paths: Sequence[str | os.PathLike[str]],
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    five_crop: bool = False,
) -> tuple[TTAClassifier, tuple[str, ...]]:
    """Read networks as one classifier, each at its own side, in the runtime of its file; return it with its classes."""
    loaded: list[Any]
    if set(scales) == {1.0}:
        loaded = [Classifier(path) for path in paths]
        networks = [one.runner for one in loaded]
    else:
        from fer_paddle.expression.files import ExpressionModel

        if other := [path for path in paths if Path(path).suffix.lower() != ".safetensors"]:
            raise ValueError(f"expected .safetensors networks for scales, as others take one size, got {other[0]}")
        loaded = [ExpressionModel.load(path) for path in paths]
        networks = [one.network for one in loaded]
    classes = {one.classes for one in loaded}
    if len(classes) != 1:
        raise ValueError(f"expected networks of the same classes, got {len(classes)} different lists")
    return TTAClassifier(networks, [one.input_size for one in loaded], scales, flip, five_crop), classes.pop()


def _run_layer(network: Layer) -> Runner:
    from fer_paddle.deployment.runtimes.paddle import NetworkRunner

    network.eval()
    return NetworkRunner(network, {})
