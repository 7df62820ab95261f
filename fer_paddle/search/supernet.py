"""One-shot search: one network holds the weights of all plain designs, and all are trained at once.

A design takes the first filters of each convolution, the middle of its kernel and the first convolutions of each stage.
Training shows every batch to the largest, the smallest and some random designs (the sandwich rule); the largest learns
from the labels, the others from its answers.

Source: Yu and Huang 2019, arXiv:1903.05134 (sandwich rule, distillation in place); Cai et al. 2020, arXiv:1908.09791
(depth, the middle of a kernel).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fer_paddle.compression.prune import recalibrate_norms
from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm
from fer_paddle.search.space import Design, Space, build_plain, stage_values

functional = paddle.nn.functional


class PlainSupernet(paddle.nn.Layer):
    """All designs of a plain space in the weights of the largest; `slice_design` cuts one out.

    Args:
        space: See space.plain_space, with one activation: weights learned for one do not fit another.
        random_designs: Designs that learn from each batch beside the largest and the smallest.
        more: Of build_plain.
    """

    def __init__(self, space: Space, random_designs: int = 2, **more: Any):
        super().__init__()
        self.space, self.random_designs, self.more = space, random_designs, more
        self.largest = {name: max(values) for name, values in space.choices.items()}
        self.network = build_plain(self.largest, **more)

    def forward(self, images: paddle.Tensor) -> list[paddle.Tensor]:
        """Return the logits [N, num_classes] of the largest, the smallest and, in training, random designs."""
        designs = [self.largest, self.space.smallest]
        if self.training:
            # The loop seeds NumPy before each step, so that a resumed training draws the same designs.
            rng = np.random.default_rng(np.random.randint(2**31))
            designs += [self.space.sample(rng) for _ in range(self.random_designs)]
        return [self.run(design, images) for design in designs]

    def run(self, design: Design, images: paddle.Tensor) -> paddle.Tensor:
        """Return the logits of one design, its batch normalization by the statistics of the batch."""
        for block, width, kernel in self._blocks(design):
            if width is None:
                images = block(images)
                continue
            weight = _cut(block[0].weight, width, images.shape[1], kernel)
            images = functional.conv2d(images, weight, padding=kernel // 2)
            scale, shift = block[1].weight[:width], block[1].bias[:width]
            zeros, ones = paddle.zeros([width]), paddle.ones([width])
            images = block[2](functional.batch_norm(images, zeros, ones, scale, shift, training=True))
        features, last = self.network.pool(images).flatten(1), self.network.classify
        return functional.linear(features, last.weight[: features.shape[1]], last.bias)

    @paddle.no_grad()
    def slice_design(self, design: Design, batches: Iterable[np.ndarray] = ()) -> paddle.nn.Layer:
        """Return the network of one design with copies of its weights.

        Args:
            design: A design of the space.
            batches: Inputs [N, C, H, W] for the statistics of batch normalization, which no two designs share; see
                compression.prune.recalibrate_norms. Without any, the network is to be trained first.
        """
        network = build_plain(design, **self.more)
        own = [layer for layer in network.features if isinstance(layer, ConvNorm)]
        for (block, _, kernel), target in zip((one for one in self._blocks(design) if one[1] is not None), own):
            width, before = target[0].weight.shape[:2]
            paddle.assign(_cut(block[0].weight, width, before, kernel), target[0].weight)
            for name in ("weight", "bias"):
                paddle.assign(getattr(block[1], name)[:width], getattr(target[1], name))
        paddle.assign(self.network.classify.weight[: network.num_features], network.classify.weight)
        paddle.assign(self.network.classify.bias, network.classify.bias)
        if batches:
            recalibrate_norms(network, batches)
        network.eval()
        return network

    def _blocks(self, design: Design) -> Iterator[tuple[paddle.nn.Layer, int | None, int]]:
        """Give the layers that a design uses, in order, with the width and kernel it cuts; None for a pool."""
        widths, depths, kernels = (stage_values(design, name) for name in ("width", "depth", "kernel"))
        first = 0
        for stage, deepest in enumerate(stage_values(self.largest, "depth")):
            for block in range(depths[stage]):
                yield self.network.features[first + block], widths[stage], kernels[stage]
            yield self.network.features[first + deepest], None, 0
            first += deepest + 1


def _cut(weight: paddle.Tensor, width: int, before: int, kernel: int) -> paddle.Tensor:
    """Return the first `width` filters over the first `before` channels, the middle of their kernels."""
    edge = (weight.shape[2] - kernel) // 2
    return weight[:width, :before, edge : edge + kernel, edge : edge + kernel]


def sandwich_loss(outputs: Sequence[paddle.Tensor], labels: paddle.Tensor) -> Mapping[str, paddle.Tensor]:
    """Return the loss of `loop.fit`: the largest learns the labels int64 [N], the others the answers of the largest."""
    answers = functional.softmax(outputs[0].detach())
    others = [functional.cross_entropy(logits, answers, soft_label=True) for logits in outputs[1:]]
    return {"largest": functional.cross_entropy(outputs[0], labels), "others": sum(others)}
