"""Commands that make an expression network smaller, and time what is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fer_paddle import options as opt
from fer_paddle.console import Output, table
from fer_paddle.options import PositiveInt

if TYPE_CHECKING:
    from fer_paddle.expression.data.faces import LabelledFaces


def prune(
    *,
    weights: opt.CourseWeights = None,
    data: opt.TrainData,
    valid: opt.ValidData = None,
    options: opt.PruneOptions,
    epochs: Annotated[PositiveInt, "epochs of each fine-tuning"] = 6,
    learning_rate: Annotated[opt.PositiveFloat, "highest learning rate of fine-tuning"] = 1e-3,
    recipe: Annotated[str | None, "recipe that fine-tuning shortens (default: that of the network's training)"] = None,
    soft_weight: Annotated[opt.UnitInterval, "weight of the teachers in the loss"] = 0.0,
    teacher: Annotated[tuple[Path, ...], ".safetensors; several make an ensemble (default: the unpruned network)"] = (),
    faces: Annotated[PositiveInt, "faces for the sensitivities"] = 1500,
) -> Output:
    """Measure how much each layer matters, cut the network to parts of its cost (0.7 0.5 0.3) and fine-tune each.

    Writes sensitivities_*.json and .png, one folder a pruned network with model.safetensors and model.onnx,
    results.json and curve.png to the folder of the study. What was finished is not done again with --resume.
    """
    from fer_paddle import environment

    environment.prepare(options.threads)
    from fer_paddle.compression.prune_study import PruneSettings, PruningStudy, check_new, table_of
    from fer_paddle.expression.predict import COURSE, classifier_file
    from fer_paddle.expression.prune import ExpressionPruneTask
    from fer_paddle.expression.train import choose_recipe
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar

    check_new(options.out, options.resume)
    cost, ratios = options.cost((0.7, 0.5, 0.3))
    settings = PruneSettings(ratios, options.criterion, options.steps, cost)
    shortened = choose_recipe(recipe, {}) if recipe else None
    weights = classifier_file(weights or COURSE, "dynamic")
    train, measured = _load_faces(weights, data, valid, options.seed)
    task = ExpressionPruneTask(
        weights, train, measured, epochs, learning_rate, faces,
        seed=options.seed, soft_weight=soft_weight, teachers=teacher, recipe=shortened, description=valid or data,
    )  # fmt: skip
    origin = provenance(data=data, weights=weights.name, seed=options.seed)
    study = PruningStudy(task, settings, options.out, origin, [ProgressBar()], options.data_changed)
    content = study.run(options.results)
    return Output(content, table(*table_of(content, "accuracy")))


def _load_faces(weights: Path, data: str, valid: str | None, seed: int) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the faces to train and to measure a network on, of the classes and labels that it learned."""
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.ferplus import take_for_training
    from fer_paddle.expression.files import ExpressionModel
    from fer_paddle.labels import own_classes
    from fer_paddle.weights import load_card

    train, measured = load_train_valid(data, valid, seed, own_classes(ExpressionModel.read_settings(weights).classes))
    return take_for_training(train, measured, load_card(weights).get("recipe", {}).get("ferplus"))


def prune_speed(
    files: Annotated[
        tuple[Path, ...],
        "expression networks or face detectors: .onnx, .tflite, .param, .mnn files, or names of `models`",
    ],
    *,
    threads: Annotated[tuple[opt.ThreadCount, ...], "threads of one run"] = (1, 2),
    batch: Annotated[opt.Batch, "images of a run"] = 1,
    runs: opt.Runs = 100,
    results: opt.Results = None,
) -> Output:
    """Time files, each in the runtime it is made for, in turns, so that a busy machine disturbs all alike."""
    from fer_paddle.apps.speed import time_side_by_side
    from fer_paddle.files import write_json
    from fer_paddle.weights import find_weights

    rows = time_side_by_side([find_weights(file) for file in files], threads, batch, runs)
    if results is not None:
        write_json(results, rows)
    shown = [
        [row["file"], row["threads"], *(f"{row[f'{name}_ms']:.2f}" for name in ("median", "p95", "least"))]
        + [row["file_bytes"] // 1000]
        for row in rows
    ]
    return Output(rows, table(["file", "threads", "median ms", "95 % ms", "least ms", "kB"], shown))


def quantize(
    *,
    weights: opt.CourseWeights = None,
    data: Annotated[str, f"faces to calibrate and train on: {opt.FACES}"],
    valid: opt.ValidData = None,
    methods: opt.Methods = ("ort-minmax", "ort-entropy", "ort-percentile"),
    calibrate: opt.Calibrate = None,
    images: opt.CalibrationImages = 256,
    faces: Annotated[PositiveInt | None, "measure on the first so many faces only"] = None,
    epochs: Annotated[PositiveInt, "epochs of slim-qat"] = 2,
    learning_rate: Annotated[opt.PositiveFloat, "highest learning rate of slim-qat"] = 3e-5,
    out: Annotated[Path, "folder of the files"] = Path("runs/quantize"),
    results: opt.Results = None,
    seed: opt.Seed = 0,
    threads: opt.Threads = None,
    data_changed: opt.DataChanged = False,
) -> Output:
    """Quantize a network by several methods; show method, runtime, accuracy, drop and file size of each.

    The files go to OUT/METHOD, the table to OUT/results.json. Rows already there for the same weights and images are
    kept, so an interrupted comparison goes on where it was.
    """
    from fer_paddle import environment

    environment.prepare(threads)
    import numpy as np

    from fer_paddle.compression.quantize import METHODS, choose, compare, read_calibration_images, table_of
    from fer_paddle.expression.predict import COURSE, classifier_file
    from fer_paddle.expression.quantize import ExpressionQuantizeTask
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar

    chosen = METHODS if methods == ("all",) else methods
    weights = classifier_file(weights or COURSE, "dynamic")
    train, measured = _load_faces(weights, data, valid, seed)
    if faces is not None:
        measured = measured.select(np.arange(min(faces, len(measured))))
    if calibrate is None:
        crops = choose(train.images, images, seed)
    else:
        crops = read_calibration_images(calibrate, images, seed)
    origin = provenance(data=data, calibration=str(calibrate or data), seed=seed)
    taught = train if "slim-qat" in chosen else None
    task = ExpressionQuantizeTask(weights, crops, measured, taught, epochs, learning_rate, [ProgressBar()])
    path, changed = results or out / "results.json", data_changed
    content = compare(task, chosen, out, path, origin, data_changed=changed)
    return Output(content, table(*table_of(content, "accuracy", ".1%")))
