"""Recognize many images: files, folders and URLs; go on past a bad one, and say at the end what went wrong."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.drawing import draw_faces, draw_points
from fer_paddle.files import replacing
from fer_paddle.image_files import Failed, annotate_files, find_images, read_ours
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.measures import Measures
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.landmarks.pose import draw_axes
from fer_paddle.messages import reason_of
from fer_paddle.pipeline import Face, Pipeline, fetch_image, is_url
from fer_paddle.video import is_video

logger = logging.getLogger(__name__)
RESULTS_JSON, RESULTS_CSV = "results.json", "results.csv"
FACE_COLUMNS = ("left", "top", "right", "bottom", "score", "label", "sure", "rotation_deg")
LANDMARK_COLUMNS = (
    *("yaw_deg", "pitch_deg", "roll_deg", *(one.name for one in fields(Measures))),
    *(f"{axis}{row}" for row in range(NUM_POINTS) for axis in "xy"),
)


@dataclass
class Report:
    """What became of the images."""

    classes: tuple[str, ...]  # names of the network's classes
    # one record an image: `file`, `drawn` (the copy written), `faces` (see Face.to_json)
    results: list[dict[str, Any]] = field(default_factory=list)
    # pairs (file, reason) of those that could not be read or written
    failed: list[tuple[str, str]] = field(default_factory=list)


def recognize_files(
    paths: Sequence[Path], folder: Path, pipeline: Pipeline, min_score: float, language: str = "en"
) -> Report:
    """Recognize images and write the annotated ones, `results.json` and `results.csv`; return what the two hold.

    Each image keeps its name in the folder, which is made, with a number where two share one, or where another file has
    it. Only what an earlier `results.json` names as drawn is replaced (ValueError: the file is something else). An
    interrupted run leaves the JSON as far as it came.
    """

    def annotate(image: np.ndarray, scale: float) -> tuple[dict[str, Any], np.ndarray]:
        faces = pipeline(image, min_score=min_score, min_face=pipeline.min_face / scale if scale > 1 else None)
        return {"faces": [face.to_json() for face in faces]}, draw_found(image, faces, language)

    classes = getattr(pipeline, "classes", EXPRESSIONS)
    report = Report(classes, *annotate_files(paths, folder / RESULTS_JSON, annotate))
    _write_csv(folder / RESULTS_CSV, report)
    return report


def draw_found(
    image: np.ndarray, faces: Sequence[Face], language: str = "en", ids: Sequence[int] | None = None
) -> np.ndarray:
    """Draw as draw_faces, and points and axes of the faces that have them, in a copy of the image."""
    drawn = draw_faces(image, faces, language, ids)
    for face in faces:
        if face.points is not None and face.pose is not None:
            drawn = draw_axes(draw_points(drawn, face.points), face.pose)
    return drawn


def find_sources(
    arguments: Sequence[str], out: Path, allow_url: bool = False
) -> tuple[list[Path], list[Path | int], list[Failed]]:
    """Return images, videos (cameras by number), and which URL could not be fetched to `out/fetched`, and why."""
    urls = [one for one in arguments if is_url(one)]
    cameras = [one for one in arguments if one.isdecimal() and not os.path.lexists(one)]
    patterns = [one for one in arguments if one not in urls and one not in cameras]
    if urls and not allow_url:
        raise ValueError(f"expected --allow-url before {urls[0]} is fetched")
    others: list[Path] = []
    try:
        found = find_images(patterns, out, read_ours(out / RESULTS_JSON), others) if patterns else []
    finally:
        if passed := sorted(filter(is_video, others)):
            logger.warning("videos in folders passed over: %d, such as %s: give them by name", len(passed), passed[0])
    fetched, failed = _fetch_files(urls, out / "fetched") if urls else ([], [])
    images = [*(path for path in found if not is_video(path)), *fetched]
    return images, [*filter(is_video, found), *map(int, cameras)], failed


def _fetch_files(urls: Iterable[str], folder: Path) -> tuple[list[Path], list[Failed]]:
    from fer_paddle.collect.crawl import save_image

    paths: list[Path] = []
    failed: list[Failed] = []
    for url in urls:
        try:
            paths.append(save_image(folder, url, fetch_image(url)))
        except (ValueError, OSError) as error:
            failed.append((url, reason_of(error)))
    return paths, failed


def _write_csv(path: Path, report: Report) -> None:
    """Write a row a face: file, its record, of box to probabilities, and landmarks where there are any."""
    landmarks = next((landmark_columns(face) for result in report.results for face in result["faces"]), {})
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["file", *face_header(report.classes), *landmarks])
        for result in report.results:
            name = result["file"] if safe_text(result["file"]) == result["file"] else f"./{result['file']}"
            writer.writerows([name, *face_row(face)] for face in result["faces"])


def safe_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, as OWASP advises; a network's classes may be anybody's."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def face_header(classes: Sequence[str], landmarks: bool = False) -> list[str]:
    """Return the names of the cells of `face_row`."""
    return [*FACE_COLUMNS, *map(safe_text, classes), *(LANDMARK_COLUMNS if landmarks else ())]


def face_row(face: dict[str, Any]) -> list[Any]:
    """Return the cells of a face's record under `face_header`, of landmarks where it has them."""
    told = face["score"], safe_text(face["label"]), face["sure"], face.get("rotation_deg", 0)
    return [*face["box_xyxy"], *told, *face["probs"].values(), *landmark_columns(face).values()]


def landmark_columns(face: dict[str, Any]) -> dict[str, float]:
    """Return pose, measures and points of a face's record as columns of a table; none where it has none."""
    places = {
        f"{axis}{row}": value for row, xy in enumerate(face.get("points_xy", ())) for axis, value in zip("xy", xy)
    }
    return {**face.get("pose", {}), **face.get("measures", {}), **places}
