"""The command line: `python -m fer_paddle COMMAND`. Adapters without logic; each imports what it needs when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.commands import FAILED, OK, Parser, fail, print_json, print_table, run, stdout_kept_for_json

_DATA_HELP = "a pack (.npz), the official csv, a folder with the packs, or a folder of class folders"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    parser = Parser(prog="python -m fer_paddle", description="Facial expressions: recognise, train, measure, export.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_add_recognize, _add_demo, _add_train, _add_evaluate, _add_export, _add_benchmark):
        add(commands)
    return run(parser, argv)


def _add_recognize(commands: Any) -> None:
    parser = commands.add_parser("recognize", help="name the expressions in pictures", description=recognize.__doc__)
    parser.add_argument("pictures", nargs="+", help="files, folders or globs")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        help="folder for the annotated pictures and results.json/csv (default: out)",
    )
    parser.add_argument(
        "--min-score", type=_share, default=0.5, help="lowest detector score of a face, 0 to 1 (default: 0.5)"
    )
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="names in the pictures (default: en)")
    parser.add_argument("--weights", type=Path, help="expression network, .onnx (default: the one that ships)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=recognize)


def recognize(args: argparse.Namespace) -> int:
    """Finds the faces in pictures, names their expressions, writes annotated copies; exits with 1 if one failed."""
    from fer_paddle.classifier import Classifier
    from fer_paddle.picture_files import find_pictures
    from fer_paddle.pipeline import Pipeline
    from fer_paddle.recognize import recognize_files

    paths = find_pictures(args.pictures)
    pipeline = Pipeline(classifier=Classifier(args.weights))
    report = recognize_files(paths, args.out, pipeline, args.min_score, args.language, _bar("pictures"))
    return _print_report(report, args.out, args.json)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="recognise a shipped photo and drawn faces", description=demo.__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for the annotated pictures (default: out)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """Recognises scikit-image's astronaut and a scene of drawn faces."""
    from fer_paddle.demo import write_demo_pictures
    from fer_paddle.pipeline import MIN_SCORE, Pipeline
    from fer_paddle.recognize import recognize_files

    paths = write_demo_pictures(args.out / "originals")
    report = recognize_files(paths, args.out, Pipeline(), MIN_SCORE)
    return _print_report(report, args.out, args.json)


def _print_report(report: Any, folder: Path, as_json: bool) -> int:
    if as_json:
        print_json({"pictures": report.results, "failed": [{"file": f, "reason": r} for f, r in report.failed]})
    else:
        rows = []
        for result in report.results:
            name = Path(result["file"]).name
            for face in result["faces"]:
                left, top, right, bottom = (round(side) for side in face["box_xyxy"])
                share = face["probs"][face["label"]]
                rows.append(
                    [
                        name,
                        face["label"],
                        f"{share:.0%}",
                        f"{face['score']:.2f}",
                        f"{left},{top} {right - left}x{bottom - top}",
                    ]
                )
            if not result["faces"]:
                rows.append([name, "no face", "", "", ""])
        print_table(["picture", "expression", "sure", "face score", "place and size"], rows)
        print(f"\n{len(report.results)} pictures written to {folder}")
    for file, reason in report.failed:
        fail(reason if file in reason else f"{file}: {reason}", FAILED)
    return FAILED if report.failed else OK


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train an expression network", description=train.__doc__)
    parser.add_argument("--data", required=True, help=f"faces to learn from: {_DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    parser.add_argument("--recipe", default="strong", help="tutorial or strong (default: strong)")
    parser.add_argument("--model", default="distresnet", help="network (default: distresnet)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/expression"), help="folder of the run (default: runs/expression)"
    )
    parser.add_argument("--epochs", type=_count, help="instead of the recipe's")
    parser.add_argument("--size", type=_count, help="side of the faces in pixels, instead of the recipe's")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--workers", type=int, default=0, help="reader processes (default: 0)")
    parser.add_argument("--threads", type=_count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument("--json", action="store_true", help="print the history as JSON")
    parser.set_defaults(run=train)


def train(args: argparse.Namespace) -> int:
    """Trains on labelled faces; writes checkpoints, curves, model.safetensors and model.onnx to the run folder."""
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.training import parallel
    from fer_paddle.training.session import train_from_files

    changes = {name: getattr(args, name) for name in ("epochs", "size", "seed") if getattr(args, name) is not None}
    outcome = train_from_files(
        args.data, args.valid, args.model, args.recipe, args.out, args.resume, args.workers, changes
    )
    if parallel.rank() != 0:
        return OK
    from fer_paddle.deployment.expression import export_expression_network

    with stdout_kept_for_json():
        export_expression_network(outcome.weights, outcome.weights.with_suffix(".onnx"))
    if args.json:
        print_json(outcome.history)
    else:
        best = max(outcome.history, key=lambda record: record["valid_accuracy"])
        print(f"best epoch {best['epoch']}: accuracy {best['valid_accuracy']:.4f}; written to {args.out}")
    return OK


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure an expression network", description=evaluate.__doc__)
    parser.add_argument("--data", required=True, help=f"labelled faces: {_DATA_HELP}")
    parser.add_argument(
        "--usage", help="Training, PublicTest or PrivateTest (default: PublicTest where the data have it, else all)"
    )
    parser.add_argument("--weights", type=Path, help=".onnx or .safetensors (default: the network that ships)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints accuracy, mean recall and the recall of each class."""
    from fer_paddle.analysis.evaluate import evaluate_classifier
    from fer_paddle.classifier import load_classifier
    from fer_paddle.data.expressions import load_faces, take_usage
    from fer_paddle.environment import find_data

    classifier = load_classifier(args.weights)
    faces = load_faces(find_data(args.data), progress=_bar("pictures"))
    usage = args.usage or ("PublicTest" if "PublicTest" in faces.found_usages() else None)
    faces = take_usage(faces, usage, args.data)
    figures = evaluate_classifier(classifier, faces.images, faces.labels, _bar("batches"))
    if args.json:
        print_json(figures)
        return OK
    shown = [[name, *(_percent(figures[kind][name]) for kind in ("recall", "precision"))] for name in figures["recall"]]
    print_table(["class", "recall", "precision"], shown)
    print(
        f"\naccuracy {figures['accuracy']:.4f}, mean recall {figures['mean_recall']:.4f} over {figures['faces']} faces"
    )
    return OK


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write an expression network as ONNX", description=export.__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="model.safetensors of a run")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Writes ONNX with classes, size and normalisation inside, after comparing it with Paddle."""
    from fer_paddle.deployment.expression import export_expression_network

    with stdout_kept_for_json():
        difference = export_expression_network(args.weights, args.out)
    print(f"{args.out}: largest difference from Paddle {difference:.2g}")
    return OK


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="time what ships on this machine", description=benchmark.__doc__)
    parser.add_argument("--runs", type=_count, default=100, help="timed runs of each row (default: 100)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=benchmark)


def benchmark(args: argparse.Namespace) -> int:
    """Times the detector, the classifier, the pipeline and a whole command, after warm-up."""
    from fer_paddle.speed import benchmark_shipped

    rows = benchmark_shipped(args.runs, _bar("rows"))
    if args.json:
        print_json(rows)
        return OK
    table = [[row["what"], f"{row['median_ms']:.1f}", f"{row['p95_ms']:.1f}", row["runs"]] for row in rows]
    print_table(["what", "median ms", "95 % ms", "runs"], table)
    return OK


def _bar(unit: str) -> Any:
    """A tqdm bar on stderr, where a person looks on."""
    from tqdm import tqdm

    return partial(tqdm, unit=unit, disable=None, leave=False)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value
