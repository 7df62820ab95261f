"""The curve of a pruning study: accuracy against the FLOPs that are left, before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


def draw_prune_curve(results: Sequence[Mapping[str, Any]], figure: str = "accuracy") -> Figure:
    """Draws one curve for each study, from full size down.

    Args:
        results: Result files of `python -m fer_paddle prune` or `python -m yolo3tiny prune`, as JSON: `criterion`,
            `cost`, `full` and `rows`, each with `flops_share`, the figure after fine-tuning, and `pruned` with it
            before.
        figure: Name of the figure, such as `accuracy` or `ap`.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: A result lacks one of these.
    """
    canvas = Figure(figsize=(7, 4), layout="constrained")
    axis = canvas.subplots()
    for result in results:
        try:
            rows = sorted(result["rows"], key=lambda row: -row["flops_share"])
            shares = [1.0, *(row["flops_share"] for row in rows)]
            tuned = [result["full"][figure], *(row[figure] for row in rows)]
            untuned = [result["full"][figure], *(row["pruned"][figure] for row in rows)]
            label = f"{result['criterion']} by {result['cost']}"
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected the results of a pruning study with {figure!r}, got none: {error!r}") from error
        (line,) = axis.plot(shares, tuned, "o-", label=f"{label}, fine-tuned")
        axis.plot(shares, untuned, "o:", color=line.get_color(), alpha=0.5, label=f"{label}, only pruned")
    axis.set(xlabel="FLOPs left", ylabel=figure, title=f"{figure} against FLOPs")
    axis.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axis.invert_xaxis()
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend(fontsize=8)
    return canvas
