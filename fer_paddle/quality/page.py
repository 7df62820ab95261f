"""The report as one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.folders import shrink
from fer_paddle.files import replacing
from fer_paddle.quality.measures import BLURRED, BRIGHT, DARK, FLAT
from fer_paddle.quality.report import Finding, Report, name_of

TEMPLATE = Path(__file__).with_name("report.html.jinja")
GROUPS_SHOWN, IMAGES_SHOWN = 24, 6  # of each finding, of each group
THUMB = 72  # px
BINS = 40


def write_page(path: str | os.PathLike[str], faces: LabelledFaces, report: Report, title: str) -> None:
    """Write the page to a `.html` file; it shows small copies of the images found, so it is as private as they are."""
    with replacing(path) as temporary:
        temporary.write_text(render_page(faces, report, title), encoding="utf-8")


def render_page(faces: LabelledFaces, report: Report, title: str) -> str:
    """Return the page as text. Every name is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda ratio: "-" if ratio is None else f"{ratio:.1%}"
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        figures=report.figures,
        class_bars=_class_bars(report.figures["classes"]),
        histograms=_histograms(report.measured),
        findings=[_show(faces, finding) for finding in report.findings.values()],
        unreadable=faces.skipped,
    )


def _class_bars(classes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one bar a class over all splits: `name`, `count`, and `ratio` to the largest class, 0 to 1."""
    names = [*classes["names"], "no class"]
    totals = [sum(counts[name] for counts in classes["by_split"].values()) for name in names]
    rows = [(name, total) for name, total in zip(names, totals) if total or name != "no class"]
    largest = max(*totals, 1)
    return [{"name": name, "count": total, "ratio": total / largest} for name, total in rows]


def _histograms(measured: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the bars of each measure, with the bounds beyond which an image is a finding."""
    bounds = {"brightness": (DARK, BRIGHT), "contrast": (FLAT,), "sharpness": (BLURRED,)}
    plots = []
    for name, values in measured.items():
        end = max(float(np.quantile(values, 0.995)), 1.2 * max(bounds[name]))
        counts, edges = np.histogram(np.minimum(values, end), BINS, (0, end))
        heights = 100 * counts / max(counts.max(), 1)
        bars = [
            {"height": height, "from": low, "to": high, "count": int(count)}
            for height, low, high, count in zip(heights, edges, edges[1:], counts)
        ]
        lines = [(bound, 10 * BINS * bound / end) for bound in bounds[name]]
        plots.append({"name": name, "bars": bars, "end": end, "bounds": lines})
    return plots


def _show(faces: LabelledFaces, finding: Finding) -> dict[str, Any]:
    groups = [
        {"images": [_thumbnail(faces, index) for index in group[:IMAGES_SHOWN]], "note": note}
        for group, note in zip(finding.groups[:GROUPS_SHOWN], finding.notes)
    ]
    counts = {"num_groups": len(finding.groups), "num_images": finding.num_images}
    return {"title": finding.title, "advice": finding.advice, "groups": groups, **counts}


def _thumbnail(faces: LabelledFaces, index: int) -> dict[str, str]:
    encoded = base64.b64encode(cv2.imencode(".png", shrink(faces.images[index], THUMB))[1]).decode()
    return {"data": f"data:image/png;base64,{encoded}", "name": name_of(faces, index)}
