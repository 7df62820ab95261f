"""Recognises many picture files: keeps going past a bad one, and says at the end what went wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_paddle import images
from fer_paddle.drawing import draw_faces
from fer_paddle.files import replacing, write_json
from fer_paddle.image_files import OutputNames, note_drawn, read_drawn
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Pipeline

RESULTS_JSON, RESULTS_CSV = "results.json", "results.csv"


@dataclass
class Report:
    """What became of the pictures.

    Attributes:
        results: One record a picture: `file`, `drawn` (the picture written), `faces` (see Face.to_json).
        failed: Pairs (file, reason) of those that could not be read or written.
    """

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
    """Recognises pictures and writes the annotated ones, `results.json` and `results.csv`.

    Args:
        paths: Picture files.
        folder: Where to write; it is made. Each picture keeps its name, with a number where two share one, or where
            the folder has another file of that name. Only what an earlier `results.json` names as drawn is replaced.
        pipeline: What recognises.
        min_score: See Pipeline.
        language: See draw_faces.
        progress: Wraps the paths for a progress bar.

    Returns:
        The report that the two files hold; an interrupted run leaves them too, as far as it came.

    Raises:
        ValueError: The folder has a `results.json` of something else.
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn_before = read_drawn(folder / RESULTS_JSON)
    report, names = Report(), OutputNames(folder, paths, drawn_before)
    try:
        for path in progress(paths):
            try:
                image = images.read_image(path)
                faces = pipeline(image, min_score=min_score)
                drawn = names.next_for(path)
                images.write_image(drawn, draw_faces(image, faces, language))
            except (ValueError, OSError) as error:
                report.failed.append((str(path), str(error)))
                continue
            report.results.append({"file": str(path), "drawn": drawn.name, "faces": [face.to_json() for face in faces]})
    finally:
        _write_results(folder, report, drawn_before)
    return report


def _write_results(folder: Path, report: Report, drawn_before: set[str]) -> None:
    """Writes the JSON and the CSV."""
    failed = [{"file": file, "reason": reason} for file, reason in report.failed]
    write_json(folder / RESULTS_JSON, note_drawn(report.results, failed, drawn_before))
    _write_csv(folder / RESULTS_CSV, report)


def _write_csv(path: Path, report: Report) -> None:
    """One row a face: file, box, score, label and the seven probabilities."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["file", "left", "top", "right", "bottom", "score", "label", *EXPRESSIONS])
        for result in report.results:
            for face in result["faces"]:
                writer.writerow(
                    [result["file"], *face["box_xyxy"], face["score"], face["label"], *face["probs"].values()]
                )
