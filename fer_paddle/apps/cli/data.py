"""Commands that judge data and time the augmentation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from fer_paddle.console import Output, bar, percent, table
from fer_paddle.options import PositiveFloat, Side, Weights


def report(
    sources: Annotated[
        tuple[str, ...],
        "folders of images, packs (.npz), the official csv, or a folder of packs; several undivided sources count as "
        "splits",
    ],
    *,
    out: Annotated[Path, "folder for report.html and report.json"] = Path("runs/report"),
    quick: Annotated[bool, "no networks: neither wrong labels nor missing faces"] = False,
    weights: Weights = None,
) -> Output:
    """Look for copies, leaks, wrong labels, images without a face and bad light; write an HTML page and JSON."""
    from fer_paddle.expression.data.expressions import load_sources
    from fer_paddle.expression.data.folders import printable
    from fer_paddle.files import write_json
    from fer_paddle.quality.page import write_page
    from fer_paddle.quality.report import build_report

    faces = load_sources(sources, bar("images"))
    for name, reason in faces.skipped:
        print(reason if name in reason else f"{name}: {reason}", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    found = build_report(faces, progress=bar("steps"), **({} if quick else _load_judges(weights)))
    content = {"sources": list(map(printable, sources)), **found.to_json(faces)}
    write_json(out / "report.json", content)
    write_page(out / "report.html", faces, found, ", ".join(printable(Path(one).resolve().name) for one in sources))
    rows = [[one.title, len(one.groups), one.num_images] for one in found.findings.values()]
    rows.append(["Files that cannot be read", "", len(faces.skipped)])
    lines = [table(["finding", "groups", "images"], rows)]
    if "ferplus" in found.figures:
        agreement = percent(found.figures["ferplus"]["agreement"])
        lines.append(f"\nmost FER+ voters chose the label of {agreement} of the images")
    if "suspected" in found.figures.get("wrong_labels", {}):
        accuracy = percent(found.figures["wrong_labels"]["accuracy_of_the_judge"])
        lines.append(
            f"the network that judges the labels agrees with {accuracy} of them: where that is low, trust it less"
        )
    lines.append(f"\n{len(faces)} images; {out / 'report.html'} shows them")
    figures = {name: value for name, value in content.items() if name not in ("findings", "unreadable")}
    return Output(figures, "\n".join(lines))


def _load_judges(weights: Path | None) -> dict[str, Any]:
    """Return the networks that a report asks: the classifier, and the best score of a face in an image."""
    from fer_paddle.expression.predict import Classifier
    from fer_paddle.quality.measures import FACE_SIDE
    from yolo3tiny.predict import Detector

    detector = Detector(longest=FACE_SIDE)

    def find_face(image: Any) -> float:
        return float(detector(image, min_score=0.01).scores.max(initial=0.0))

    return {"classify": Classifier(weights), "find_face": find_face}


def benchmark_augment(
    *,
    size: Annotated[Side, "side of the results in pixels"] = 64,
    seconds: Annotated[PositiveFloat, "how long each row is timed"] = 2.0,
) -> Output:
    """Count the 48 px faces that each policy of `study augment` changes in a second of one core."""
    import cv2

    from fer_paddle.expression.studies import CHANGES, measure_speed

    cv2.setNumThreads(1)
    speeds = {name: measure_speed(config, size, seconds) for name, config in bar("rows")(CHANGES.items())}
    rows = [[name, f"{speed:.0f}"] for name, speed in speeds.items()]
    return Output({"size": size, "images_per_second": speeds}, table(["change", "images/s"], rows))
