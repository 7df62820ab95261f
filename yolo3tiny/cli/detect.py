"""The command that finds faces in pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_paddle.arguments import share
from fer_paddle.console import bar, fail_files, print_json, print_table

RESULTS_JSON = "detected.json"


def add_commands(commands: Any) -> None:
    """Adds detect to the command line."""
    add_detect(commands)


def add_detect(commands: Any) -> None:
    parser = commands.add_parser("detect", help="find the faces in pictures", description=detect.__doc__)
    parser.add_argument("pictures", nargs="+", metavar="PATH", help="files, folders or globs")
    parser.add_argument(
        "--out", type=Path, help=f"folder for copies with the boxes drawn in and {RESULTS_JSON} (default: none)"
    )
    parser.add_argument("--min-score", type=share, default=0.5, help="lowest score of a face, 0 to 1 (default: 0.5)")
    parser.add_argument("--weights", type=Path, help="network, .onnx (default: the one that ships)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=detect)


def detect(args: argparse.Namespace) -> int:
    """Prints the faces of pictures, and draws them. A bad picture is named at the end, with exit code 1."""
    from fer_paddle.files import write_json
    from fer_paddle.image_files import OutputNames, find_pictures, note_drawn, read_drawn
    from yolo3tiny.predict import Detector

    drawn_before = read_drawn(args.out / RESULTS_JSON) if args.out else set()
    paths = find_pictures(args.pictures, args.out, drawn_before)
    find_faces = Detector(args.weights)
    names: OutputNames | None = None
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        names = OutputNames(args.out, paths, drawn_before)
    pictures, failed = [], []
    try:
        for path in bar("pictures")(paths):
            try:
                pictures.append(_detect(path, find_faces, args.min_score, names))
            except (ValueError, OSError) as error:
                failed.append({"file": str(path), "reason": str(error)})
    finally:
        if args.out:
            write_json(args.out / RESULTS_JSON, note_drawn(pictures, failed, drawn_before))
    if args.json:
        print_json({"pictures": pictures, "failed": failed})
    elif pictures:
        _print_faces(pictures)
    return fail_files([(failure["file"], failure["reason"]) for failure in failed])


def _detect(path: Path, find_faces: Any, min_score: float, names: Any) -> dict[str, Any]:
    """The record of one picture, which is drawn too where there are `names` for the copies."""
    from fer_paddle import images
    from yolo3tiny.draw import draw_boxes

    image = images.read_image(path)
    faces = find_faces(image, min_score=min_score)
    record = {"file": str(path), "width": image.shape[1], "height": image.shape[0], "faces": _plain(faces)}
    if names is not None:
        record["drawn"] = str(names.next_for(path))
        images.write_image(record["drawn"], draw_boxes(image, faces.boxes_xyxy, faces.scores))
    return record


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
