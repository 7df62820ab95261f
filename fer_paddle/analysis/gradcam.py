"""Grad-CAM and Grad-CAM++: which part of a face speaks for a class.

Sources: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2; Chattopadhay et al. 2018, arXiv:1710.11063,
equations 11, 19 and 20.
"""

from __future__ import annotations

import numpy as np

from fer_paddle.analysis.features import capture
from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating


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
    network: paddle.nn.Layer, images: np.ndarray, layer: str, classes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps A of a layer and d logit / d A, both float32 [N, K, h, w]; arguments as in `grad_cam`."""
    inputs = paddle.to_tensor(images)
    inputs.stop_gradient = False  # a network whose weights are frozen has a graph all the same
    with evaluating(network), capture(network, [layer]) as outputs:
        logits = network(inputs)
        maps = outputs[layer]
        if not isinstance(maps, paddle.Tensor) or maps.ndim != 4:
            raise ValueError(f"expected a layer that gives maps [N, K, h, w], got {layer!r}, which does not")
        (slopes,) = paddle.grad(class_score(logits, classes), maps)
    return maps.numpy(), slopes.numpy()


def class_score(logits: paddle.Tensor, classes: np.ndarray | None) -> paddle.Tensor:
    """Sum the logits of the classes asked about (None: the largest) over the faces; ValueError for a wrong one."""
    num_faces, num_classes = logits.shape
    asked = logits.numpy().argmax(axis=1) if classes is None else np.asarray(classes)
    if asked.shape != (num_faces,) or not ((asked >= 0) & (asked < num_classes)).all():
        raise ValueError(f"expected {num_faces} classes from 0 to {num_classes - 1}, got {asked.tolist()}")
    chosen = paddle.nn.functional.one_hot(paddle.to_tensor(asked.astype(np.int64)), num_classes)
    return (logits * chosen).sum()
