"""Commands that make a face detector smaller."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.arguments import add_prune_arguments, add_quantize_arguments, count, count_or_none
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json
from yolo3tiny.cli.arguments import DATA_HELP


def add_commands(commands: Any) -> None:
    """Adds prune and quantize to the command line."""
    add_prune(commands)
    add_quantize(commands)


def add_prune(commands: Any) -> None:
    parser = commands.add_parser("prune", help="make a smaller face detector", description=prune.__doc__)
    parser.add_argument("--weights", type=Path, help="network, .safetensors (default: the one that ships)")
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        help=f"photos with boxes, may be given several times: {DATA_HELP}",
    )
    add_prune_arguments(parser, flops=(0.5,), epochs=4, learning_rate=5e-4)
    parser.add_argument("--samples", type=count, default=96, help="samples for the sensitivities (default: 96)")
    parser.add_argument("--workers", type=count_or_none, default=0, help="reader processes (default: 0)")
    parser.set_defaults(run=prune)


def prune(args: argparse.Namespace) -> int:
    """Measures how much each layer matters, cuts the network to parts of its cost and fine-tunes each.

    Writes sensitivities_*.json and .png, one folder a pruned network with model.safetensors and model.onnx,
    results.json and curve.png to the folder of the study. What was finished is not done again with --resume.
    """
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.compression.prune_study import PruningStudy, check_new, read_settings, table_of
    from fer_paddle.files import write_json
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from yolo3tiny.predict import WEIGHTS
    from yolo3tiny.prune import DetectorPruneTask
    from yolo3tiny.splits import find_train_valid

    check_new(args.out, args.resume)
    settings = read_settings(vars(args))
    weights = args.weights or WEIGHTS.with_suffix(".safetensors")
    task = DetectorPruneTask(
        weights,
        *find_train_valid(args.data),
        *(args.epochs, args.learning_rate, args.samples, args.seed, args.workers),
        progress=partial(bar("photos"), desc="measuring"),
    )
    origin = provenance("python -m yolo3tiny", data=args.data, weights=weights.name, seed=args.seed)
    with stdout_kept_for_json():
        study = PruningStudy(task, settings, args.out, origin, [ProgressBar()])
        sensitivities = None
        if study.needs_sensitivities:
            sensitivities = study.measure_sensitivities(args.sensitivities, bar("layers"))
        results = study.run(() if args.sensitivities_only else settings.ratios, sensitivities)
    if args.results is not None:
        args.results.parent.mkdir(parents=True, exist_ok=True)
        write_json(args.results, results)
    if args.json:
        print_json(results)
    else:
        print_table(*table_of(results, "ap"))
    return OK


def add_quantize(commands: Any) -> None:
    """Adds quantize to the command line."""
    parser = commands.add_parser("quantize", help="quantise a face detector", description=quantize.__doc__)
    parser.add_argument("--weights", type=Path, help="network, .onnx, for slim- methods its .safetensors beside it")
    parser.add_argument("--data", required=True, help="photos with boxes: the split val measures, train calibrates")
    add_quantize_arguments(parser, ["ort-minmax"], pictures=64, learning_rate=1e-4, out="runs/quantize-yolo")
    parser.add_argument("--photos", type=count, help="measure on every n-th photo, so many at most")
    parser.add_argument("--threads", type=count, default=1, help="threads (default: 1)")
    parser.add_argument("--quantize-last", action="store_true", help="quantise the convolutions of the heads, too")
    parser.set_defaults(run=quantize)


def quantize(args: argparse.Namespace) -> int:
    """Quantises a detector by several methods, measures each file, prints method, runtime, AP, drop and file size.

    The files go to OUT/METHOD, the table to OUT/results.json. Rows already there for the same weights and photos are
    kept, so an interrupted comparison goes on where it was.
    """
    from fer_paddle import environment

    environment.prepare(args.threads)
    from tqdm import tqdm

    from fer_paddle.compression.calibration_set import choose, read_pictures
    from fer_paddle.compression.quantize import METHODS, compare
    from fer_paddle.deployment.runtimes.paddle_inference import load_program
    from yolo3tiny.predict import WEIGHTS
    from yolo3tiny.quantize import DetectorFinetune, detector_subject, read_detector_card
    from yolo3tiny.splits import TRAIN, VAL, choose_split, find_photos

    progress = partial(tqdm, disable=None, leave=False)
    methods = METHODS if args.methods == ["all"] else args.methods
    weights = args.weights or WEIGHTS
    photos = find_photos(args.data)
    valid = choose_split(photos, VAL)
    train = choose_split(photos, TRAIN) if args.calibrate is None or "slim-qat" in methods else []
    if args.photos is not None:
        valid = valid[:: -(-len(valid) // args.photos)]
    if args.calibrate is None:
        pictures = [photo.read() for photo in choose(train, args.pictures, args.seed)]
    else:
        pictures = read_pictures(args.calibrate, args.pictures, args.seed, progress)
    about = {
        "command": "python -m yolo3tiny quantize",
        "data": args.data,
        "calibration": str(args.calibrate or args.data),
        "seed": args.seed,
    }
    finetune = None
    if "slim-qat" in methods:
        finetune = DetectorFinetune(train, valid, read_detector_card(weights), args.epochs, args.learning_rate)
    keep_last = not args.quantize_last
    subject = detector_subject(
        weights, pictures, valid, load_program, finetune, keep_last, args.threads, about, progress
    )
    with stdout_kept_for_json():
        content = compare(subject, methods, args.out, args.results or args.out / "results.json", progress)
    if args.json:
        print_json(content)
        return OK
    rows = [
        [
            row["method"],
            row["runtime"],
            f"{row['figure']:.4f}",
            f"{row['drop']:+.2f}",
            row["bytes"],
            f"{row['share']:.3f}",
        ]
        for row in content["rows"]
    ]
    print_table(["method", "runtime", "AP", "drop in points", "bytes", "of fp32"], rows)
    return OK
