"""Commands of the face detector: find, train, measure, export."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import click

from fer_paddle import options as opt
from fer_paddle.console import Output, table
from fer_paddle.messages import say

Classes = Annotated[tuple[str, ...], "category of the data that is a face, or all (default: those called face or head)"]


class PerSource(click.ParamType):
    """SOURCE=N, as a pair of text and integer."""

    name = "SOURCE=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        source, _, times = str(value).rpartition("=")
        if not source or not times.isdecimal() or int(times) < 1:
            self.fail(f"expected SOURCE=N with N of at least 1, got {value!r}", param, ctx)
        return source, int(times)


Tiles = Annotated[
    tuple[tuple[str, int], ...], PerSource(), "cut the photos of a source, at their own scale, into tiles of N px"
]


def detect(
    images: opt.Images,
    *,
    out: Annotated[Path | None, "folder for copies with the boxes drawn in and detected.json (default: none)"] = None,
    min_score: opt.MinScore = 0.5,
    min_face: opt.MinFace = 0,
    rotations: opt.Rotations = (),
    weights: opt.FaceDetector = None,
    fast: Annotated[bool, "look at 320 px: faster, for large faces"] = False,
) -> Output:
    """Find the faces in images, or what else the network was trained on, and draw them.

    A bad image is named at the end, with exit code 1.
    """
    import numpy as np

    from fer_paddle.drawing import draw_boxes
    from fer_paddle.image_files import annotate_images
    from yolo3tiny.predict import CLASSES, Detector
    from yolo3tiny.rotations import find_faces

    detector, turned_by = Detector(weights, fast=fast), tuple(map(int, rotations))
    (name,) = detector.settings.classes

    def annotate(image: np.ndarray, scale: float) -> tuple[dict[str, Any], np.ndarray]:
        found, turns = find_faces(detector, image, min_score, min_face / scale, turned_by)
        faces = [
            {"class": name, "box_xyxy": [round(side, 2) for side in box], "score": round(score, 4)}
            | ({"rotation_deg": degrees} if degrees else {})
            for box, score, degrees in zip(found.boxes_xyxy.tolist(), found.scores.tolist(), turns.tolist())
        ]
        title = "" if (name,) == CLASSES else name
        return {"faces": faces}, draw_boxes(image, found.boxes_xyxy, found.scores, name=title)

    return annotate_images(images, out and out / "detected.json", annotate, partial(_table_of_faces, name))


def _table_of_faces(name: str, images: list[dict[str, Any]]) -> str:
    rows = []
    for image in images:
        for face in image["faces"]:
            left, top, right, bottom = face["box_xyxy"]
            place = f"{left:.0f},{top:.0f} {right - left:.0f}x{bottom - top:.0f}"
            rows.append([image["file"], name, f"{face['score']:.2f}", place])
        if not image["faces"]:
            rows.append([image["file"], say(f"no {name}"), "", ""])
    return table(["image", "class", "score", "place and size"], rows)


def train(
    *,
    data: Annotated[tuple[str, ...], f"photos with boxes, may be given several times: {opt.PHOTOS}"],
    classes: Classes = (),
    recipe: Annotated[str, "crowd (tiny YOLOv3) or lite (three heads, faster)"] = "crowd",
    out: Annotated[Path, "folder of the run"],
    start: Annotated[
        Path | None, "detector to go on from, .safetensors or a name; its network and anchors are kept"
    ] = None,
    epochs: Annotated[opt.PositiveInt | None, "instead of the recipe's; its stages shrink or grow with them"] = None,
    batch_size: opt.BatchSize = None,
    learning_rate: Annotated[opt.PositiveFloat | None, "highest learning rate, instead of the recipe's"] = None,
    repeat: Annotated[tuple[tuple[str, int], ...], PerSource(), "see the photos of one source N times an epoch"] = (),
    tiles: Tiles = (),
    drawn: Annotated[opt.NaturalInt, "drawn images without people, source `drawn`, to learn from"] = 0,
    workers: opt.Workers = 0,
    threads: opt.Threads = None,
    resume: opt.Resume = False,
    data_changed: Annotated[bool, "resume though the data are others than before"] = False,
) -> Output | None:
    """Train on annotated photos; measure on their split val, or on every tenth of a table without one.

    Writes checkpoints, the best weights, curves, a VisualDL log and detector.onnx to the folder of the run.
    """
    from fer_paddle import environment
    from fer_paddle.training.config import choose_recipe
    from yolo3tiny.recipes import DETECTOR_RECIPES

    changes = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "repeat": repeat or None}
    chosen = choose_recipe(DETECTOR_RECIPES, recipe, changes)
    environment.prepare(threads)
    from fer_paddle.training import parallel
    from fer_paddle.training.loop import RunOptions
    from fer_paddle.training.run import best_record
    from yolo3tiny.export import export_run
    from yolo3tiny.train import train_from_files

    options = RunOptions(out, resume, workers=workers, data_changed=data_changed)
    history = train_from_files(data, chosen, options, classes or None, start, dict(tiles), drawn)
    if parallel.rank() != 0:  # the other processes of paddle.distributed.launch have done their part
        return None
    export_run(out, out / "detector.onnx")
    best = best_record(history, chosen)
    text = say("best epoch {}: AP {:.4f}; written to {}").format(best["epoch"], best["valid_ap"], out / "detector.onnx")
    return Output(history, text)


def evaluate(
    *,
    data: Annotated[str, f"photos with boxes: {opt.PHOTOS}"],
    split: Annotated[
        str,
        "all, or a split of the table. Of a table without a split val, such as facedet_pseudo, every tenth photo by "
        "position is held out: val or held_out names these, train the others",
    ] = "val",
    classes: Classes = (),
    tiles: Tiles = (),
    drawn: Annotated[opt.NaturalInt, "images without people to count false faces on, added to the photos"] = 0,
    weights: opt.FaceDetector = None,
    runtime: Annotated[opt.Runtime | None, "runtime (default: the file's own)"] = None,
    longest: Annotated[
        opt.Side | None,
        "longer side of the network's input, one look (default: the network's own, closer at small faces)",
    ] = None,
    threads: Annotated[opt.NaturalInt, "threads of the runtime; 0: it chooses"] = 0,
) -> Output:
    """Show the average precision at IoU 0.5, over all and by source, false faces, and the median time of a photo."""
    import numpy as np

    from fer_paddle.deployment.runtimes import choose_runtime
    from yolo3tiny.evaluate import Stopwatch
    from yolo3tiny.evaluate import evaluate as measure
    from yolo3tiny.negatives import VALIDATION, make_negatives
    from yolo3tiny.predict import WEIGHTS, Detector
    from yolo3tiny.splits import load_split, tile_sources

    used = choose_runtime(weights, runtime, threads)
    detector = Detector(weights, longest=longest, threads=threads, runtime=used)
    watched = Stopwatch(detector)
    photos = tile_sources(load_split(data, split, classes or None, detector.settings.classes), dict(tiles))
    figures = measure(watched, photos + make_negatives(drawn, VALIDATION))
    figures |= {"latency_ms": float(np.median(watched.times_ms)), "longest": detector.settings.longest}
    about = {"data": data, "split": split, "weights": str(weights or WEIGHTS.name), "runtime": used}
    return show_figures(about, figures)


def export(
    *,
    run: Annotated[Path, "folder of a run of train"],
    out: Annotated[Path, "the .onnx file to write; its card .json stands beside"],
    trained_on: Annotated[str | None, "the training data in words (default: the run's own)"] = None,
    longest: Annotated[
        int | None, opt.Number(int, 32, 4096), "longer side of the input (default: the recipe's)"
    ] = None,
) -> Output:
    """Write the best weights of a run as ONNX with their settings inside, after comparing it with Paddle."""
    from yolo3tiny.export import export_run

    return show_export(out, export_run(run, out, trained_on, longest))


def show_figures(about: dict[str, Any], figures: dict[str, Any]) -> Output:
    """Show what was measured on what, a row a figure."""
    rows = [[name, f"{value:.4f}" if isinstance(value, float) else str(value)] for name, value in figures.items()]
    return Output({**about, **figures}, table(["figure", "value"], rows))


def show_export(out: Path, card: dict[str, Any]) -> Output:
    """Show the card of an exported run."""
    figures = out, card["parameters"], card["largest_difference_from_paddle"]
    return Output(card, say("{}: {} parameters, largest difference from Paddle {:.2g}").format(*figures))
