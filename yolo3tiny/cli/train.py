"""Commands that train a face detector, measure it and write its network."""

from __future__ import annotations

import argparse
import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.arguments import count, count_or_none, whole
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json
from yolo3tiny.cli.arguments import DATA_HELP

_SPLIT_HELP = (
    "all, or a split of the table (default: val). Of a table without a split val, such as facedet_pseudo, "
    "every tenth photo by position is held out: val or held_out names these, train the others"
)


def add_commands(commands: Any) -> None:
    """Adds train, evaluate and export to the command line."""
    add_train(commands)
    add_evaluate(commands)
    add_export(commands)


def add_train(commands: Any) -> None:
    from yolo3tiny.recipes import CROWD, DETECTOR_RECIPES

    parser = commands.add_parser("train", help="train a face detector", description=train.__doc__)
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        help=f"photos with boxes, may be given several times: {DATA_HELP}",
    )
    parser.add_argument("--recipe", choices=DETECTOR_RECIPES, default=CROWD.name, help=f"default: {CROWD.name}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument("--epochs", type=count, help="instead of the recipe's; its stages shrink or grow with them")
    parser.add_argument("--batch-size", type=count, help="photos of a step, instead of the recipe's")
    parser.add_argument(
        "--repeat", type=_repeat, action="append", default=[], metavar="SOURCE=N",
        help="see the photos of one source N times an epoch, may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=count_or_none, default=0, help="reader processes (default: 0, none of their own)"
    )
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--json", action="store_true", help="print the history as JSON")
    parser.set_defaults(run=train)


def train(args: argparse.Namespace) -> int:
    """Trains on annotated photos; measures on their split val, or on every tenth of a table without one.

    Writes checkpoints, the best weights, curves, a VisualDL log and detector.onnx to the folder of the run.
    """
    from fer_paddle import environment
    from yolo3tiny.recipes import DETECTOR_RECIPES

    recipe = DETECTOR_RECIPES[args.recipe]
    recipe = recipe.over(args.epochs) if args.epochs is not None else recipe
    changes = {
        "repeat": tuple(args.repeat) or recipe.repeat,
        "batch_size": args.batch_size or recipe.batch_size,
    }
    recipe = dataclasses.replace(recipe, **changes)
    environment.prepare(args.threads)
    with stdout_kept_for_json():
        from fer_paddle.training import parallel
        from yolo3tiny.export import export_run
        from yolo3tiny.train import train_from_files

        history = train_from_files(args.data, recipe, args.out, args.resume, args.workers)
        if parallel.rank() != 0:  # the other processes of paddle.distributed.launch have done their part
            return OK
        export_run(args.out, args.out / "detector.onnx")
    if args.json:
        print_json(history)
    else:
        best = max((record for record in history if "valid_ap" in record), key=lambda record: record["valid_ap"])
        print(f"best epoch {best['epoch']}: AP {best['valid_ap']:.4f}; written to {args.out / 'detector.onnx'}")
    return OK


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a face detector", description=evaluate.__doc__)
    parser.add_argument("--data", required=True, help=f"photos with boxes: {DATA_HELP}")
    parser.add_argument("--split", default="val", help=_SPLIT_HELP)
    parser.add_argument("--weights", type=Path, help="network, as the runtime reads it (default: the one that ships)")
    parser.add_argument(
        "--runtime", default="onnx", help="onnx, openvino, ncnn, mnn, paddle or dynamic (default: onnx)"
    )
    parser.add_argument("--longest", type=count, help="longer side of the network's input (default: the network's own)")
    parser.add_argument("--threads", type=count_or_none, default=0, help="threads of the runtime (default: it chooses)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints the average precision at IoU 0.5, over all and by source, and the median time of a photo."""
    if args.runtime in ("paddle", "dynamic"):
        from fer_paddle import environment

        environment.prepare(args.threads or None)
    import numpy as np

    from yolo3tiny.deploy import load_detector
    from yolo3tiny.evaluate import Stopwatch
    from yolo3tiny.evaluate import evaluate as measure
    from yolo3tiny.predict import WEIGHTS
    from yolo3tiny.splits import choose_split, find_photos

    with stdout_kept_for_json():
        detector = load_detector(args.weights, args.runtime, args.longest, args.threads)
    watched = Stopwatch(detector)
    figures = measure(watched, choose_split(find_photos(args.data), args.split), bar("photos"))
    figures |= {"latency_ms": float(np.median(watched.times_ms)), "longest": detector.settings.longest}
    if args.json:
        about = {"data": args.data, "split": args.split, "weights": str(args.weights or WEIGHTS.name)}
        print_json({**about, "runtime": args.runtime, **figures})
        return OK
    print_table(["figure", "value"], [[name, _short(value)] for name, value in figures.items()])
    return OK


def add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write the network of a run as ONNX", description=export.__doc__)
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="folder of a run of train")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write; its card .json stands beside")
    parser.add_argument("--trained-on", help="the training data in words (default: the run's own)")
    parser.add_argument(
        "--longest", type=partial(whole, least=32), help="longer side of the input (default: the recipe's)"
    )
    parser.add_argument("--json", action="store_true", help="print the card as JSON")
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Writes the best weights of a run as ONNX with their settings inside, after comparing it with Paddle."""
    with stdout_kept_for_json():
        from yolo3tiny.export import export_run

        card = export_run(args.folder, args.out, args.trained_on, args.longest)
    if args.json:
        print_json(card)
    else:
        difference = card["largest_difference_from_paddle"]
        print(f"{args.out}: {card['parameters']} parameters, largest difference from Paddle {difference:.2g}")
    return OK


def _repeat(text: str) -> tuple[str, int]:
    source, _, times = text.rpartition("=")
    if not source or not times.isdecimal() or int(times) < 1:
        raise argparse.ArgumentTypeError(f"expected SOURCE=N with N of at least 1, got {text!r}")
    return source, int(times)


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
