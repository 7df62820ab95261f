"""Commands of chapter 5: prune an expression network, and time what is left."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP
from fer_paddle.arguments import add_prune_arguments, count, share
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json


def add_commands(commands: Any) -> None:
    """Adds prune and prune-speed to the command line."""
    add_prune(commands)
    add_prune_speed(commands)


def add_prune(commands: Any) -> None:
    parser = commands.add_parser("prune", help="prune an expression network", description=prune.__doc__)
    parser.add_argument("--weights", type=Path, help="network, .safetensors (default: the one that ships)")
    parser.add_argument("--data", required=True, help=f"faces to learn from: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    add_prune_arguments(parser, flops=(0.7, 0.5, 0.3), epochs=6, learning_rate=1e-3)
    parser.add_argument(
        "--soft-weight", type=share, default=0.0,
        help="share of the loss that the answers of the teacher have, 0 to 1 (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[],
        help=".safetensors that answers; several make an ensemble (default: the unpruned network)",
    )  # fmt: skip
    parser.add_argument("--recipe", help="recipe that fine-tuning shortens (default: that of the network's training)")
    parser.add_argument("--faces", type=count, default=1500, help="faces for the sensitivities (default: 1500)")
    parser.set_defaults(run=prune)


def prune(args: argparse.Namespace) -> int:
    """Measures how much each layer matters, cuts the network to parts of its cost and fine-tunes each.

    Writes sensitivities_*.json and .png, one folder a pruned network with model.safetensors and model.onnx,
    results.json and curve.png to the folder of the study. What was finished is not done again with --resume.
    """
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.compression.prune_study import PruningStudy, check_new, read_settings
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.ferplus import take_for_training
    from fer_paddle.expression.prune import ExpressionPruneTask
    from fer_paddle.expression.session import choose_recipe
    from fer_paddle.files import write_json
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from fer_paddle.weights import load_card

    check_new(args.out, args.resume)
    settings = read_settings(vars(args))
    recipe = choose_recipe(args.recipe, {}) if args.recipe else None
    weights = args.weights or environment.REPOSITORY / "fer_paddle/weights/distresnet_fer2013.safetensors"
    learnt_by = load_card(weights).get("recipe", {})
    train, valid = load_train_valid(args.data, args.valid, seed=args.seed)
    train, valid = take_for_training(train, valid, learnt_by.get("ferplus"))
    task = ExpressionPruneTask(
        weights, train, valid, args.epochs, args.learning_rate, args.faces,
        seed=args.seed, soft_weight=args.soft_weight, teachers=args.teacher, recipe=recipe,
        description=args.valid or args.data,
    )  # fmt: skip
    origin = provenance(data=args.data, weights=weights.name, seed=args.seed)
    with stdout_kept_for_json():
        study = PruningStudy(task, settings, args.out, origin, [ProgressBar()])
        sensitivities = None
        if study.needs_sensitivities:
            sensitivities = study.measure_sensitivities(args.sensitivities, bar("layers"))
        results = study.run(() if args.sensitivities_only else settings.ratios, sensitivities)
    if args.results is not None:
        args.results.parent.mkdir(parents=True, exist_ok=True)
        write_json(args.results, results)
    _print_results(results, args.json)
    return OK


def _print_results(results: Mapping[str, Any], as_json: bool) -> None:
    from fer_paddle.compression.prune_study import table_of

    if as_json:
        print_json(results)
    else:
        print_table(*table_of(results, "accuracy"))


def add_prune_speed(commands: Any) -> None:
    parser = commands.add_parser(
        "prune-speed", help="time networks of several sizes side by side", description=prune_speed.__doc__
    )
    parser.add_argument("files", nargs="+", type=Path, help=".onnx files of expression networks or face detectors")
    parser.add_argument("--threads", type=count, nargs="+", default=[1, 2], help="of ONNX Runtime (default: 1 2)")
    parser.add_argument("--batch", type=count, default=1, help="pictures of a run (default: 1)")
    parser.add_argument("--runs", type=count, default=100, help="timed runs of each row (default: 100)")
    parser.add_argument("--results", type=Path, help="JSON file to write as well")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=prune_speed)


def prune_speed(args: argparse.Namespace) -> int:
    """Times ONNX files in ONNX Runtime, in turns, so that a busy machine disturbs all alike."""
    import numpy as np

    from fer_paddle.deployment.benchmark import time_in_turns
    from fer_paddle.deployment.runtimes.onnx import OnnxRunner
    from fer_paddle.files import write_json

    functions = {}
    for path in args.files:
        for threads in args.threads:
            runner = OnnxRunner(path, threads)
            shape = _input_shape(path, runner.metadata, args.batch)
            images = np.random.default_rng(0).random(shape, np.float32)
            functions[str(path), threads] = partial(runner, images)
    times = time_in_turns(functions, args.runs, bar("rounds"))
    rows = [
        {"file": file, "threads": threads, "batch": args.batch, "file_bytes": Path(file).stat().st_size, **figures}
        for (file, threads), figures in times.items()
    ]
    if args.results is not None:
        write_json(args.results, rows)
    if args.json:
        print_json(rows)
        return OK
    table = [
        [
            row["file"],
            row["threads"],
            *(f"{row[f'{name}_ms']:.2f}" for name in ("median", "p95", "least")),
            row["file_bytes"] // 1000,
        ]
        for row in rows
    ]
    print_table(["file", "threads", "median ms", "95 % ms", "least ms", "kB"], table)
    return OK


def _input_shape(path: Path, metadata: Mapping[str, str], batch: int) -> tuple[int, ...]:
    """What a network of ours takes, by what its file says: a gray face of its size, or a square photo."""
    if "input_size" in metadata:
        return batch, 1, int(metadata["input_size"]), int(metadata["input_size"])
    if "longest" in metadata:
        return batch, 3, int(metadata["longest"]), int(metadata["longest"])
    raise ValueError(f"expected an expression network or a face detector that this project exported, got {path}")
