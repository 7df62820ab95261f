"""The rows of a benchmark as CSV and as a picture."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_paddle.deployment.runtimes.model_files import write_together

COLUMNS = (
    "network", "runtime", "precision", "threads", "batch", "median_ms", "p95_ms", "images_per_s", "peak_mb",
    "file_bytes", "load_ms", "start_ms", "runs", "file", "error",
)  # fmt: skip


def write_csv(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows of benchmark.measure as CSV; its folder must exist."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}
        writer.writerow(shown)
    write_together({Path(path): text.getvalue().encode()})


def plot_rows(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws a PNG: milliseconds an image for each network and batch, a bar for each runtime, precision and threads.

    Args:
        path: The `.png` file to write; its folder must exist.
        rows: Rows of benchmark.measure; those with an error are left out.

    Raises:
        ValueError: No row was measured.
    """
    from matplotlib.figure import Figure

    rows = [row for row in rows if "median_ms" in row]
    if not rows:
        raise ValueError("expected rows that were measured, got none")
    panels = sorted({(row["network"], row["batch"]) for row in rows})
    labels = sorted({_label(row) for row in rows})
    figure = Figure(figsize=(9, 0.6 + len(panels) * (0.5 + 0.17 * len(labels))), layout="constrained")
    for axis, (network, batch) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels):
        chosen = [row for row in rows if (row["network"], row["batch"]) == (network, batch)]
        chosen.sort(key=lambda row: row["median_ms"], reverse=True)
        values = [row["median_ms"] / batch for row in chosen]
        reach = [[0] * len(chosen), [max(0.0, (row["p95_ms"] - row["median_ms"]) / batch) for row in chosen]]
        colors = [f"C{labels.index(_label(row)) % 10}" for row in chosen]
        axis.barh([_label(row) for row in chosen], values, xerr=reach, color=colors, ecolor="0.4")
        axis.set_title(f"{network}, batch {batch}", fontsize=9, loc="left")
        axis.tick_params(labelsize=7)
    axis.set_xlabel("milliseconds an image: median, and to the 95th percentile", fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    write_together({Path(path): picture.getvalue()})


def _label(row: Mapping[str, Any]) -> str:
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    return f"{row['runtime']} {row['precision']}, {threads}"
