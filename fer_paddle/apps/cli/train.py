"""Commands that train an expression network and measure it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP, percent
from fer_paddle.arguments import count
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json

LATENCY_RUNS = 100


def add_commands(commands: Any) -> None:
    """Adds train and evaluate to the command line."""
    add_train(commands)
    add_evaluate(commands)


def add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train an expression network", description=train.__doc__)
    parser.add_argument("--data", required=True, help=f"faces to learn from: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    parser.add_argument(
        "--recipe",
        default="strong",
        help="tutorial, strong, accurate, sam, ferplus, study, compact or fine_tune (default: strong)",
    )
    parser.add_argument("--model", default="distresnet", help="a network of `compare` (default: distresnet)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/expression"), help="folder of the run (default: runs/expression)"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with, .safetensors of the same network")
    parser.add_argument("--epochs", type=count, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=count, help="faces of a step, instead of the recipe's")
    parser.add_argument("--size", type=count, help="side of the faces in pixels, instead of the recipe's")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--workers", type=int, default=0, help="reader processes (default: 0)")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument("--json", action="store_true", help="print the history as JSON")
    parser.set_defaults(run=train)


def train(args: argparse.Namespace) -> int:
    """Trains on labelled faces; writes checkpoints, curves, model.safetensors and model.onnx to the run folder."""
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.expression.session import train_from_files
    from fer_paddle.training import parallel

    changes = {name: getattr(args, name) for name in ("epochs", "batch_size", "size", "seed")}
    changes = {name: value for name, value in changes.items() if value is not None}
    outcome = train_from_files(
        args.data, args.valid, args.model, args.recipe, args.out, args.resume, args.workers, changes, args.start
    )
    if parallel.rank() != 0:
        return OK
    from fer_paddle.expression.export import export_expression_network

    with stdout_kept_for_json():
        export_expression_network(outcome.weights, outcome.weights.with_suffix(".onnx"))
    if args.json:
        print_json(outcome.history)
    else:
        best = max(outcome.history, key=lambda record: record["valid_accuracy"])
        print(f"best epoch {best['epoch']}: accuracy {best['valid_accuracy']:.4f}; written to {args.out}")
    return OK


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure an expression network", description=evaluate.__doc__)
    parser.add_argument("--data", required=True, help=f"labelled faces: {DATA_HELP}")
    parser.add_argument(
        "--usage", help="Training, PublicTest or PrivateTest (default: PublicTest where the data have it, else all)"
    )
    parser.add_argument("--weights", type=Path, help="file of a network (default: the network that ships)")
    parser.add_argument("--runtime", help="onnx, openvino, ncnn, mnn, paddle, dynamic (default: the file's own)")
    parser.add_argument("--threads", type=count, help="threads of the runtime (default: it chooses)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints accuracy, mean recall and the recall of each class, and the median time of one face."""
    from fer_paddle import environment
    from fer_paddle.deployment.benchmark import time_runs
    from fer_paddle.deployment.runtimes.model_files import size_on_disk
    from fer_paddle.expression.data.expressions import load_faces, take_usage
    from fer_paddle.expression.evaluate import evaluate_classifier
    from fer_paddle.expression.predict import load_classifier, shipped_weights

    if args.runtime in ("paddle", "dynamic") or (args.weights and args.weights.suffix in (".safetensors", ".pdmodel")):
        environment.prepare(args.threads)  # Paddle reads its threads when it is imported
    with stdout_kept_for_json():
        classifier = load_classifier(args.weights, args.runtime, args.threads or 0)
    faces = load_faces(environment.find_data(args.data), progress=bar("pictures"))
    usage = args.usage or ("PublicTest" if "PublicTest" in faces.found_usages() else None)
    faces = take_usage(faces, usage, args.data)
    figures = evaluate_classifier(classifier, faces.images, faces.labels, bar("batches"))
    weights = args.weights or shipped_weights(args.runtime or "onnx")
    figures |= {
        "latency_ms": time_runs(lambda: classifier(faces.images[:1]), LATENCY_RUNS)["median_ms"],
        "weights": weights.name,
        "file_bytes": size_on_disk(weights),
    }
    if args.json:
        print_json(figures)
        return OK
    shown = [[name, *(percent(figures[kind][name]) for kind in ("recall", "precision"))] for name in figures["recall"]]
    print_table(["class", "recall", "precision"], shown)
    print(
        f"\naccuracy {figures['accuracy']:.4f}, mean recall {figures['mean_recall']:.4f} over {figures['faces']} faces"
        f"; {figures['latency_ms']:.2f} ms a face, {figures['file_bytes'] / 1000:.0f} kB"
    )
    return OK
