"""The command line: `python -m yolo3tiny COMMAND`. Adapters; each imports what it needs when it runs."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.commands import FAILED, OK, Parser, fail, print_json, print_table, run, stdout_kept_for_json

_DATA_HELP = (
    "a name in the data folders or a path: a folder or .tar with annotations.json (COCO), a COCO .json, a "
    "WIDER FACE list (.txt) or folder, or a folder of YOLO .txt or VOC .xml"
)
_SPLIT_HELP = (
    "all, or a split of the table (default: val). Of a table without a split val, such as facedet_pseudo, "
    "every tenth photo by position is held out: val or held_out names these, train the others"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    parser = Parser(prog="python -m yolo3tiny", description="Faces in photos: find, train, measure, export.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_add_detect, _add_train, _add_evaluate, _add_export):
        add(commands)
    return run(parser, argv)


def _add_detect(commands: Any) -> None:
    parser = commands.add_parser("detect", help="find the faces in pictures", description=detect.__doc__)
    parser.add_argument("pictures", nargs="+", metavar="PATH", help="files, folders or globs")
    parser.add_argument("--out", type=Path, help="folder for copies with the boxes drawn in (default: none)")
    parser.add_argument("--min-score", type=_share, default=0.5, help="lowest score of a face, 0 to 1 (default: 0.5)")
    parser.add_argument("--weights", type=Path, help="network, .onnx (default: the one that ships)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=detect)


def detect(args: argparse.Namespace) -> int:
    """Prints the faces of pictures, and draws them. A bad picture is named at the end, with exit code 1."""
    from fer_paddle import images
    from fer_paddle.picture_files import OutputNames, find_pictures
    from yolo3tiny.detector import Detector
    from yolo3tiny.draw import draw_boxes

    paths = find_pictures(args.pictures)
    find_faces = Detector(args.weights)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        names = OutputNames(args.out, paths)
    pictures, failed = [], []
    for path in _bar("pictures")(paths):
        try:
            image = images.read_image(path)
            faces = find_faces(image, min_score=args.min_score)
            record = {
                "file": str(path),
                "width": image.shape[1],
                "height": image.shape[0],
                "faces": _plain(faces),
            }
            if args.out is not None:
                record["drawn"] = str(names.next_for(path))
                images.write_image(record["drawn"], draw_boxes(image, faces.boxes_xyxy, faces.scores))
        except (ValueError, OSError) as error:
            failed.append({"file": str(path), "reason": str(error)})
            continue
        pictures.append(record)
    if args.json:
        print_json({"pictures": pictures, "failed": failed})
    elif pictures:
        _print_faces(pictures)
    for failure in failed:
        reason = failure["reason"]
        fail(reason if failure["file"] in reason else f"{failure['file']}: {reason}", FAILED)
    return FAILED if failed else OK


def _plain(faces: Any) -> list[dict[str, Any]]:
    """Detections as plain JSON values."""
    rows = zip(faces.boxes_xyxy.tolist(), faces.scores.tolist())
    return [{"box_xyxy": [round(side, 2) for side in box], "score": round(score, 4)} for box, score in rows]


def _print_faces(pictures: Sequence[dict[str, Any]]) -> None:
    rows = []
    for picture in pictures:
        for face in picture["faces"]:
            left, top, right, bottom = face["box_xyxy"]
            place = f"{left:.0f},{top:.0f} {right - left:.0f}x{bottom - top:.0f}"
            rows.append([picture["file"], f"{face['score']:.2f}", place])
        if not picture["faces"]:
            rows.append([picture["file"], "no face", ""])
    print_table(["picture", "score", "place and size"], rows)


def _add_train(commands: Any) -> None:
    from yolo3tiny.recipes import CROWD, DETECTOR_RECIPES

    parser = commands.add_parser("train", help="train a face detector", description=train.__doc__)
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        help=f"photos with boxes, may be given several times: {_DATA_HELP}",
    )
    parser.add_argument("--recipe", choices=DETECTOR_RECIPES, default=CROWD.name, help=f"default: {CROWD.name}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")
    parser.add_argument("--epochs", type=_count, help="instead of the recipe's; its stages shrink or grow with them")
    parser.add_argument("--batch-size", type=_count, help="photos of a step, instead of the recipe's")
    parser.add_argument(
        "--repeat", type=_repeat, action="append", default=[], metavar="SOURCE=N",
        help="see the photos of one source N times an epoch, may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=_count_or_none, default=0, help="reader processes (default: 0, none of their own)"
    )
    parser.add_argument("--threads", type=_count, help="threads of Paddle (default: the environment's)")
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


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="measure a face detector", description=evaluate.__doc__)
    parser.add_argument("--data", required=True, help=f"photos with boxes: {_DATA_HELP}")
    parser.add_argument("--split", default="val", help=_SPLIT_HELP)
    parser.add_argument("--weights", type=Path, help="network, .onnx (default: the one that ships)")
    parser.add_argument(
        "--longest", type=_count, help="longer side of the network's input (default: the network's own)"
    )
    parser.add_argument(
        "--threads", type=_count_or_none, default=0, help="threads of ONNX Runtime (default: it chooses)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=evaluate)


def evaluate(args: argparse.Namespace) -> int:
    """Prints the average precision at IoU 0.5, over all and by source, and the median time of a photo."""
    import numpy as np

    from yolo3tiny.detector import WEIGHTS, Detector
    from yolo3tiny.evaluate import Stopwatch
    from yolo3tiny.evaluate import evaluate as measure
    from yolo3tiny.splits import choose_split, find_photos

    detector = Detector(args.weights, longest=args.longest, threads=args.threads)
    watched = Stopwatch(detector)
    figures = measure(watched, choose_split(find_photos(args.data), args.split), _bar("photos"))
    figures |= {"latency_ms": float(np.median(watched.times_ms)), "longest": detector.settings.longest}
    if args.json:
        print_json({"data": args.data, "split": args.split, "weights": str(args.weights or WEIGHTS.name), **figures})
        return OK
    print_table(["figure", "value"], [[name, _short(value)] for name, value in figures.items()])
    return OK


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write the network of a run as ONNX", description=export.__doc__)
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="folder of a run of train")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write; its card .json stands beside")
    parser.add_argument("--trained-on", help="the training data in words (default: the run's own)")
    parser.add_argument(
        "--longest", type=partial(_whole, least=32), help="longer side of the input (default: the recipe's)"
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


def _bar(unit: str) -> Any:
    """A tqdm bar on stderr, where a person looks on."""
    from tqdm import tqdm

    return partial(tqdm, unit=unit, disable=None, leave=False)


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return value


_count, _count_or_none = partial(_whole, least=1), partial(_whole, least=0)


def _repeat(text: str) -> tuple[str, int]:
    source, _, times = text.rpartition("=")
    if not source or not times.isdecimal() or int(times) < 1:
        raise argparse.ArgumentTypeError(f"expected SOURCE=N with N of at least 1, got {text!r}")
    return source, int(times)


if __name__ == "__main__":
    sys.exit(main())
