"""Commands that find faces and name their expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from fer_paddle.console import Output, bar, table
from fer_paddle.options import Images, MinScore, Weights

Out = Annotated[Path, "folder for the annotated images"]


def recognize(
    images: Images,
    *,
    out: Out = Path("out"),
    min_score: MinScore = 0.5,
    language: Annotated[Literal["en", "zh"], "names in the images"] = "en",
    weights: Weights = None,
) -> Output:
    """Find the faces in images and name their expressions.

    Writes annotated copies, results.json and results.csv; exits with 1 if an image failed.
    """
    from fer_paddle.apps.recognize import RESULTS_JSON, recognize_files
    from fer_paddle.drawing import find_chinese_font
    from fer_paddle.expression.predict import Classifier
    from fer_paddle.image_files import find_images, read_ours
    from fer_paddle.pipeline import Pipeline

    paths = find_images(images, out, read_ours(out / RESULTS_JSON))
    find_chinese_font()  # a wrong FER_FONT is told before work begins
    pipeline = Pipeline(classifier=Classifier(weights))
    return _show(recognize_files(paths, out, pipeline, min_score, language, bar("images")), out)


def demo(*, out: Out = Path("out")) -> Output:
    """Recognize scikit-image's astronaut and a scene of drawn faces."""
    from fer_paddle.apps.demo import write_demo_images
    from fer_paddle.apps.recognize import recognize_files
    from fer_paddle.pipeline import MIN_SCORE, Pipeline

    return _show(recognize_files(write_demo_images(out / "originals"), out, Pipeline(), MIN_SCORE), out)


def _show(report: Any, folder: Path) -> Output:
    rows = []
    for result in report.results:
        name = Path(result["file"]).name
        for face in result["faces"]:
            left, top, right, bottom = (round(side) for side in face["box_xyxy"])
            prob, place = face["probs"][face["label"]], f"{left},{top} {right - left}x{bottom - top}"
            rows.append([name, face["label"], f"{prob:.0%}", f"{face['score']:.2f}", place])
        if not result["faces"]:
            rows.append([name, "no face", "", "", ""])
    text = table(["image", "expression", "sure", "face score", "place and size"], rows)
    text += f"\n\n{len(report.results)} images written to {folder}"
    failed = [{"file": file, "reason": reason} for file, reason in report.failed]
    return Output({"images": report.results, "failed": failed}, text, report.failed)
