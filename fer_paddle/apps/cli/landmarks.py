"""Commands of the 68 facial landmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fer_paddle.console import Output, table
from fer_paddle.messages import say
from fer_paddle.options import FaceDetector, Images, Landmarks, MinScore, PositiveInt, TrainOptions

RESULTS_JSON = "landmarks.json"
Faces = Annotated[tuple[Path, ...], "faces as `landmarks crops` writes them (.npz)"]


def crops(
    layout: Annotated[Literal["pack", "groups", "300w", "wflw", "drawn"], "how photos and points lie on disk"],
    *,
    out: Annotated[Path, "the .npz file to write"],
    photos: Annotated[Path | None, "folder of the photos (groups, 300w, wflw)"] = None,
    marks: Annotated[Path | None, "list of the points (wflw), or folder of the pack"] = None,
    count: Annotated[PositiveInt, "number of faces (drawn)"] = 500,
    detector: FaceDetector = None,
) -> Output:
    """Cut faces with their points out of photos, by the boxes that the detector gives them."""
    from fer_paddle.apps.landmarks import read_crops
    from fer_paddle.landmarks.data.faces import save_faces
    from yolo3tiny.predict import Detector

    faces = read_crops(layout, photos, marks, count, Detector(detector))
    save_faces(out, faces)
    found = int(faces.detected.sum())
    result = {"faces": len(faces), "detected": found, "file": str(out)}
    return Output(
        result, say("{faces} faces written to {file}, {detected} of them found by the detector").format(**result)
    )


def train(
    data: Faces,
    *,
    out: Annotated[Path, "folder of the run"] = Path("runs/landmarks"),
    recipe: Annotated[str, "points68, or points68_fine with a start"] = "points68",
    start: Annotated[Path | None, "weights to begin with, .safetensors of the same network, or a name"] = None,
    options: TrainOptions,
) -> Output:
    """Train on faces with points; writes checkpoints, curves, model.safetensors and model.onnx."""
    from fer_paddle import environment

    environment.prepare(options.threads)
    from fer_paddle.landmarks.export import export_run
    from fer_paddle.landmarks.recipes import LANDMARK_RECIPES
    from fer_paddle.landmarks.train import train_from_files
    from fer_paddle.training.config import choose_recipe
    from fer_paddle.training.run import best_record

    chosen = choose_recipe(LANDMARK_RECIPES, recipe, options.changes())
    history = train_from_files(data, chosen, out, options.resume, options.workers, start)
    export_run(out, out / "model.safetensors", ", ".join(path.name for path in data))
    best = best_record(history, chosen)
    text = say("best epoch {}: error {:.4f} inter-ocular; written to {}").format(best["epoch"], best["valid_nme"], out)
    return Output(history, text)


def evaluate(
    *,
    data: Annotated[str, "the pack, or faces as `landmarks crops` writes them (.npz)"] = "landmarks68_160.npz",
    split: Annotated[Literal["train", "val", "test"], "faces to measure on"] = "val",
    weights: Landmarks = None,
) -> Output:
    """Measure a network on faces with points: errors by three norms, failure rates, areas under the curve."""
    from fer_paddle.apps.landmarks import load_detected
    from fer_paddle.landmarks.evaluate import evaluate as measure
    from fer_paddle.landmarks.predict import Landmarker

    figures = measure(Landmarker(weights), load_detected(data, split))
    whole = {"nme": figures["nme"]["inter_ocular"], "failure_rate": figures["failure_rate"]["0.1"]}
    rows = [
        [source, figure["faces"], f"{figure['nme']:.2%}", f"{figure['failure_rate']:.2%}"]
        for source, figure in [*figures["by_source"].items(), (say("all"), figures | whole)]
    ]
    text = table(["source", "faces", "error, inter-ocular", "failures at 0.10"], rows)
    return Output(figures, text)


def detect(
    images: Images,
    *,
    out: Annotated[Path | None, f"folder for copies with the points and {RESULTS_JSON} (default: none)"] = None,
    min_score: MinScore = 0.5,
    weights: Landmarks = None,
    detector: FaceDetector = None,
) -> Output:
    """Find faces and their points, and draw them. A bad image is named at the end, with exit code 1."""
    from fer_paddle.apps.landmarks import make_annotator
    from fer_paddle.image_files import annotate_images
    from fer_paddle.landmarks.predict import Landmarker
    from yolo3tiny.predict import Detector

    annotate = make_annotator(Detector(detector), Landmarker(weights), min_score)
    return annotate_images(images, out and out / RESULTS_JSON, annotate, _table_of_faces)


def _table_of_faces(images: list[dict[str, Any]]) -> str:
    rows = []
    for image in images:
        for face in image["faces"]:
            left, top, right, bottom = face["box_xyxy"]
            angles = [f"{face['pose'][name]:.0f}" for name in ("yaw_deg", "pitch_deg", "roll_deg")]
            measures = [f"{value:.2f}" for value in face["measures"].values()]
            place = f"{left:.0f},{top:.0f} {right - left:.0f}x{bottom - top:.0f}"
            rows.append([image["file"], place, *angles, *measures])
        if not image["faces"]:
            rows.append([image["file"], say("no face"), *[""] * 6])
    return table(["image", "place and size", "yaw", "pitch", "roll", "mouth open", "smile", "eye closed"], rows)
