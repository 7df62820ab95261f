"""What is searched: named choices, and designs that take one value of each.

`PLAIN` is the family of `models.vgg`: stages of plain convolutions, each with its own depth, width and kernel. The
hand-made `vgg8_flat` is one of its designs, and a found one is rebuilt from its card like any network of MODELS.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.models import build_model

Design = Mapping[str, Any]  # a value for each name of the space
FAMILY = "vgg8"  # of models.MODELS


@dataclass(frozen=True)
class Space:
    """A search space: name -> the values it may take, two designs differ where their values do."""

    choices: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        """Return the number of designs."""
        return math.prod(len(values) for values in self.choices.values())

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw a design, each value with the same chance."""
        return {name: values[rng.integers(len(values))] for name, values in self.choices.items()}

    @property
    def smallest(self) -> dict[str, Any]:
        """The design of the least numbers; of words, such as an activation, the first."""
        words = {name for name, values in self.choices.items() if isinstance(values[0], str)}
        return {name: values[0] if name in words else min(values) for name, values in self.choices.items()}

    def shrink(self, design: Design, rng: np.random.Generator) -> dict[str, Any]:
        """Return the design with some of its values, few or many, replaced by those of the smallest."""
        ratio, smallest = rng.random(), self.smallest
        return {name: smallest[name] if rng.random() < ratio else value for name, value in design.items()}

    def mutate(self, design: Design, rng: np.random.Generator) -> dict[str, Any]:
        """Return the design with one of its values changed."""
        names = [name for name, values in self.choices.items() if len(values) > 1]
        name = names[rng.integers(len(names))]
        others = [value for value in self.choices[name] if value != design[name]]
        return {**design, name: others[rng.integers(len(others))]}


def plain_space(
    stages: int = 4,  # each ends with a pool that halves the image
    widths: Sequence[int] = (8, 16, 24, 32, 48, 64),  # channels of a stage, multiples of 8
    depths: Sequence[int] = (1, 2, 3),  # convolutions of a stage
    kernels: Sequence[int] = (3, 5),  # odd sides of its kernels
    activations: Sequence[str] = ("relu", "elu", "hardswish"),  # of blocks.ACTIVATIONS, one for the whole network
    sizes: Sequence[int] = (32, 40, 48),  # sides of the input in pixels
) -> Space:
    """Return the space of plain networks."""
    staged = {"width": widths, "depth": depths, "kernel": kernels}
    choices = {f"{name}{stage}": values for stage in range(stages) for name, values in staged.items()}
    return Space({**choices, "activation": activations, "size": sizes})


PLAIN = plain_space()


def stage_values(design: Design, name: str) -> list[int]:
    """Return what a plain design says of each stage: its `width`, `depth` or `kernel`."""
    stages = sum(key.startswith("width") for key in design)
    return [design[f"{name}{stage}"] for stage in range(stages)]


def plain_arguments(design: Design) -> dict[str, Any]:
    """Return what the constructor of FAMILY makes a plain design of; its input size is no part of the network."""
    sizes = {f"{name}s": stage_values(design, name) for name in ("depth", "kernel")}
    more = {"width": 1.0, "dropout": 0.0, "activation": design["activation"]}
    return {"channels": stage_values(design, "width"), **sizes, **more}


def build_plain(design: Design, **more: Any) -> paddle.nn.Layer:
    """Build the network of a plain design, with random weights; `more` are num_classes and in_channels."""
    return build_model(FAMILY, **plain_arguments(design), **more)


def describe_plain(design: Design) -> str:
    """Return a plain design in a line, such as "24x2k3 32x2k3 relu 40 px": width x depth, kernel of each stage."""
    values = zip(*(stage_values(design, name) for name in ("width", "depth", "kernel")))
    stages = " ".join(f"{width}x{depth}k{kernel}" for width, depth, kernel in values)
    return f"{stages} {design['activation']} {design['size']} px"


def design_key(design: Design) -> str:
    """Return text that two designs share where they are equal."""
    return json.dumps(design, sort_keys=True)
