"""Recognizes many image files: goes on past a bad one, and says at the end what went wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.drawing import draw_faces
from fer_paddle.files import replacing
from fer_paddle.image_files import annotate_files
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Pipeline

RESULTS_JSON, RESULTS_CSV = "results.json", "results.csv"


@dataclass
class Report:
    """What became of the images.

    Attributes:
        classes: Names of the network's classes.
        results: One record an image: `file`, `drawn` (the copy written), `faces` (see Face.to_json).
        failed: Pairs (file, reason) of those that could not be read or written.
    """

    classes: tuple[str, ...]
    results: list[dict[str, Any]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def recognize_files(
    paths: Sequence[Path],
    folder: Path,
    pipeline: Pipeline,
    min_score: float,
    language: str = "en",
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> Report:
    """Recognize images and write the annotated ones, `results.json` and `results.csv`.

    Args:
        paths: Image files.
        folder: Where to write; it is made. Each image keeps its name, with a number where two share one, or where
            the folder has another file of that name. Only what an earlier `results.json` names as drawn is replaced.
        pipeline: What recognizes.
        min_score: See Pipeline.
        language: See draw_faces.
        progress: Wraps the paths for a progress bar.

    Returns:
        The report that the two files hold; an interrupted run leaves the JSON as far as it came.

    Raises:
        ValueError: The folder has a `results.json` of something else.
        OSError: The folder cannot be written.
    """

    def annotate(image: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
        faces = pipeline(image, min_score=min_score)
        return {"faces": [face.to_json() for face in faces]}, draw_faces(image, faces, language)

    classes = getattr(pipeline, "classes", EXPRESSIONS)
    report = Report(classes, *annotate_files(paths, folder / RESULTS_JSON, annotate, progress, lambda path: path.name))
    _write_csv(folder / RESULTS_CSV, report)
    return report


def _write_csv(path: Path, report: Report) -> None:
    """Write a row a face: file, box, score, label and the probability of each class."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["file", "left", "top", "right", "bottom", "score", "label", *report.classes])
        for result in report.results:
            for face in result["faces"]:
                row = [result["file"], *face["box_xyxy"], face["score"], face["label"], *face["probs"].values()]
                writer.writerow(row)
