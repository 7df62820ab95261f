"""A Paddle network as the files that Paddle Inference reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_paddle.deployment.runtimes.model_files import write_card
from fer_paddle.environment import paddle
from fer_paddle.expression.files import ExpressionModel

InputSpec = Mapping[str, Sequence[int | None]]


def write_inference_model(
    network: paddle.nn.Layer, path: Path, input_spec: InputSpec, metadata: Mapping[str, str]
) -> None:
    """Writes `.pdmodel`, `.pdiparams` and their card. Compares nothing: see export.export_network.

    Args:
        network: The network in eval mode.
        path: The `.pdmodel` file to write.
        input_spec: Shape of each float32 input by name, None for a free axis.
        metadata: Text for the card.
    """
    specs = [paddle.static.InputSpec([*shape], "float32", name) for name, shape in input_spec.items()]
    paddle.jit.save(network, str(path.with_suffix("")), input_spec=specs)
    path.with_suffix(".pdiparams.info").unlink(missing_ok=True)  # a pickle that nothing needs
    write_card(path, list(input_spec), [], metadata)


def write_expression_model(weights: str | os.PathLike[str], path: Path) -> None:
    """Writes a `.safetensors` expression network as an inference model, without comparing.

    Raises:
        FileNotFoundError: There are no weights.
        ValueError: The weights are damaged or of another network.
    """
    model = ExpressionModel.load(weights)
    write_inference_model(model.network, path, model.input_spec, model.metadata)
