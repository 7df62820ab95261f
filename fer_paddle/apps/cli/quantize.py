"""Command of chapter 6: quantise an expression network by many methods and compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP, percent
from fer_paddle.arguments import add_quantize_arguments, count
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json


def add_commands(commands: Any) -> None:
    """Adds quantize to the command line."""
    parser = commands.add_parser("quantize", help="quantise an expression network", description=quantize.__doc__)
    parser.add_argument("--weights", type=Path, help="network, .safetensors (default: the one that ships)")
    parser.add_argument("--data", required=True, help=f"faces to calibrate and train on: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    methods = ["ort-minmax", "ort-entropy", "ort-percentile"]
    add_quantize_arguments(parser, methods, pictures=256, learning_rate=3e-5, out="runs/quantize")
    parser.add_argument("--faces", type=count, help="measure on the first so many faces only")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--keep-last", action="store_true", help="leave the last layer in float")
    parser.set_defaults(run=quantize)


def quantize(args: argparse.Namespace) -> int:
    """Quantises a network by several methods, measures each file, prints method, runtime, accuracy, drop and file size.

    The files go to OUT/METHOD, the table to OUT/results.json. Rows already there for the same weights and pictures are
    kept, so an interrupted comparison goes on where it was.
    """
    from fer_paddle import environment

    environment.prepare(args.threads)
    import numpy as np

    from fer_paddle.compression.calibration_set import choose, read_pictures
    from fer_paddle.compression.quantize import METHODS, compare
    from fer_paddle.deployment.runtimes.onnx import OnnxRunner
    from fer_paddle.deployment.runtimes.paddle_inference import load_program
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.ferplus import take_for_training
    from fer_paddle.expression.quantize import expression_subject, read_network_card

    methods = METHODS if args.methods == ["all"] else args.methods
    weights = args.weights or environment.REPOSITORY / "fer_paddle/weights/distresnet_fer2013.safetensors"
    learnt_by = read_network_card(weights).get("recipe", {})
    train, valid = load_train_valid(args.data, args.valid, seed=args.seed, progress=bar("pictures"))
    train, valid = take_for_training(train, valid, learnt_by.get("ferplus"))
    if args.faces is not None:
        valid = valid.select(np.arange(min(args.faces, len(valid))))
    if args.calibrate is None:
        crops = choose(train.images, args.pictures, args.seed)
    else:
        crops = read_pictures(args.calibrate, args.pictures, args.seed, bar("pictures"))
    about = {
        "command": "python -m fer_paddle quantize",
        "data": args.data,
        "calibration": str(args.calibrate or args.data),
        "seed": args.seed,
    }
    qat = {"epochs": args.epochs, "learning_rate": args.learning_rate}
    if "slim-qat" in methods:
        from fer_paddle.training.callbacks import ProgressBar

        qat |= {"train": train, "callbacks": [ProgressBar()]}
    roads = {"load_onnx": OnnxRunner, "load_program": load_program}
    subject = expression_subject(weights, crops, valid, **roads, keep_last=args.keep_last, about=about, **qat)
    with stdout_kept_for_json():
        content = compare(subject, methods, args.out, args.results or args.out / "results.json", bar("methods"))
    if args.json:
        print_json(content)
        return OK
    rows = [
        [
            row["method"],
            row["runtime"],
            percent(row["figure"]),
            f"{row['drop']:+.2f}",
            row["bytes"],
            f"{row['share']:.3f}",
        ]
        for row in content["rows"]
    ]
    print_table(["method", "runtime", "accuracy", "drop in points", "bytes", "of fp32"], rows)
    return OK
