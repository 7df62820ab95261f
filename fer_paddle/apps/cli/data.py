"""Commands that make packs, judge data and time the augmentation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fer_paddle.console import Output, percent, table, warn
from fer_paddle.messages import name_reason, say, track
from fer_paddle.options import PHOTOS, NonNegativeFloat, PositiveFloat, Side, Weights


def data_(
    csv: Annotated[
        Path, "Kaggle's fer2013.csv or icml_face_data.csv; the FER+ votes of a fer2013new.csv beside it are taken in"
    ],
    *,
    out: Annotated[Path, "folder of the packs"],
) -> Output:
    """Make the packs of FER2013, one a split, from the official csv, and read them back.

    Commands and notebooks find them by name, such as --data fer2013_train.npz, where FER_DATA names the folder.
    """
    from fer_paddle.expression.data.fer2013 import PUBLISHED, read_pack, write_packs

    found, rows = [], []
    for split, path in write_packs(csv, out).items():
        faces = read_pack(path, keep_faults=True)
        has_votes = faces.votes is not None
        row = {"file": path.name, "split": split, "images": len(faces), "published": PUBLISHED[split]}
        rows.append([*row.values(), say("yes") if has_votes else say("no")])
        found.append({**row, "votes": has_votes})
    text = table(["file", "split", "images", "published", "FER+ votes"], rows)
    return Output(found, f"{text}\n\n" + say("written to {}").format(out))


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

    faces = load_sources(sources)
    warn(*(name_reason(name, reason) for name, reason in faces.skipped))
    out.mkdir(parents=True, exist_ok=True)
    found = build_report(faces, **({} if quick else _load_judges(weights)))
    content = {"sources": list(map(printable, sources)), **found.to_json(faces)}
    write_json(out / "report.json", content)
    write_page(out / "report.html", faces, found, ", ".join(printable(Path(one).resolve().name) for one in sources))
    rows = [[say(one.title), len(one.groups), one.num_images] for one in found.findings.values()]
    rows.append([say("Files that cannot be read"), "", len(faces.skipped)])
    lines = [table(["finding", "groups", "images"], rows)]
    if "ferplus" in found.figures:
        agreement = percent(found.figures["ferplus"]["agreement"])
        lines.append("\n" + say("most FER+ voters chose the label of {} of the images").format(agreement))
    if "suspected" in found.figures.get("wrong_labels", {}):
        accuracy = percent(found.figures["wrong_labels"]["accuracy_of_the_judge"])
        text = say("the network that judges the labels agrees with {} of them: where that is low, trust it less")
        lines.append(text.format(accuracy))
    lines.append("\n" + say("{} images, see {}").format(len(faces), out / "report.html"))
    figures = {name: value for name, value in content.items() if name not in ("findings", "unreadable")}
    return Output(figures, "\n".join(lines))


def crop(
    data: Annotated[str, f"images with boxes whose categories are classes, such as happy: {PHOTOS}"],
    *,
    out: Annotated[Path, "new folder of class folders"],
    margin: Annotated[NonNegativeFloat, "added to each side of the square about a box, as a ratio of its side"] = 0.05,
) -> Output:
    """Cut what the boxes of an object detection data set mark into class folders that `train` reads.

    Many data sets of expressions are laid out so. The splits stay, as folders train, validation and test.
    """
    from fer_paddle.collect.names import safe_name, save_new
    from fer_paddle.environment import find_data
    from fer_paddle.files import hold
    from fer_paddle.images import write_image
    from fer_paddle.labels import choose_classes, parse_split
    from fer_paddle.pipeline import crop_face
    from yolo3tiny.annotations import read_categories, read_photos

    path = find_data(data)
    rows: dict[tuple[str, str], int] = {}
    categories = read_categories(path)
    names = [safe_name(category, "unnamed") for category in categories]
    classes, index_of = choose_classes(names)
    with hold(out):
        for category, own in zip(categories, names):
            for photo in track(read_photos(path, classes=[category]), category):
                split, name = parse_split(photo.split) or "", classes[index_of[own]]
                stem = safe_name(Path(photo.name).stem)
                image = photo.read()
                for box in photo.boxes_xyxy[~photo.ignore]:
                    write = partial(write_image, image=crop_face(image, box, margin))
                    save_new(out / split / name, stem, ".png", write)
                    rows[split, name] = rows.get((split, name), 0) + 1
    found = [{"split": split, "class": name, "images": count} for (split, name), count in sorted(rows.items())]
    return Output(found, table(["split", "class", "images"], [list(row.values()) for row in found]))


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
    speeds = {name: measure_speed(config, size, seconds) for name, config in track(CHANGES.items(), "rows")}
    rows = [[name, f"{speed:.0f}"] for name, speed in speeds.items()]
    return Output({"size": size, "images_per_second": speeds}, table(["change", "images/s"], rows))
