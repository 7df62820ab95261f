"""The report as one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

import base64
import os
from typing import Any

import cv2
import jinja2
import numpy as np

from fer_paddle.files import replacing
from fer_paddle.quality.measures import BLURRED, BRIGHT, DARK, FLAT
from fer_paddle.quality.report import Finding, Report
from fer_paddle.quality.samples import Samples
from fer_paddle.quality.template import TEMPLATE

GROUPS_SHOWN, PICTURES_SHOWN = 24, 6  # of each finding, of each group
THUMB = 72  # px
BINS = 40


def write_page(path: str | os.PathLike[str], samples: Samples, report: Report, title: str) -> None:
    """Writes the page; it shows small copies of the pictures found, so it is as private as they are.

    Args:
        path: The `.html` file to write; its folder must exist.
        samples: What the report is on.
        report: The report.
        title: Heading of the page, such as the names of the sources.
    """
    with replacing(path) as temporary:
        temporary.write_text(render_page(samples, report, title), encoding="utf-8")


def render_page(samples: Samples, report: Report, title: str) -> str:
    """Gives the page as text; arguments as in `write_page`. Every name is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda share: "-" if share is None else f"{share:.1%}"
    return environment.from_string(TEMPLATE).render(
        title=title,
        figures=report.figures,
        class_bars=_class_bars(report.figures["classes"]),
        histograms=_histograms(report.measured),
        findings=[_show(samples, finding) for finding in report.findings.values()],
        unreadable=samples.unreadable,
    )


def _class_bars(classes: dict[str, Any]) -> list[dict[str, Any]]:
    """One bar a class over all splits: `name`, `count`, and `share` of the largest class, 0 to 1."""
    names = [*classes["names"], "no class"]
    totals = [sum(counts[name] for counts in classes["by_split"].values()) for name in names]
    rows = [(name, total) for name, total in zip(names, totals) if total or name != "no class"]
    largest = max(*totals, 1)
    return [{"name": name, "count": total, "share": total / largest} for name, total in rows]


def _histograms(measured: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Bars of each measure, with the bounds beyond which a picture is a finding."""
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
        plots.append(
            {"name": name, "bars": bars, "end": end, "bounds": [(b, 10 * BINS * b / end) for b in bounds[name]]}
        )
    return plots


def _show(samples: Samples, finding: Finding) -> dict[str, Any]:
    groups = [
        {"pictures": [_picture(samples, index) for index in group[:PICTURES_SHOWN]], "note": note}
        for group, note in zip(finding.groups[:GROUPS_SHOWN], finding.notes)
    ]
    return {
        "title": finding.title,
        "advice": finding.advice,
        "groups": groups,
        "num_groups": len(finding.groups),
        "num_pictures": finding.pictures(),
    }


def _picture(samples: Samples, index: int) -> dict[str, str]:
    image = samples.images[index]
    scale = THUMB / max(image.shape)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.shape[::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    encoded = base64.b64encode(cv2.imencode(".png", image)[1]).decode()
    return {"data": f"data:image/png;base64,{encoded}", "name": samples.names[index]}
