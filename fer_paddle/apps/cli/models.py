"""Commands that choose a network: a table of all of them, the five shapes of curves, and an exact measurement."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP
from fer_paddle.arguments import count
from fer_paddle.console import OK, bar, print_json, print_table, stdout_kept_for_json


def add_commands(commands: Any) -> None:
    """Adds compare, curves and measure to the command line."""
    add_compare(commands)
    add_curves(commands)
    add_measure(commands)


def add_compare(commands: Any) -> None:
    parser = commands.add_parser("compare", help="train all networks under one budget", description=compare.__doc__)
    add_data(parser, "runs/compare")
    parser.add_argument("--models", nargs="+", help="names of designs (default: all)")
    parser.add_argument("--epochs", type=count, default=12, help="passes over the faces (default: 12)")
    parser.add_argument("--size", type=count, default=40, help="side of the faces in pixels (default: 40)")
    parser.add_argument("--runs", type=count, default=100, help="timed runs for the latency (default: 100)")
    parser.set_defaults(run=compare)


def add_data(parser: argparse.ArgumentParser, out: str) -> None:
    """Adds the arguments that compare and curves share."""
    parser.add_argument("--data", required=True, help=f"faces to learn from: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    parser.add_argument("--faces", type=count, help="learn from so many, of each class its share (default: all)")
    parser.add_argument("--valid-faces", type=count, help="measure on so many (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of everything (default: 0)")
    parser.add_argument("--out", type=Path, default=Path(out), help=f"folder for runs and results (default: {out})")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def compare(args: argparse.Namespace) -> int:
    """Trains every network on the same faces by the same recipe; writes compare.json and compare.png.

    What is finished is kept: call it again to go on after an interruption.
    """
    import dataclasses

    train, valid = load_some(args)
    from fer_paddle.expression.compare import HEADINGS, RESULT, compare_designs, draw_costs, list_rows, measure_cost
    from fer_paddle.expression.explain import save_figure
    from fer_paddle.expression.recipes import STUDY
    from fer_paddle.files import read_json
    from fer_paddle.models import DESIGNS
    from fer_paddle.training.callbacks import ProgressBar

    side = ((0, args.size),)
    recipe = dataclasses.replace(STUDY, epochs=args.epochs, sizes=side, valid_sizes=side, seed=args.seed)
    with stdout_kept_for_json():
        compare_designs(
            args.models or list(DESIGNS),
            train,
            valid,
            recipe,
            args.out,
            lambda network, size: measure_cost(network, size, args.runs),
            lambda name: [ProgressBar()],
            provenance=origin(args, train, valid),
        )
    result = read_json(args.out / RESULT, "the comparison")
    save_figure(draw_costs(result["rows"]), args.out / "compare.png")
    if args.json:
        print_json(result)
        return OK
    print_table(HEADINGS, list_rows(result["rows"]))
    print(
        f"\n{len(train)} faces of {args.size} px, {args.epochs} epochs, measured on {len(valid)}; written to {args.out}"
    )
    return OK


def add_curves(commands: Any) -> None:
    parser = commands.add_parser("curves", help="what the shapes of curves mean", description=curves.__doc__)
    add_data(parser, "runs/curves")
    parser.add_argument("--model", default="resnet18_tiny", help="network or design (default: resnet18_tiny)")
    parser.set_defaults(run=curves)


def curves(args: argparse.Namespace) -> int:
    """Makes the five cases of training and test loss by a real short run of each; writes curves.json and curves.png."""
    train, valid = load_some(args)
    from fer_paddle.expression.curve_cases import CASES, draw_cases, judge, run_case
    from fer_paddle.training.callbacks import ProgressBar

    histories, judged = {}, {}
    for case in CASES:
        histories[case.name] = run_case(case, train, valid, args.model, args.out / case.name, [ProgressBar()])
        judged[case.name] = judge(case, histories[case.name])
    result = {**origin(args, train, valid), "judged": judged, "histories": histories}
    write_result(args.out, "curves", result, draw_cases(histories))
    if args.json:
        print_json(result)
        return OK
    table = []
    for case in CASES:
        found, expected = judged[case.name], f"{case.train}, {' or '.join(case.test)}"
        table.append([case.title, found["train"], found["test"], expected, case.made_by, case.remedy])
    print_table(["case", "training", "test", "expected", "made by", "remedy"], table)
    return OK


def add_measure(commands: Any) -> None:
    parser = commands.add_parser(
        "measure", help="accuracy with test-time augmentation and of ensembles", description=measure.__doc__
    )
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="one or more .safetensors")
    parser.add_argument("--data", required=True, help=f"labelled faces: {DATA_HELP}")
    parser.add_argument("--usage", default="PublicTest", help="Training, PublicTest, PrivateTest (default: PublicTest)")
    parser.add_argument("--flip", action="store_true", help="see the mirror image too")
    parser.add_argument("--five-crop", action="store_true", help="see the four corners and the centre")
    parser.add_argument(
        "--scales",
        type=scale,
        nargs="+",
        default=[1.0],
        help="times the side in each card, such as 0.9 1 1.1 (default: 1)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=measure)


def scale(text: str) -> float:
    """Reads a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, got {text!r}")
    return value


def measure(args: argparse.Namespace) -> int:
    """Measures one network or the mean of several, in one view or more; FER+ networks on the faces with a majority."""
    from fer_paddle.environment import find_data
    from fer_paddle.expression.data.expressions import load_faces, take_usage
    from fer_paddle.expression.data.ferplus import take_for_classes
    from fer_paddle.expression.tta import load_ensemble, measure_views

    classifier, classes = load_ensemble(args.weights, args.scales, args.flip, args.five_crop)
    faces = load_faces(find_data(args.data))
    faces = take_usage(faces, args.usage if faces.found_usages() else None, args.data)
    measured = take_for_classes(faces, classes)
    figures = measure_views(classifier, measured.images, measured.labels, classes, bar("batches"))
    if args.json:
        print_json({"weights": [str(path) for path in args.weights], "data": args.data, **figures})
        return OK
    print_table(["class", "recall"], [[name, f"{value:.3f}"] for name, value in figures["recall"].items()])
    print(f"\naccuracy {figures['accuracy']:.4f} over {figures['faces']} faces, {figures['views']} views of each")
    return OK


def load_some(args: argparse.Namespace) -> tuple[Any, Any]:
    """Prepares Paddle and reads the faces that `add_data` tells of."""
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.faces import take_subset

    train, valid = load_train_valid(args.data, args.valid, seed=args.seed, progress=bar("pictures"))
    return take_subset(train, args.faces, args.seed), take_subset(valid, args.valid_faces, args.seed)


def origin(args: argparse.Namespace, train: Any, valid: Any) -> dict[str, Any]:
    """Says where a result comes from."""
    from fer_paddle.study import provenance

    return provenance(data=args.data, train_faces=train.counts(), valid_faces=len(valid), seed=args.seed)


def write_result(folder: Path, name: str, result: dict[str, Any], figure: Any) -> None:
    """Writes NAME.json and NAME.png."""
    from fer_paddle.files import replacing, write_json

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{name}.json", result)
    with replacing(folder / f"{name}.png") as temporary:
        figure.savefig(temporary, format="png", dpi=110)
