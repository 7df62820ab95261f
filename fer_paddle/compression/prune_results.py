"""What a pruning study leaves on disk: its networks, its results as JSON, and its two pictures."""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.compression.prune_curve import draw_prune_curve
from fer_paddle.compression.prune_study import PruningStudy
from fer_paddle.compression.sensitivity import Sensitivities, plot_sensitivities
from fer_paddle.environment import versions

RESULTS = "results.json"


def check_new(folder: Path, resume: bool) -> None:
    """Raises ValueError where a folder holds something and it shall not be gone on with."""
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"expected a new folder, or --resume to go on with the study in {folder}")


def describe_run(program: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Says what the results come from: the command that runs, versions, date, and more such as data and seed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    command = shlex.join([*program.split(), *sys.argv[1:]])
    return {"command": command, **about, "versions": versions(), "date": now.date().isoformat()}


def run_study(
    study: PruningStudy,
    shares: Sequence[float],
    sensitivities: Sensitivities | None,
    figure: str,
    about: Mapping[str, Any],
    export: Callable[[Path, Path], Any] | None = None,
    copy_to: Path | None = None,
) -> dict[str, Any]:
    """Makes a pruned network for each share, and writes the results anew after each.

    Args:
        study: The study.
        shares: Parts to keep, as PruneSettings has them; none writes what is there before pruning.
        sensitivities: See PruningStudy.run.
        figure: The figure of the curve, such as `accuracy`.
        about: What describe_run says.
        export: (weights, path) -> writes the network as ONNX; None where the task's `save` does that.
        copy_to: A second place for the results.

    Returns:
        The results: `about`, `criterion`, `cost`, `steps`, `full` and a row for each share, see PruningStudy.run, with
        `file_bytes` of the ONNX file.
    """
    settings, rows = study.settings, []
    how = {"criterion": settings.criterion, "cost": settings.cost, "steps": settings.steps}
    results = {**about, **how, "full": study.full, "rows": rows}
    _save(study.folder, results, sensitivities, figure, copy_to)
    for share in shares:
        row = study.run(share, sensitivities)
        onnx = Path(row["weights"]).with_suffix(".onnx")
        if export is not None and not onnx.is_file():
            export(Path(row["weights"]), onnx)
        rows.append({**row, "file_bytes": onnx.stat().st_size})
        _save(study.folder, results, sensitivities, figure, copy_to)
    return results


def table_of(results: Mapping[str, Any], figure: str) -> tuple[list[str], list[list[str]]]:
    """Gives header and rows of the results as text."""
    full = results["full"]
    rows = [["full", "100.0%", f"{full['parameters']:,}", "", "", f"{full[figure]:.4f}"]]
    for row in results["rows"]:
        before = [f"{row[when][figure]:.4f}" for when in ("pruned", "recalibrated")]
        share, parameters = f"{row['flops_share']:.1%}", f"{row['parameters']:,}"
        rows.append([f"{row['kept_share']:.0%}", share, parameters, *before, f"{row[figure]:.4f}"])
    return [f"{results['cost']} to keep", "FLOPs", "parameters", f"{figure}: pruned", "BN anew", "fine-tuned"], rows


def _save(
    folder: Path,
    results: Mapping[str, Any],
    sensitivities: Sensitivities | None,
    figure: str,
    copy_to: Path | None,
) -> None:
    for path in (folder / RESULTS, *([copy_to] if copy_to else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, results)
    if sensitivities is not None:
        _save_figure(plot_sensitivities(sensitivities), folder / f"sensitivities_{sensitivities.criterion}.png")
    if results["rows"]:
        _save_figure(draw_prune_curve([results], figure), folder / "curve.png")


def _save_figure(figure: Figure, path: Path) -> None:
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
