"""The command that trains an expression network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fer_paddle.console import Output
from fer_paddle.messages import say
from fer_paddle.options import FACES, Size, TrainOptions, ValidData


def train(
    *,
    data: Annotated[tuple[str, ...], f"faces to train on, may be given several times: {FACES}"],
    valid: ValidData = None,
    recipe: Annotated[
        str, "tutorial, strong, accurate, sam, ferplus, photos, study, compact, fine_tune, mouths"
    ] = "strong",
    model: Annotated[str, "a network of `study compare`"] = "distresnet",
    out: Annotated[Path, "folder of the run"] = Path("runs/expression"),
    classes: Annotated[tuple[str, ...], "names of your classes, also of folders 1, 2, ..."] = (),
    start: Annotated[Path | None, "weights to begin with, .safetensors of the same network, or a name"] = None,
    teachers: Annotated[tuple[str, ...], "networks whose answers the recipe photos learns too, names or files"] = (),
    unlabeled: Annotated[str | None, "faces that only the teachers label: a folder of crops or a pack"] = None,
    size: Size = None,
    options: TrainOptions,
    data_changed: Annotated[bool, "resume though the data are others than before"] = False,
) -> Output | None:
    """Train on labeled faces.

    Writes checkpoints, curves, model.safetensors and model.onnx to the folder of the run.
    """
    from fer_paddle import environment

    environment.prepare(options.threads)
    from fer_paddle.expression.train import choose_recipe, train_from_files
    from fer_paddle.labels import describe_classes
    from fer_paddle.training import parallel
    from fer_paddle.training.loop import RunOptions

    chosen = choose_recipe(recipe, options.changes() | {"size": size})
    how = RunOptions(out, options.resume, workers=options.workers, data_changed=data_changed)
    source = data if len(data) > 1 else data[0]
    outcome = train_from_files(source, valid, model, chosen, how, start, classes or None, teachers, unlabeled)
    if parallel.rank() != 0:
        return None
    from fer_paddle.expression.export import export_expression_network

    export_expression_network(outcome.weights, outcome.weights.with_suffix(".onnx"))
    best = (max if chosen.mode == "max" else min)(outcome.history, key=lambda record: record[chosen.monitor])
    figures = best["epoch"], best["valid_accuracy"], say(describe_classes(outcome.classes)), out
    text = say("best epoch {}: accuracy {:.4f} on {}; written to {}").format(*figures)
    return Output(outcome.history, text)
