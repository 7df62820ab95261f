"""Saliency and occlusion: which pixels a class depends on.

Sources: Simonyan et al. 2014, arXiv:1312.6034, section 3; Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2.
"""

from __future__ import annotations

import numpy as np

from fer_paddle.analysis.gradcam import class_score
from fer_paddle.environment import paddle
from fer_paddle.images import predict
from fer_paddle.models.network import evaluating


def class_saliency(network: paddle.nn.Layer, images: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
    """Return |d logit / d pixel|: where a small change of a pixel changes the class most."""
    inputs = paddle.to_tensor(images)
    inputs.stop_gradient = False
    with evaluating(network):
        (slopes,) = paddle.grad(class_score(network(inputs), classes), inputs)
    return np.abs(slopes.numpy()).max(axis=1)


def occlusion(
    network: paddle.nn.Layer, image: np.ndarray, label: int | None = None, patch: int = 12, stride: int = 4
) -> np.ndarray:
    """Return how much probability of a class is lost when a gray patch covers a pixel, the mean over such patches."""
    side = min(image.shape[1:])
    if not 1 <= patch <= side or not 1 <= stride <= patch:
        raise ValueError(f"expected a patch of 1 to {side} px and a stride of 1 to that, got {patch} and {stride}")
    tops, lefts = ([*range(0, length - patch, stride), length - patch] for length in image.shape[1:])
    places = [(slice(top, top + patch), slice(left, left + patch)) for top in tops for left in lefts]
    covered = np.repeat(image[None], len(places) + 1, axis=0)  # the last one stays whole
    for one, (rows, columns) in zip(covered, places):
        one[:, rows, columns] = 0
    with paddle.no_grad(), evaluating(network):
        probs = predict(lambda batch: paddle.nn.functional.softmax(network(paddle.to_tensor(batch))).numpy(), covered)
    asked = int(probs[-1].argmax()) if label is None else label
    if not 0 <= asked < probs.shape[1]:
        raise ValueError(f"expected a class from 0 to {probs.shape[1] - 1}, got {label}")
    lost, times = np.zeros((2, *image.shape[1:]), np.float32)
    for place, value in zip(places, probs[-1, asked] - probs[:-1, asked]):
        lost[place] += value
        times[place] += 1
    return lost / times
