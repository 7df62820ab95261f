"""New running means for batch normalisation: forward passes over training pictures, no gradient.

A layer that lost inputs gives outputs of another mean and spread than its batch normalisation remembers. Measuring
these anew costs seconds and wins back much of the loss. A network of averaged weights needs them as well.

Sources: after pruning Li et al. 2020, EagleEye, arXiv:2007.02491, section 3.3; after an average Izmailov et al. 2018,
arXiv:1803.05407, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fer_paddle.environment import paddle


@paddle.no_grad()
def recalibrate_norms(network: paddle.nn.Layer, batches: Iterable[np.ndarray | paddle.Tensor]) -> None:
    """Replaces the running mean and variance of every batch normalisation by the mean over the batches.

    Args:
        network: The network; everything else in it works as in eval mode.
        batches: Inputs, float32 [N, C, H, W] each, of about equal N; at least one.

    Raises:
        ValueError: There is no batch.
    """
    norms = [layer for layer in network.sublayers() if isinstance(layer, paddle.nn.BatchNorm2D)]
    momenta, was_training = [norm._momentum for norm in norms], network.training
    network.eval()
    count = 0
    try:
        for norm in norms:
            norm.train()
        for images in batches:
            for norm in norms:
                norm._momentum = count / (count + 1)  # running = momentum * running + (1 - momentum) * batch
            network(paddle.to_tensor(images))
            count += 1
    finally:
        for norm, momentum in zip(norms, momenta):
            norm._momentum = momentum
        network.train() if was_training else network.eval()
    if not count:
        raise ValueError("expected at least one batch to measure batch normalisation on, got none")
