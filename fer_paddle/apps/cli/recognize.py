"""Commands that find faces and name their expressions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.arguments import share
from fer_paddle.console import bar, fail_files, print_json, print_table, warn


def add_commands(commands: Any) -> None:
    """Adds recognize and demo to the command line."""
    add_recognize(commands)
    add_demo(commands)


def add_recognize(commands: Any) -> None:
    parser = commands.add_parser("recognize", help="name the expressions in pictures", description=recognize.__doc__)
    parser.add_argument("pictures", nargs="+", help="files, folders or globs")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        help="folder for the annotated pictures and results.json/csv (default: out)",
    )
    parser.add_argument(
        "--min-score", type=share, default=0.5, help="lowest detector score of a face, 0 to 1 (default: 0.5)"
    )
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="names in the pictures (default: en)")
    parser.add_argument("--weights", type=Path, help="expression network, .onnx (default: the one that ships)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=recognize)


def recognize(args: argparse.Namespace) -> int:
    """Finds the faces in pictures, names their expressions, writes annotated copies; exits with 1 if one failed."""
    from fer_paddle.apps.recognize import RESULTS_JSON, recognize_files
    from fer_paddle.drawing import find_font_fault
    from fer_paddle.expression.predict import Classifier
    from fer_paddle.image_files import find_pictures, read_drawn
    from fer_paddle.pipeline import Pipeline

    paths = find_pictures(args.pictures, args.out, read_drawn(args.out / RESULTS_JSON))
    if args.language == "zh" and (fault := find_font_fault()):
        warn(fault)
    pipeline = Pipeline(classifier=Classifier(args.weights))
    report = recognize_files(paths, args.out, pipeline, args.min_score, args.language, bar("pictures"))
    return _print_report(report, args.out, args.json)


def add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="recognise a shipped photo and drawn faces", description=demo.__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("out"), help="folder for the annotated pictures (default: out)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """Recognises scikit-image's astronaut and a scene of drawn faces."""
    from fer_paddle.apps.demo import write_demo_pictures
    from fer_paddle.apps.recognize import recognize_files
    from fer_paddle.pipeline import MIN_SCORE, Pipeline

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
    return fail_files(report.failed)
