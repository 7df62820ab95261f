"""Commands that train an expression network, and that search one for one's own faces."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from fer_paddle import options as opt
from fer_paddle.console import Output, percent, table
from fer_paddle.messages import say


def train(
    *,
    data: Annotated[tuple[str, ...], f"faces to train on, may be given several times: {opt.FACES}"],
    valid: opt.ValidData = None,
    recipe: Annotated[
        str, "tutorial, strong, accurate, sam, ferplus, photos, study, compact, fine_tune, mouths"
    ] = "strong",
    model: Annotated[str, "a network of `study compare`"] = "distresnet",
    out: Annotated[Path, "folder of the run"] = Path("runs/expression"),
    classes: Annotated[tuple[str, ...], "names of your classes, also of folders 1, 2, ..."] = (),
    start: Annotated[Path | None, "weights to begin with, .safetensors of the same network, or a name"] = None,
    teachers: Annotated[tuple[str, ...], "networks whose answers the recipe photos learns too, names or files"] = (),
    unlabeled: Annotated[str | None, "faces that only the teachers label: a folder of crops or a pack"] = None,
    size: opt.Size = None,
    options: opt.TrainOptions,
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
    from fer_paddle.training.run import best_record

    chosen = choose_recipe(recipe, options.changes() | {"size": size})
    how = RunOptions(out, options.resume, workers=options.workers, data_changed=data_changed)
    source = data if len(data) > 1 else data[0]
    outcome = train_from_files(source, valid, model, chosen, how, start, classes or None, teachers, unlabeled)
    if parallel.rank() != 0:
        return None
    from fer_paddle.expression.export import export_expression_network

    export_expression_network(outcome.weights, outcome.weights.with_suffix(".onnx"))
    best = best_record(outcome.history, chosen)
    figures = best["epoch"], best["valid_accuracy"], say(describe_classes(outcome.classes)), out
    text = say("best epoch {}: accuracy {:.4f} on {}; written to {}").format(*figures)
    return Output(outcome.history, text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What the network may cost; without any of them only accuracy counts."""

    limit_ms: Annotated[opt.PositiveFloat | None, "most milliseconds a face, measured here on one thread"] = None
    limit_mflops: Annotated[opt.PositiveFloat | None, "most million multiply-adds a face"] = None
    limit_params: Annotated[opt.PositiveInt | None, "most parameters"] = None
    limit_activations: Annotated[opt.PositiveInt | None, "most numbers that the convolutions put out a face"] = None


Tuning = Annotated[opt.NaturalInt | None, "trials of the hyper-parameters (default: half of --trials, or time)"]
FinalEpochs = Annotated[opt.PositiveInt | None, "epochs of the last training (default: what the time allows)"]


def search(
    *,
    data: opt.TrainData,
    valid: opt.ValidData = None,
    limits: LimitOptions,
    hours: Annotated[opt.PositiveFloat | None, "time for all; default: an hour, or as long as --trials take"] = None,
    trials: Annotated[opt.PositiveInt | None, "designs to try (default: as many as half the time allows)"] = None,
    tuning: Tuning = None,
    strategy: Annotated[str, "random, evolution or annealing"] = "evolution",
    faces: Annotated[opt.PositiveInt, "faces that designs are tried on"] = 4000,
    epochs: Annotated[opt.PositiveInt, "epochs of a trial"] = 6,
    final_epochs: FinalEpochs = None,
    out: Annotated[Path, "folder of the search"] = Path("runs/search"),
    seed: opt.Seed = 0,
    runs: opt.Runs = 50,
    workers: opt.Workers = 0,
    threads: opt.Threads = None,
    resume: opt.Resume = False,
) -> Output:
    """Search a network within limits, tune how it trains, train it, and export it.

    Writes search.json, front.png, model.safetensors with its card, and model.onnx to the folder.
    """
    from fer_paddle import environment

    environment.prepare(threads)
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.compression.prune_study import check_new
    from fer_paddle.expression.compare import draw_front
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.export import export_expression_network
    from fer_paddle.expression.recipes import STUDY
    from fer_paddle.expression.search import FaceSearch, SearchPlan
    from fer_paddle.search.cost import Limits
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from fer_paddle.training.loop import RunOptions

    plan = SearchPlan(
        limits=Limits(limits.limit_mflops, limits.limit_params, limits.limit_activations, limits.limit_ms),
        strategy=strategy,
        trials=trials,
        tuning=tuning,
        hours=1.0 if hours is None and trials is None else hours,
        faces=faces,
        recipe=dataclasses.replace(STUDY, epochs=epochs),
        epochs=final_epochs,
        seed=seed,
        runs=runs,
    )
    check_new(out, resume)
    loaded = load_train_valid(data, valid, seed=seed)
    options = RunOptions(callbacks=[ProgressBar()], workers=workers)
    found = FaceSearch(*loaded, plan, out, options, provenance(data=data, valid=valid))
    best = found.find()
    save_figure(draw_front(found.rows, "latency_ms" if plan.limits.latency_ms else "mflops"), out / "front.png")
    outcome = found.train(found.tune(), data)
    export_expression_network(outcome.weights, outcome.weights.with_suffix(".onnx"))
    accuracy = max(record["valid_accuracy"] for record in outcome.history)
    found.study.content["final"] = {"design": best["design"], "accuracy": accuracy, "faces": len(loaded[1])}
    found.study.save()
    names = [name for name in ("parameters", "mflops", "activations", "latency_ms") if name in best]
    shown = sorted(found.rows, key=lambda row: -row["accuracy"])[:10]
    rows = [[row["description"], percent(row["accuracy"]), *(row[name] for name in names)] for row in shown]
    figures = best["description"], accuracy, len(loaded[1]), out
    text = say("{}: accuracy {:.4f} on {} faces; written to {}").format(*figures)
    return Output(found.study.content, f"{table(['design', 'held out', *names], rows)}\n\n{text}")
