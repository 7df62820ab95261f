"""The command that finds faces in images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fer_paddle.console import Output, bar, table
from fer_paddle.options import Images, MinScore, Weights

RESULTS_JSON = "detected.json"


def detect(
    images: Images,
    *,
    out: Annotated[Path | None, f"folder for copies with the boxes drawn in and {RESULTS_JSON} (default: none)"] = None,
    min_score: MinScore = 0.5,
    weights: Weights = None,
) -> Output:
    """Find the faces in images, and draw them. A bad image is named at the end, with exit code 1."""
    from fer_paddle.files import write_json
    from fer_paddle.image_files import OutputNames, find_pictures, note_drawn, read_drawn
    from yolo3tiny.predict import Detector

    drawn_before = read_drawn(out / RESULTS_JSON) if out else set()
    paths = find_pictures(images, out, drawn_before)
    find_faces = Detector(weights)
    names: OutputNames | None = None
    if out:
        out.mkdir(parents=True, exist_ok=True)
        names = OutputNames(out, paths, drawn_before)
    pictures: list[dict[str, Any]] = []
    failed: list[tuple[str, str]] = []
    try:
        for path in bar("images")(paths):
            try:
                pictures.append(_detect(path, find_faces, min_score, names))
            except (ValueError, OSError) as error:
                failed.append((str(path), str(error)))
    finally:
        reasons = [{"file": file, "reason": reason} for file, reason in failed]
        if out:
            write_json(out / RESULTS_JSON, note_drawn(pictures, reasons, drawn_before))
    text = _table_of_faces(pictures) if pictures else ""
    return Output({"pictures": pictures, "failed": reasons}, text, failed)


def _detect(path: Path, find_faces: Any, min_score: float, names: Any) -> dict[str, Any]:
    """Return the record of one image, which is drawn too where there are `names` for the copies."""
    from fer_paddle import images
    from yolo3tiny.draw import draw_boxes

    image = images.read_image(path)
    faces = find_faces(image, min_score=min_score)
    rows = zip(faces.boxes_xyxy.tolist(), faces.scores.tolist())
    plain = [{"box_xyxy": [round(side, 2) for side in box], "score": round(score, 4)} for box, score in rows]
    record = {"file": str(path), "width": image.shape[1], "height": image.shape[0], "faces": plain}
    if names is not None:
        record["drawn"] = str(names.next_for(path))
        images.write_image(record["drawn"], draw_boxes(image, faces.boxes_xyxy, faces.scores))
    return record


def _table_of_faces(pictures: list[dict[str, Any]]) -> str:
    rows = []
    for picture in pictures:
        for face in picture["faces"]:
            left, top, right, bottom = face["box_xyxy"]
            place = f"{left:.0f},{top:.0f} {right - left:.0f}x{bottom - top:.0f}"
            rows.append([picture["file"], f"{face['score']:.2f}", place])
        if not picture["faces"]:
            rows.append([picture["file"], "no face", ""])
    return table(["picture", "score", "place and size"], rows)
