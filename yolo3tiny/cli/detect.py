"""The command that finds faces in images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fer_paddle.console import Output, table
from fer_paddle.messages import say
from fer_paddle.options import Images, MinFace, MinScore, Rotations, Weights

RESULTS_JSON = "detected.json"


def detect(
    images: Images,
    *,
    out: Annotated[Path | None, f"folder for copies with the boxes drawn in and {RESULTS_JSON} (default: none)"] = None,
    min_score: MinScore = 0.5,
    min_face: MinFace = 0,
    rotations: Rotations = (),
    weights: Weights = None,
    fast: Annotated[bool, "look at 320 px: faster, for large faces"] = False,
) -> Output:
    """Find the faces in images, and draw them. A bad image is named at the end, with exit code 1."""
    import numpy as np

    from fer_paddle.drawing import draw_boxes
    from fer_paddle.image_files import annotate_images
    from yolo3tiny.predict import Detector
    from yolo3tiny.rotations import find_faces

    detector, turned_by = Detector(weights, fast=fast), tuple(map(int, rotations))

    def annotate(image: np.ndarray, scale: float) -> tuple[dict[str, Any], np.ndarray]:
        found, turns = find_faces(detector, image, min_score, min_face / scale, turned_by)
        faces = [
            {"box_xyxy": [round(side, 2) for side in box], "score": round(score, 4)}
            | ({"rotation_deg": degrees} if degrees else {})
            for box, score, degrees in zip(found.boxes_xyxy.tolist(), found.scores.tolist(), turns.tolist())
        ]
        return {"faces": faces}, draw_boxes(image, found.boxes_xyxy, found.scores)

    return annotate_images(images, out and out / RESULTS_JSON, annotate, _table_of_faces)


def _table_of_faces(images: list[dict[str, Any]]) -> str:
    rows = []
    for image in images:
        for face in image["faces"]:
            left, top, right, bottom = face["box_xyxy"]
            place = f"{left:.0f},{top:.0f} {right - left:.0f}x{bottom - top:.0f}"
            rows.append([image["file"], f"{face['score']:.2f}", place])
        if not image["faces"]:
            rows.append([image["file"], say("no face"), ""])
    return table(["image", "score", "place and size"], rows)
