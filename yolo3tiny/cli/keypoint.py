"""Commands of the one-anchor detector: small marks in wide images."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Literal

from fer_paddle import options as opt
from fer_paddle.console import Output, table
from fer_paddle.messages import say, track
from yolo3tiny.cli.detector import show_export, show_figures

Look = Annotated[Literal["belt", "road"], "kind of the drawn strips"]
OtherLook = Annotated[Literal["belt", "road"] | None, "kind of the drawn strips (default: belt)"]
Data = Annotated[
    str | None, f"strips with boxes, such as LabelImg's folder of .xml (default: drawn ones): {opt.PHOTOS}"
]
Network = Annotated[str | None, "network: a file, or the name of one that ships (default: keypoint.belt)"]
Score = Annotated[opt.UnitInterval, "lowest score of a mark"]
Drift = Annotated[
    tuple[opt.NonNegativeFloat, ...],
    "least and most strength of the drift of light; training ends at 1, so 1 1.2 lies beyond it",
]
MARK_PX = 30  # side of the boxes that are drawn around what is found
SPEED_STRIPS = 32  # held in memory to measure the speed


def _drawn(look: str | None, data: str | None) -> str:
    """Return the look of drawn strips; ValueError where none are drawn."""
    if look and data:
        raise ValueError(f"expected --look, for drawn strips, without --data, got both: {look}, {data}")
    return look or "belt"


def train(
    *,
    out: Annotated[Path, "folder of the run"],
    data: Data = None,
    look: OtherLook = None,
    recipe: Annotated[Literal["strips", "fine_tune"], "name of a recipe"] = "strips",
    start: Annotated[str | None, "weights to go on from, .safetensors or a name; other classes get a new head"] = None,
    classes: Annotated[tuple[str, ...], "names of the classes, in order (default: those of the data)"] = (),
    epochs: opt.Epochs = None,
    batch_size: opt.BatchSize = None,
    accumulate: Annotated[opt.PositiveInt, "parts of a batch that go through the network one by one"] = 1,
    workers: opt.Workers = 0,
    threads: opt.Threads = None,
    resume: opt.Resume = False,
) -> Output:
    """Train on annotated strips, every tenth held out, or on drawn ones, other ones in every epoch.

    Writes checkpoints, the best weights, curves and keypoint.onnx to the folder of the run.
    """
    from fer_paddle import environment

    environment.prepare(threads)
    from fer_paddle.training.config import choose_recipe
    from fer_paddle.training.run import best_record
    from yolo3tiny.keypoint.export import export_run
    from yolo3tiny.keypoint.recipes import KEYPOINT_RECIPES
    from yolo3tiny.keypoint.train import train_from

    changes = {"epochs": epochs, "batch_size": batch_size, "accumulate": accumulate}
    chosen = choose_recipe(KEYPOINT_RECIPES, recipe, changes)
    history = train_from(chosen, out, data, _drawn(look, data), start, classes or None, resume, workers)
    export_run(out, out / "keypoint.onnx")
    best = best_record(history, chosen)
    text = say("best epoch {epoch}: F1 {valid_f1:.4f}, {valid_cost_px:.2f} px a mark with what is missed or wrong")
    text = text.format(**best) + say("; written to {}").format(out / "keypoint.onnx")
    return Output(history, text)


def detect(
    images: opt.Images,
    *,
    out: Annotated[Path | None, "folder for copies with the marks drawn in and detected.json (default: none)"] = None,
    min_score: Score = 0.5,
    weights: Network = None,
) -> Output:
    """Find the marks in images, and draw them. A bad image is named at the end, with exit code 1."""
    import numpy as np

    from fer_paddle.drawing import draw_boxes
    from fer_paddle.image_files import annotate_images
    from yolo3tiny.keypoint.predict import KeypointDetector

    find_marks = KeypointDetector(weights)

    def annotate(image: np.ndarray, scale: float) -> tuple[dict[str, Any], np.ndarray]:
        if scale > 1:
            raise ValueError("expected an image that can be read at full size, got one with too many pixels")
        found = find_marks(image, min_score)
        boxes = np.hstack([found.centers - MARK_PX / 2, found.centers + MARK_PX / 2])
        return {"marks": find_marks.to_json(found)}, draw_boxes(image, boxes, found.scores)

    return annotate_images(images, out and out / "detected.json", annotate, _table_of_marks)


def _table_of_marks(images: list[dict[str, Any]]) -> str:
    rows = []
    for image in images:
        for mark in image["marks"]:
            center = "{:.1f},{:.1f}".format(*mark["center_xy"])
            rows.append([image["file"], mark["class"], center, f"{mark['score']:.2f}"])
        if not image["marks"]:
            rows.append([image["file"], say("no mark"), "", ""])
    return table(["image", "class", "center", "score"], rows)


def evaluate(
    *,
    data: Data = None,
    split: Annotated[str, "of the data: all, a split, or held_out, every tenth strip"] = "all",
    look: OtherLook = None,
    strips: Annotated[opt.PositiveInt, "drawn strips"] = 500,
    seed: Annotated[opt.NaturalInt, "seed of the drawn strips"] = 2026,
    drift: Drift = (1.0, 1.2),
    weights: Network = None,
    runtime: Annotated[opt.Runtime | None, "runtime (default: the file's own)"] = None,
    threads: Annotated[opt.NaturalInt, "threads of the runtime; 0: it chooses"] = 1,
    at_once: Annotated[opt.PositiveInt, "images at once, for the number of images a second"] = 2,
    min_score: Score = 0.5,
) -> Output:
    """Show error in pixels, precision and recall of each class, what is taken for what, and images a second."""
    from fer_paddle.deployment.runtimes import choose_runtime
    from yolo3tiny.keypoint.data import find_marks, read_strip
    from yolo3tiny.keypoint.evaluate import evaluate as measure
    from yolo3tiny.keypoint.evaluate import measure_speed
    from yolo3tiny.keypoint.predict import KeypointDetector
    from yolo3tiny.keypoint.strips import LOOKS, draw_strip
    from yolo3tiny.splits import choose_split

    drawn, used = _drawn(look, data), choose_runtime(weights, runtime, threads)
    detector = KeypointDetector(weights, threads=threads, runtime=used)
    if data is None:
        if split != "all":
            raise ValueError(f"expected --data with --split {split}, got none")
        if len(drift) != 2:
            raise ValueError(f"expected two numbers for --drift, got {len(drift)}")
        if detector.classes != LOOKS[drawn].classes:
            raise ValueError(f"expected a network for {', '.join(LOOKS[drawn].classes)}, got {detector.classes}")
        about: dict[str, Any] = {"look": drawn, "seed": seed, "drift": list(drift)}
        found = (draw_strip(drawn, (seed, index), drift=(drift[0], drift[1])) for index in range(strips))
        count = strips
    else:
        photos = choose_split(find_marks(data, detector.classes)[0], split)
        about, count = {"data": data, "split": split}, len(photos)
        found = (read_strip(photo, detector.classes) for photo in photos)
    first = list(islice(found, SPEED_STRIPS))
    tracked = track(chain(first, found), "strips", count)
    figures = measure(lambda image: detector(image, min_score), tracked, detector.classes)
    figures["images_per_second"] = measure_speed(detector, [strip.image for strip in first], at_once)
    about |= {"threads": threads, "at_once": at_once}
    return show_figures({**about, "runtime": used}, figures)


def export(
    *,
    run: Annotated[Path, "folder of a run of train"],
    out: Annotated[Path, "the .onnx file to write; its card .json stands beside"],
    trained_on: Annotated[str | None, "the training data in words (default: the run's own)"] = None,
) -> Output:
    """Write the best weights of a run as ONNX, after comparing it with Paddle."""
    from yolo3tiny.keypoint.export import export_run

    return show_export(out, export_run(run, out, trained_on))


def draw(
    *,
    out: Annotated[Path, "new folder"],
    look: Look = "belt",
    strips: Annotated[opt.PositiveInt, "how many"] = 200,
    seed: Annotated[opt.NaturalInt, "seed of everything"] = 0,
) -> Output:
    """Draw strips with marks as LabelImg saves them: images with an .xml beside each."""
    from yolo3tiny.keypoint.data import write_strips

    write_strips(out, look, strips, seed)
    return Output({"strips": strips, "folder": str(out)}, say("{} strips in {}").format(strips, out))
