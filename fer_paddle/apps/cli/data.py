"""Commands that judge data and measure what size and augmentation do."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP, percent
from fer_paddle.arguments import count, share
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json


def add_commands(commands: Any) -> None:
    """Adds report, study-scale, study-augment and benchmark-augment to the command line."""
    add_report(commands)
    add_study_scale(commands)
    add_study_augment(commands)
    add_benchmark_augment(commands)


def add_report(commands: Any) -> None:
    parser = commands.add_parser("report", help="judge the quality of pictures", description=report.__doc__)
    parser.add_argument(
        "sources",
        nargs="+",
        help="folders of pictures, packs (.npz), the official csv, or a folder of packs; "
        "several undivided sources count as splits",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/report"), help="folder for report.html and .json (default: runs/report)"
    )
    parser.add_argument("--quick", action="store_true", help="no networks: neither wrong labels nor missing faces")
    parser.add_argument(
        "--weights", type=Path, help="expression network that judges labels (default: the one that ships)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(run=report)


def report(args: argparse.Namespace) -> int:
    """Looks for copies, leaks, wrong labels, pictures without a face and bad light; writes an HTML page and JSON."""
    from fer_paddle.files import write_json
    from fer_paddle.quality.page import write_page
    from fer_paddle.quality.report import build_report
    from fer_paddle.quality.samples import printable, read_samples

    samples = read_samples(args.sources, bar("pictures"))
    for name, reason in samples.unreadable:
        print(reason if name in reason else f"{name}: {reason}", file=sys.stderr)
    args.out.mkdir(parents=True, exist_ok=True)
    judges = {} if args.quick else _load_judges(args.weights)
    found = build_report(samples, progress=bar("steps"), **judges)
    content = {"sources": list(map(printable, args.sources)), **found.to_json(samples)}
    write_json(args.out / "report.json", content)
    title = ", ".join(printable(Path(source).resolve().name) for source in args.sources)
    write_page(args.out / "report.html", samples, found, title)
    if args.json:
        print_json({name: value for name, value in content.items() if name not in ("findings", "unreadable")})
        return OK
    rows = [[one.title, len(one.groups), one.pictures()] for one in found.findings.values()]
    print_table(["finding", "groups", "pictures"], [*rows, ["Files that cannot be read", "", len(samples.unreadable)]])
    if "ferplus" in found.figures:
        print(f"\nmost FER+ voters chose the label of {percent(found.figures['ferplus']['agreement'])} of the pictures")
    if "suspected" in found.figures.get("wrong_labels", {}):
        accuracy = found.figures["wrong_labels"]["accuracy_of_the_judge"]
        print(f"the judge of the labels agrees with {percent(accuracy)} of them: where that is low, so is its word")
    print(f"\n{len(samples)} pictures; {args.out / 'report.html'} shows them")
    return OK


def _load_judges(weights: Path | None) -> dict[str, Any]:
    """The networks that a report asks: the classifier, and the detector as a function from picture to best score."""
    from fer_paddle.expression.predict import load_classifier
    from fer_paddle.quality.faceless import SIDE
    from yolo3tiny.predict import Detector

    detector = Detector(longest=SIDE)

    def find_face(image: Any) -> float:
        return float(detector(image, min_score=0.01).scores.max(initial=0.0))

    return {"classify": load_classifier(weights), "find_face": find_face}


def add_study_scale(commands: Any) -> None:
    parser = commands.add_parser(
        "study-scale", help="what size of the faces is worth its cost", description=study_scale.__doc__
    )
    add_study_arguments(parser, "runs/study-scale", "distresnet", faces=4000)
    parser.add_argument(
        "--sizes", type=count, nargs="+", default=[24, 32, 48, 64, 96, 128], help="sides in pixels (default: 24 to 128)"
    )
    parser.set_defaults(run=study_scale)


def study_scale(args: argparse.Namespace) -> int:
    """Trains one network at several sizes with one budget; writes accuracy, operations and latency to result.json."""
    study, recipe = _open_study(args)
    from fer_paddle.expression.studies import study_scale as run_study

    with stdout_kept_for_json():
        run_study(study, recipe, args.sizes, range(1, args.seeds), args.within)
    rows = [{**row, **study.content["costs"].get(row["name"], {})} for row in study.summarize(f"{args.sizes[0]} px")]
    return _print_study(args, study, rows, {"mflops": "MFLOPs", "latency_ms": "ms"})


def add_study_augment(commands: Any) -> None:
    parser = commands.add_parser(
        "study-augment", help="what each change of the augmentation is worth", description=study_augment.__doc__
    )
    # VGG8 knows 3,000 faces by heart after 12 epochs; DistResNet has not yet learnt them, and nothing could help it.
    add_study_arguments(parser, "runs/study-augment", "vgg8", faces=3000)
    parser.add_argument("--size", type=count, default=32, help="side of the faces in pixels (default: 32)")
    parser.set_defaults(run=study_augment)


def study_augment(args: argparse.Namespace) -> int:
    """Trains one network without augmentation, with each change alone and with the whole; writes result.json."""
    study, recipe = _open_study(args, args.size)
    from fer_paddle.expression.studies import BASE, study_augmentation

    study_augmentation(study, recipe, range(1, args.seeds), args.within)
    return _print_study(args, study, study.summarize(BASE), {})


def add_study_arguments(parser: argparse.ArgumentParser, out: str, model: str, faces: int) -> None:
    """The budget of a study: two hours of two cores with the defaults."""
    parser.add_argument("--data", default="fer2013_train.npz", help=f"faces to learn from: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    parser.add_argument("--out", type=Path, default=Path(out), help=f"folder of the study (default: {out})")
    parser.add_argument("--model", default=model, help=f"network (default: {model})")
    parser.add_argument("--faces", type=count, default=faces, help=f"faces to learn from (default: {faces})")
    parser.add_argument("--valid-faces", type=count, help="faces to measure on (default: all)")
    parser.add_argument("--epochs", type=count, default=12, help="of each training (default: 12)")
    parser.add_argument("--seeds", type=count, default=3, help="seeds of what one cannot decide (default: 3)")
    parser.add_argument(
        "--within", type=share, default=0.02, help="difference of accuracy that one seed cannot decide (default: 0.02)"
    )
    parser.add_argument("--threads", type=count, default=1, help="threads of Paddle (default: 1)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _open_study(args: argparse.Namespace, size: int | None = None) -> tuple[Any, Any]:
    """Opens the study's folder and makes the recipe that its trials share."""
    import dataclasses

    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.faces import take_subset
    from fer_paddle.expression.recipes import STUDY
    from fer_paddle.expression.trials import TrialStudy
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar

    train, valid = load_train_valid(args.data, args.valid, progress=bar("pictures"))
    train, valid = take_subset(train, args.faces), take_subset(valid, args.valid_faces)
    sizes = {} if size is None else {"sizes": ((0, size),), "valid_sizes": ((0, size),)}
    recipe = dataclasses.replace(STUDY, epochs=args.epochs, **sizes)
    settings = {"recipe": recipe.to_json()}
    origin = provenance(data=args.data)
    return TrialStudy(args.out, train, valid, args.model, settings, origin, lambda trial: [ProgressBar()]), recipe


def _print_study(args: argparse.Namespace, study: Any, rows: list[dict[str, Any]], more: dict[str, str]) -> int:
    """Prints the summary, and keeps it in result.json."""
    study.content["summary"] = rows
    study.save()
    if args.json:
        print_json(study.content)
        return OK
    shown = [
        [row["name"], percent(row["accuracy"]), percent(row["spread"]), row["seeds"], f"{100 * row['gain']:+.1f}"]
        + [f"{row[name]:.2f}" for name in more]
        for row in rows
    ]
    print_table(["trial", "accuracy", "spread", "seeds", "gain", *more.values()], shown)
    return OK


def add_benchmark_augment(commands: Any) -> None:
    parser = commands.add_parser(
        "benchmark-augment", help="time the augmentation on one core", description=benchmark_augment.__doc__
    )
    parser.add_argument("--size", type=count, default=64, help="side of the results in pixels (default: 64)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each row is timed (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=benchmark_augment)


def benchmark_augment(args: argparse.Namespace) -> int:
    """Counts the 48 px faces that each policy of the augmentation study changes in a second of one core."""
    import cv2

    from fer_paddle.expression.studies import CHANGES, measure_speed

    cv2.setNumThreads(1)
    speeds = {name: measure_speed(config, args.size, args.seconds) for name, config in bar("rows")(CHANGES.items())}
    if args.json:
        print_json({"size": args.size, "pictures_per_second": speeds})
    else:
        print_table(["change", "pictures/s"], [[name, f"{speed:.0f}"] for name, speed in speeds.items()])
    return OK
