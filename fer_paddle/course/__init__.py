"""Helpers of the notebooks: images and tables to show, drawn faces, checked exercises; and the Chinese edition."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.course.checks import check as check
from fer_paddle.course.checks import quiz as quiz
from fer_paddle.course.folder import course_folder as course_folder
from fer_paddle.course.folder import keep as keep
from fer_paddle.drawn import make_faces
from fer_paddle.environment import REPOSITORY, versions
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.files import read_json, write_json
from fer_paddle.images import crop_square, to_gray
from fer_paddle.pipeline import MARGIN

TIMES = REPOSITORY / "notebooks" / "results" / "times.json"


def set_up(seed: int = 0) -> None:
    """Seed everything, set the plot style of the course, and show the versions in one line."""
    from IPython.display import Markdown, display
    from matplotlib import font_manager, style

    from fer_paddle.drawing import find_chinese_font
    from fer_paddle.environment import seed_everything

    font_manager.fontManager.addfont(find_chinese_font())
    style.use(Path(__file__).with_name("course.mplstyle"))
    cv2.setNumThreads(1)
    seed_everything(seed)
    display(Markdown(", ".join(f"{name} {version}" for name, version in versions().items())))


def show(*images: np.ndarray, width: int) -> None:
    """Show images side by side in a notebook, as one JPEG.

    Args:
        images: uint8 [H, W, 3] in BGR, or [H, W]; each is scaled to one height.
        width: Of all of them together, in pixels.
    """
    from IPython.display import Image, display

    height = width / sum(image.shape[1] / image.shape[0] for image in images)
    row = []
    for image in images:
        size = round(image.shape[1] * height / image.shape[0]), round(height)
        way = cv2.INTER_AREA if size[1] <= image.shape[0] else cv2.INTER_NEAREST
        colored = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        row.append(cv2.resize(colored, size, interpolation=way))
    jpeg = cv2.imencode(".jpg", np.hstack(row), [cv2.IMWRITE_JPEG_QUALITY, 72])[1]
    display(Image(jpeg.tobytes()))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show a table in a notebook; columns whose cells all begin with a digit, a sign or nothing are set right."""
    from IPython.display import Markdown, display

    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    numeric = [all(not row[i] or row[i][0] in "0123456789+-±" for row in cells) for i in range(len(header))]
    lines = [list(header), ["---:" if right else ":---" for right in numeric], *cells]
    display(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))


def draw_crops(count: int, size: int = 64, seed: int = 0) -> LabelledFaces:
    """Draw faces of the seven expressions in turn, gray, cut as the Pipeline cuts them from a photo.

    Args:
        count: Number of faces.
        size: Side of the drawn portraits in pixels; the crops are a little smaller.
        seed: Another seed draws other people.
    """
    drawn = make_faces(count, size, seed)
    crops = [crop_square(image, box, MARGIN) for image, box in zip(drawn.images, drawn.boxes_xyxy)]
    return LabelledFaces([to_gray(crop) for crop in crops], drawn.labels)


def stored_times(name: str, measured: Mapping[str, float]) -> dict[str, float]:
    """Return the stored times of what was just measured, for a notebook to print: those of a busy machine change.

    With FER_TIMES=1 in the environment the measured ones are stored, in notebooks/results/times.json, and returned.

    Args:
        name: Of the measurement in the file: the notebook and what it times.
        measured: The times by what took them, in any unit.

    Raises:
        ValueError: The file holds times of other things under the name.
    """
    stored = read_json(TIMES, "stored times") if TIMES.is_file() else {}
    if os.environ.get("FER_TIMES") == "1":
        rounded = {what: float(f"{time:.4g}") for what, time in measured.items()}
        stored[name] = {"times": rounded, "versions": versions()}
        write_json(TIMES, dict(sorted(stored.items())))
    times = stored.get(name, {}).get("times", {})
    if times.keys() != measured.keys():
        raise ValueError(f"expected times of {', '.join(measured)} as {name!r} in {TIMES.name}, got {', '.join(times)}")
    return {what: times[what] for what in measured}
