"""The rows of a benchmark as CSV and as a figure."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.files import replacing

COLUMNS = (
    "network", "runtime", "precision", "threads", "batch", "median_ms", "p95_ms", "images_per_s", "peak_mb",
    "file_bytes", "load_ms", "start_ms", "runs", "file", "sha256", "error",
)  # fmt: skip


def disambiguate(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copy rows; where two files share a network's name, it gets the first digits of the file's SHA-256."""
    digests: dict[str, set[str]] = {}
    for row in rows:
        digests.setdefault(row["network"], set()).update(filter(None, [row.get("sha256")]))
    shared = {network for network, found in digests.items() if len(found) > 1}
    return [
        dict(row, network=f"{row['network']} {row['sha256'][:8]}")
        if row["network"] in shared and row.get("sha256")
        else dict(row)
        for row in rows
    ]


def write_csv(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of benchmark.measure as CSV; its folder must exist."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})


def draw_rows(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw milliseconds an image of the rows without error: a row of panels for each input, a column for each batch.

    A color is a runtime, a pale bar has more than one thread, and the line at its end reaches the 95th percentile.
    """
    rows = disambiguate([row for row in rows if "median_ms" in row])
    if not rows:
        raise ValueError("expected rows that were measured, got none")
    inputs, batches = sorted({tuple(row["shape"]) for row in rows}), sorted({row["batch"] for row in rows})
    runtimes = sorted({row["runtime"] for row in rows})
    bars = [sum(tuple(row["shape"]) == shape for row in rows) / len(batches) for shape in inputs]
    figure = Figure(figsize=(5.2 * len(batches), 1.2 + sum(0.6 + 0.17 * count for count in bars)), layout="constrained")
    ratios = [count + 2 for count in bars]
    axes = figure.subplots(len(inputs), len(batches), squeeze=False, height_ratios=ratios)
    for line, shape in zip(axes, inputs):
        same = [row for row in rows if tuple(row["shape"]) == shape]
        name = min((row["network"] for row in same), key=len)  # the others are usually made from it, and named so
        for axis, batch in zip(line, batches):
            _draw_panel(axis, [row for row in same if row["batch"] == batch], name, runtimes)
            axis.set_title(f"{name}, {'x'.join(map(str, shape))}, batch {batch}", fontsize=9, loc="left")
    figure.supxlabel("milliseconds an image: median, and to the 95th percentile", fontsize=9)
    return figure


def _draw_panel(axis: Axes, rows: list[dict[str, Any]], name: str, runtimes: Sequence[str]) -> None:
    rows = sorted(rows, key=lambda row: row["median_ms"], reverse=True)
    values = [row["median_ms"] / row["batch"] for row in rows]
    reach = [[0.0] * len(rows), [max(0.0, (row["p95_ms"] - row["median_ms"]) / row["batch"]) for row in rows]]
    bars = axis.barh(range(len(rows)), values, xerr=reach, ecolor="0.4")
    for bar, row in zip(bars, rows):
        bar.set(color=f"C{runtimes.index(row['runtime'])}", alpha=1.0 if row["threads"] == 1 else 0.5)
    axis.set_yticks(range(len(rows)), [_label(row, name) for row in rows])
    axis.tick_params(labelsize=7)
    axis.margins(y=0.01)


def _label(row: Mapping[str, Any], name: str) -> str:
    """Return such as `onnx int8, 1 thread`, with what tells the network from the others of its panel."""
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    design, tag = row["network"].partition(".")[0], name.partition(".")[0]
    variant = design.removeprefix(tag).strip("_").removesuffix(row["precision"]).strip("_")
    return f"{variant} {row['runtime']} {row['precision']}, {threads}".strip()
