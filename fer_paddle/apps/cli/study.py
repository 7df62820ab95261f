"""`study NAME`: comparisons of trainings under one budget."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from fer_paddle import options as opt
from fer_paddle.console import Output, percent, table
from fer_paddle.messages import say

Out = Annotated[Path, "folder of the study"]
Faces = Annotated[opt.PositiveInt | None, "train on so many faces, with the classes in proportion (default: all)"]
ValidFaces = Annotated[opt.PositiveInt | None, "measure on so many faces (default: all)"]
StudyEpochs = Annotated[opt.PositiveInt, "epochs of each training"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What compare and curves train and measure on."""

    data: opt.TrainData
    valid: opt.ValidData = None
    faces: Faces = None
    valid_faces: ValidFaces = None
    seed: opt.Seed = 0
    threads: opt.Threads = None

    def origin(self, train: Any, measured: Any) -> dict[str, Any]:
        from fer_paddle.study import provenance

        return provenance(data=self.data, train_faces=train.counts(), valid_faces=len(measured), seed=self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """What the trials of scale and augment share; two hours of two cores by default."""

    data: opt.TrainData = "fer2013_train.npz"
    valid: opt.ValidData = None
    valid_faces: ValidFaces = None
    epochs: StudyEpochs = 12
    seeds: Annotated[opt.PositiveInt, "seeds of what one cannot decide"] = 3
    threads: opt.Threads = 1
    data_changed: opt.DataChanged = False


def compare(
    *,
    source: Data,
    models: Annotated[tuple[str, ...], "names of designs (default: all)"] = (),
    epochs: StudyEpochs = 12,
    size: Annotated[opt.Side, "side of the faces in pixels"] = 40,
    runs: opt.Runs = 100,
    out: Out = Path("runs/compare"),
    data_changed: opt.DataChanged = False,
) -> Output:
    """Train all networks under one budget; write compare.json and compare.png.

    What is finished is kept: call it again to go on after an interruption.
    """
    train, measured = _load(source)
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.expression.compare import HEADINGS, RESULT, compare_designs, draw_costs, list_rows, measure_cost
    from fer_paddle.expression.recipes import STUDY
    from fer_paddle.files import read_json
    from fer_paddle.models import DESIGNS
    from fer_paddle.training.callbacks import ProgressBar
    from fer_paddle.training.loop import RunOptions

    side = ((0, size),)
    recipe = dataclasses.replace(STUDY, epochs=epochs, sizes=side, valid_sizes=side, seed=source.seed)
    compare_designs(
        models or list(DESIGNS),
        train,
        measured,
        recipe,
        out,
        lambda network, size: measure_cost(network, size, runs),
        RunOptions(callbacks=[ProgressBar()], data_changed=data_changed),
        source.origin(train, measured),
    )
    result = read_json(out / RESULT, "the comparison")
    save_figure(draw_costs(result["rows"]), out / "compare.png")
    figures = len(train), size, epochs, len(measured), out
    text = say("{} faces of {} px, {} epochs, measured on {}; written to {}").format(*figures)
    return Output(result, f"{table(HEADINGS, list_rows(result['rows']))}\n\n{text}")


def curves(
    *,
    source: Data,
    model: Annotated[str, "network or design"] = "resnet18_tiny",
    out: Out = Path("runs/curves"),
) -> Output:
    """Make the five cases of training and test loss, each by a short run; write curves.json and curves.png."""
    train, measured = _load(source)
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.expression.curve_cases import CASES, draw_cases, judge, run_case
    from fer_paddle.files import write_json
    from fer_paddle.study import naming
    from fer_paddle.training.callbacks import ProgressBar

    histories, judged = {}, {}
    for case in CASES:
        with naming({"model": model, "case": case.name}):
            histories[case.name] = run_case(case, train, measured, model, out / case.name, [ProgressBar()])
        judged[case.name] = judge(case, histories[case.name])
    result = {**source.origin(train, measured), "judged": judged, "histories": histories}
    write_json(out / "curves.json", result)
    save_figure(draw_cases(histories), out / "curves.png")
    rows = []
    for case in CASES:
        found, expected = judged[case.name], f"{case.train}, {' or '.join(case.test)}"
        rows.append([case.title, found["train"], found["test"], expected, case.made_by, case.remedy])
    return Output(result, table(["case", "training", "test", "expected", "made by", "remedy"], rows))


def scale(
    *,
    sizes: Annotated[tuple[opt.Side, ...], "sides of the faces in pixels"] = (24, 32, 48, 64, 96, 128),
    model: Annotated[str, "network"] = "distresnet",
    faces: Annotated[opt.PositiveInt, "faces to train on"] = 4000,
    budget: Budget,
    out: Out = Path("runs/study-scale"),
) -> Output:
    """Train one network at several sizes with one budget; write accuracy, operations and latency to result.json."""
    study, trial = _open(budget, model, faces, out)
    from fer_paddle.expression.studies import study_scale

    rows = study_scale(study, trial, sizes, range(1, budget.seeds))
    return _show_trials(study, rows, {"mflops": "MFLOPs", "latency_ms": "ms"})


def augment(
    *,
    size: Annotated[opt.Side, "side of the faces in pixels"] = 32,
    # VGG8 knows 3,000 faces by heart after 12 epochs; DistResNet has not yet learned them, and nothing could help it.
    model: Annotated[str, "network"] = "vgg8",
    faces: Annotated[opt.PositiveInt, "faces to train on"] = 3000,
    budget: Budget,
    out: Out = Path("runs/study-augment"),
) -> Output:
    """Train one network without augmentation, with each change alone and with the whole; write result.json."""
    study, trial = _open(budget, model, faces, out, ((0, size),))
    from fer_paddle.expression.studies import study_augmentation

    return _show_trials(study, study_augmentation(study, trial, range(1, budget.seeds)), {})


def distill(
    *,
    data: opt.TrainData,
    valid: opt.ValidData = None,
    teacher: Annotated[tuple[Path, ...], ".safetensors; several make an ensemble"],
    student: Annotated[str, "network or design"] = "pocketnet",
    start: Annotated[Path | None, "weights to begin with, .safetensors of the student's network"] = None,
    recipe: Annotated[str, "recipe of every training"] = "study",
    kinds: Annotated[tuple[str, ...], "plain, soft, hint, soft+hint"] = ("plain", "soft"),
    seeds: Annotated[tuple[opt.Seed, ...], "a training of each kind for each seed"] = (0, 1, 2),
    epochs: opt.Epochs = None,
    size: opt.Size = None,
    faces: Faces = None,
    temperature: Annotated[opt.PositiveFloat, "softens the answers of teacher and student"] = 4.0,
    soft_weight: Annotated[opt.UnitInterval, "weight of the teacher in the loss"] = 0.7,
    hint_weight: Annotated[opt.NonNegativeFloat, "weight of the hints"] = 0.0,
    out: Out = Path("runs/distill"),
    result: Annotated[Path | None, "JSON of the study (default: result.json in the folder)"] = None,
    workers: opt.Workers = 0,
    threads: opt.Threads = None,
    data_changed: opt.DataChanged = False,
) -> Output:
    """Train a student plainly and with a teacher, the same epochs, for several seeds."""
    from fer_paddle import environment

    environment.prepare(threads)
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.faces import take_subset
    from fer_paddle.expression.distill import DistillPlan, DistillSettings, load_teacher, run_study
    from fer_paddle.expression.files import ExpressionModel
    from fer_paddle.expression.train import choose_recipe
    from fer_paddle.labels import own_classes
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from fer_paddle.training.loop import RunOptions

    settings = DistillSettings(temperature, soft_weight, hint_weight)
    common = dataclasses.replace(choose_recipe(recipe, {"epochs": epochs, "size": size}), aux_weight=0.0)
    plan = DistillPlan(student, common, settings, kinds, seeds, start and ExpressionModel.find(start))
    classes = own_classes(ExpressionModel.read_settings(teacher[0]).classes)
    train, measured = load_train_valid(data, valid, classes=classes)
    loaded = load_teacher(teacher, train)
    origin = provenance(data=data, teacher=[str(path) for path in teacher])
    path = result or out / "result.json"
    subset = take_subset(train, faces)
    options = RunOptions(callbacks=[ProgressBar()], workers=workers, data_changed=data_changed)
    found = run_study(plan, loaded, subset, measured, out, path, origin, options)
    rows = []
    for row in found["summary"]:
        has_gain = row["name"] != "plain" and row["gain"] is not None
        gain = _spread("{:+.4f}", row["gain"], row["gain_deviation"]) if has_gain else ""
        accuracies = [f"{row['accuracy']:.4f}", f"{row['least']:.4f}-{row['most']:.4f}"]
        rows.append([row["name"], row["seeds"], *accuracies, gain])
    text = table(["training", "seeds", "accuracy", "range", "gain over plain"], rows)
    return Output(found, f"{text}\n\n" + say("teacher: accuracy {teacher_accuracy:.4f}").format(**found))


def losses(
    data: Annotated[tuple[Path, ...], "faces as `landmarks crops` writes them (.npz)"],
    *,
    kinds: Annotated[tuple[str, ...], "losses, of l1, l2, smooth_l1, wing; each is compared with the first"] = (
        "l2",
        "wing",
    ),
    seeds: Annotated[tuple[opt.Seed, ...], "a training of each kind for each seed"] = (0, 1, 2),
    epochs: StudyEpochs = 5,
    out: Annotated[Path, "JSON of the study"] = Path("runs/losses.json"),
    threads: opt.Threads = None,
    data_changed: opt.DataChanged = False,
) -> Output:
    """Train a landmark network by several losses, the same epochs, for several seeds."""
    from fer_paddle import environment

    environment.prepare(threads)
    from fer_paddle.landmarks.recipes import STUDY
    from fer_paddle.landmarks.train import load_train_valid, study_losses
    from fer_paddle.study import Study, provenance

    train, valid = load_train_valid(data)
    recipe = dataclasses.replace(STUDY, epochs=epochs)
    digests = {"train": train.digest(), "validation": valid.digest()}
    origin = provenance(data=[path.name for path in data], train_faces=len(train), valid_faces=len(valid))
    study = Study(out, {"recipe": recipe.to_json()}, origin, digests, data_changed)
    study.content["summary"] = study_losses(study, train, valid, recipe, kinds, seeds)
    study.save()
    rows = [
        [row["loss"], row["seeds"], _spread("{:.2%}", row["nme"], row["deviation"])]
        + [_spread("{:+.2%}", row["gain"], row["gain_deviation"]) if row["loss"] != kinds[0] else ""]
        for row in study.content["summary"]
    ]
    headings = ["loss", "seeds", "error, inter-ocular", say("gain over {}").format(kinds[0])]
    return Output(study.content, table(headings, rows))


def _spread(form: str, mean: float, deviation: float | None) -> str:
    """Format a mean, with its standard deviation where there is one."""
    return form.format(mean) + ("" if deviation is None else f" ± {form.replace('+', '').format(deviation)}")


def _load(source: Data) -> tuple[Any, Any]:
    """Prepare Paddle and read the faces to train and to measure on."""
    from fer_paddle import environment

    environment.prepare(source.threads)
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.faces import take_subset

    train, measured = load_train_valid(source.data, source.valid, seed=source.seed)
    return take_subset(train, source.faces, source.seed), take_subset(measured, source.valid_faces, source.seed)


def _open(
    budget: Budget, model: str, faces: int, out: Path, sizes: tuple[tuple[int, int], ...] | None = None
) -> tuple[Any, Any]:
    """Open the folder of a study of trials, and make the trial that is changed."""
    source = Data(
        data=budget.data, valid=budget.valid, faces=faces, valid_faces=budget.valid_faces, threads=budget.threads
    )
    train, measured = _load(source)
    from fer_paddle.expression.recipes import STUDY
    from fer_paddle.expression.trials import Trial, TrialStudy
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from fer_paddle.training.loop import RunOptions

    sizes = sizes or STUDY.sizes
    recipe = dataclasses.replace(STUDY, epochs=budget.epochs, sizes=sizes, valid_sizes=sizes)
    settings = {"model": model, "recipe": recipe.to_json()}
    options = RunOptions(callbacks=[ProgressBar()], data_changed=budget.data_changed)
    study = TrialStudy(out, train, measured, settings, provenance(data=budget.data), options)
    return study, Trial("", recipe, model)


def _show_trials(study: Any, rows: list[dict[str, Any]], more: dict[str, str]) -> Output:
    """Keep the summary in result.json, and show it."""
    study.content["summary"] = rows
    study.save()
    shown = [
        [row["name"], percent(row["accuracy"]), percent(row["spread"]), row["seeds"], f"{100 * row['gain']:+.1f}"]
        + [f"{row[name]:.2f}" for name in more]
        for row in rows
    ]
    return Output(study.content, table(["trial", "accuracy", "spread", "seeds", "gain", *more.values()], shown))
