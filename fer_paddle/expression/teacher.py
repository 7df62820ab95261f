"""Who teaches in a distillation: one frozen network or several, and what lies within them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.expression.files import load_model
from fer_paddle.weights import fingerprint

nn, functional = paddle.nn, paddle.nn.functional


class Tap:
    """Keeps what one layer gave in the last pass.

    Args:
        network: The network.
        name: Of its layer.

    Raises:
        ValueError: It has no such layer.
    """

    def __init__(self, network: nn.Layer, name: str):
        layers = dict(network.named_sublayers())
        if name not in layers:
            known = next(iter(layers))
            raise ValueError(f"expected a layer of {type(network).__name__} such as {known!r}, got {name!r}")
        self._output: paddle.Tensor | None = None
        self._hook = layers[name].register_forward_post_hook(self._keep)

    def _keep(self, layer: nn.Layer, inputs: Any, output: paddle.Tensor) -> None:
        self._output = output

    def take(self) -> paddle.Tensor:
        """Gives the output and forgets it, so that no graph outlives its step."""
        output, self._output = self._output, None
        return output

    def close(self) -> None:
        """Takes the hook out of the layer."""
        self._hook.remove()


class Teacher:
    """One frozen network or several, whose softened answers are averaged. No layer: nobody trains or saves it.

    Args:
        networks: Networks of the same classes, one or more; they are put into eval mode and frozen.
        sizes: Side in pixels that each wants its faces in; None gives them the student's.
        names: What to call each in the student's card; None takes the names of their classes.

    Raises:
        ValueError: There is no network, or not one size for each, or they have different classes.
    """

    def __init__(
        self, networks: Sequence[nn.Layer], sizes: Sequence[int] | None = None, names: Sequence[str] | None = None
    ):
        if not networks or (sizes is not None and len(sizes) != len(networks)):
            raise ValueError(f"expected one teacher or more and a size for each, got {len(networks)} and {sizes}")
        if len({network.num_classes for network in networks}) > 1:
            raise ValueError(f"expected teachers of the same classes, got {[one.num_classes for one in networks]}")
        self.networks, self.sizes = list(networks), list(sizes or [0] * len(networks))
        self.names = list(names or [type(network).__name__ for network in networks])
        for network in self.networks:
            network.eval()
            for parameter in network.parameters():
                parameter.stop_gradient = True

    @classmethod
    def load(cls, weights: Sequence[str | os.PathLike[str]]) -> Teacher:
        """Reads networks that models.files.save_model wrote, each with its own input size.

        Raises:
            FileNotFoundError: One is not there.
            ValueError: One is damaged, or they do not fit together.
        """
        loaded = [load_model(path) for path in weights]
        sizes = [int(card["input_size"]) for _, card in loaded]
        return cls([network for network, _ in loaded], sizes, [Path(path).name for path in weights])

    @property
    def num_classes(self) -> int:
        """Classes of the answers."""
        return self.networks[0].num_classes

    @property
    def fingerprints(self) -> list[str]:
        """What tells the weights of the networks from others: every training calls its file model.safetensors."""
        return [fingerprint(network) for network in self.networks]

    def describe(self) -> dict[str, list[str]]:
        """Who teaches, as JSON values."""
        return {"teachers": self.names, "teacher_fingerprints": self.fingerprints}

    @paddle.no_grad()
    def shares(self, images: paddle.Tensor, temperature: float = 1.0) -> paddle.Tensor:
        """Mean of softmax(logits / temperature) over the networks: float32 [N, 1, H, W] -> [N, C]."""
        answers = [
            functional.softmax(network(_resize(images, size)) / temperature)
            for network, size in zip(self.networks, self.sizes)
        ]
        return sum(answers) / len(answers)


def _resize(images: paddle.Tensor, size: int) -> paddle.Tensor:
    if size in (0, images.shape[-1]):
        return images
    return functional.interpolate(images, [size, size], mode="bilinear", align_corners=False)
