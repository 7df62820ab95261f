"""Which part of a face speaks for a class: Grad-CAM and Grad-CAM++, saliency and occlusion.

Sources: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2; Chattopadhay et al. 2018, arXiv:1710.11063,
equations 11, 19 and 20; Simonyan et al. 2014, arXiv:1312.6034, section 3; Zeiler and Fergus 2014, arXiv:1311.2901,
section 4.2.
"""

from __future__ import annotations

import numpy as np

from fer_paddle.analysis.features import capture
from fer_paddle.analysis.metrics import check_labels
from fer_paddle.environment import paddle
from fer_paddle.images import predict
from fer_paddle.models.network import evaluating, image_tensor


def grad_cam(network: paddle.nn.Layer, images: np.ndarray, layer: str, classes: np.ndarray | None = None) -> np.ndarray:
    """Return relu(sum_k a_k A_k), where a_k is the mean over the map of d logit / d A_k.

    Args:
        network: An expression network.
        images: float32 [N, 1, H, W], normalized.
        layer: Name of a layer with maps A [N, K, h, w]; see features.last_layer_of_side.
        classes: int [N], the class asked about; None asks about the predicted one.

    Returns:
        float32 [N, h, w], 0 or more.
    """
    maps, slopes = maps_and_slopes(network, images, layer, classes)
    weights = slopes.mean(axis=(2, 3), keepdims=True)  # [N, K, 1, 1]
    return np.maximum((weights * maps).sum(axis=1), 0)


def grad_cam_plus_plus(
    network: paddle.nn.Layer, images: np.ndarray, layer: str, classes: np.ndarray | None = None
) -> np.ndarray:
    """Return Grad-CAM with the pixels of each map weighted, so that several places of a class count."""
    maps, slopes = maps_and_slopes(network, images, layer, classes)
    below = 2 * slopes**2 + maps.sum(axis=(2, 3), keepdims=True) * slopes**3
    ratios = np.divide(slopes**2, below, out=np.zeros_like(slopes), where=np.abs(below) > 1e-20)
    weights = (ratios * np.maximum(slopes, 0)).sum(axis=(2, 3), keepdims=True)
    return np.maximum((weights * maps).sum(axis=1), 0)


def maps_and_slopes(
    network: paddle.nn.Layer, images: np.ndarray, layer: str | None, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps A of a layer and d logit / d A, as in `grad_cam`; of the images where there is no layer."""
    inputs = image_tensor(images)
    inputs.stop_gradient = False  # a network whose weights are frozen has a graph all the same
    with evaluating(network), capture(network, [] if layer is None else [layer]) as outputs:
        logits = network(inputs)
        maps = inputs if layer is None else outputs[layer]
        if not isinstance(maps, paddle.Tensor) or maps.ndim != 4:
            raise ValueError(f"expected a layer that gives maps [N, K, h, w], got {layer!r}, which does not")
        (slopes,) = paddle.grad(class_score(logits, classes), maps)
    return maps.numpy(), slopes.numpy()


def class_score(logits: paddle.Tensor, classes: np.ndarray | None) -> paddle.Tensor:
    """Sum the logits of the classes asked about (None: the largest) over the faces; ValueError for a wrong one."""
    num_faces, num_classes = logits.shape
    asked = check_labels(logits.numpy().argmax(axis=1) if classes is None else classes, num_faces, num_classes)
    chosen = paddle.nn.functional.one_hot(paddle.to_tensor(asked), num_classes)
    return (logits * chosen).sum()


def class_saliency(network: paddle.nn.Layer, images: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
    """Return |d logit / d pixel|: where a small change of a pixel changes the class most."""
    return np.abs(maps_and_slopes(network, images, None, classes)[1]).max(axis=1)


def occlusion(
    network: paddle.nn.Layer, image: np.ndarray, label: int | None = None, patch: int = 12, stride: int = 4
) -> np.ndarray:
    """Return how much probability of a class is lost when a gray patch covers a pixel, the mean over such patches."""
    image = image_tensor(np.asarray(image)[None]).numpy()[0]
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
    (asked,) = check_labels([probs[-1].argmax() if label is None else label], 1, probs.shape[1])
    lost, times = np.zeros((2, *image.shape[1:]), np.float32)
    for place, value in zip(places, probs[-1, asked] - probs[:-1, asked]):
        lost[place] += value
        times[place] += 1
    return lost / times
