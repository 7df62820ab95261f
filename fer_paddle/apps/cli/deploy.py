"""Commands that carry networks elsewhere and time them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP
from fer_paddle.arguments import count
from fer_paddle.console import FAILED, OK, bar, fail, print_json, print_table, stdout_kept_for_json

PARITY_PICTURES = 256
TABLE, PICTURE = "benchmark.json", "benchmark.png"
NOT_QUICK = ("weights", "runtime", "precision", "threads", "batch", "out", "resume")


def add_commands(commands: Any) -> None:
    """Adds export, benchmark and bench to the command line."""
    add_export(commands)
    add_benchmark(commands)
    add_bench(commands)


def add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write a network for a runtime", description=export.__doc__)
    parser.add_argument(
        "--weights", type=Path, required=True, help=".safetensors of a run, or .onnx (to write .param or .mnn)"
    )
    parser.add_argument(
        "--out", type=Path, required=True,
        help="file to write: .onnx, .pdmodel (Paddle Inference), .param (ncnn, its .bin beside it) or .mnn",
    )  # fmt: skip
    parser.add_argument(
        "--data", help=f"real faces to compare on: {DATA_HELP}; for a detector photos with boxes (default: drawn ones)"
    )
    parser.add_argument(
        "--precision", choices=("fp32", "fp16", "int8"), default="fp32",
        help="of the weights stored: fp16 for .param, int8 for .mnn; not compared to 1e-4 then (default: fp32)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Writes an expression network or a face detector for a runtime, with classes, size and normalisation.

    Compares it with Paddle (an .onnx file with ONNX Runtime) on 256 pictures, writes the report beside it, and refuses
    with exit code 1 where an output differs by more than 1e-4 in fp32.
    """
    from fer_paddle.expression.export import export_expression_network
    from yolo3tiny.deploy import export_detector, is_detector

    with stdout_kept_for_json():
        if is_detector(args.weights):
            photos, photos_are = _photos(args.data)
            parity = export_detector(args.weights, args.out, photos, photos_are, args.precision)
        else:
            faces, faces_are = _faces(args.data)
            parity = export_expression_network(args.weights, args.out, faces, faces_are, args.precision)
    if args.json:
        print_json(parity.to_json() | {"file": str(args.out)})
        return OK
    agreement = "" if parity.top1_agreement is None else f", same class for {parity.top1_agreement:.1%}"
    print(
        f"{args.out}: from {parity.reference} at most {parity.max_difference:.2g}, on average "
        f"{parity.mean_difference:.2g}{agreement}, over {parity.inputs} {parity.inputs_are}"
    )
    return OK


def _faces(data: str | None) -> tuple[Any, str]:
    """Faces to compare on and what they are; no data leaves both to the library."""
    if data is None:
        return None, "drawn faces"
    from fer_paddle.environment import find_data
    from fer_paddle.expression.data.expressions import load_faces

    faces = load_faces(find_data(data), progress=bar("pictures"))
    return faces.images[:PARITY_PICTURES], f"faces of {Path(data).name}"


def _photos(data: str | None) -> tuple[Any, str]:
    """Photos to compare on and what they are."""
    if data is None:
        from fer_paddle.drawn import draw_scene

        scenes = (draw_scene(seed, 640, 480).image for seed in range(PARITY_PICTURES // 16))
        pieces = (
            scene[y : y + 120, x : x + 160] for scene in scenes for y in range(0, 480, 120) for x in range(0, 640, 160)
        )
        return list(pieces), "pieces of drawn scenes"
    from yolo3tiny.splits import find_photos

    photos = find_photos(data)[:PARITY_PICTURES]
    return (photo.read() for photo in bar("photos")(photos)), f"photos of {Path(data).name}"


def add_benchmark(commands: Any) -> None:
    from fer_paddle.deployment.runtimes import RUNTIMES

    parser = commands.add_parser("benchmark", help="time networks in all runtimes", description=benchmark.__doc__)
    parser.add_argument(
        "--quick", action="store_true",
        help="only detector, classifier, pipeline and a whole command, as they ship; takes --runs and --json alone",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=Path, nargs="+", help="networks (default: both that ship, and their int8 files)"
    )
    parser.add_argument("--runtime", nargs="+", choices=RUNTIMES, help="(default: onnx openvino ncnn mnn paddle)")
    parser.add_argument("--precision", nargs="+", choices=("fp32", "fp16", "bf16", "int8"), help="(default: all)")
    parser.add_argument("--threads", nargs="+", type=count, help="of one run (default: 1 2)")
    parser.add_argument("--batch", nargs="+", type=count, help="images (default: 1 8 32)")
    parser.add_argument("--runs", type=count, default=100, help="timed runs of each row (default: 100)")
    parser.add_argument("--out", type=Path, help="folder for benchmark.csv, .json and .png (default: none)")
    parser.add_argument(
        "--resume", action="store_true", help="measure only the rows that the folder lacks, keep the others"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=benchmark)


def benchmark(args: argparse.Namespace) -> int:
    """Times networks in every runtime, precision, number of threads and batch: median and 95th percentile.

    Each row runs in a process of its own, after warm-up, and tells its peak memory, file size and load time. The whole
    table takes about 20 minutes; choose rows by the options, or take --quick. Each row is kept as soon as it is there.
    """
    from fer_paddle.apps import speed
    from fer_paddle.deployment.benchmark import add_rows, tell_apart

    if args.quick:
        if given := [f"--{name}" for name in NOT_QUICK if getattr(args, name)]:
            raise ValueError(f"expected --quick with --runs and --json alone, got {', '.join(given)} as well")
        rows = speed.benchmark_shipped(args.runs, bar("rows"))
        table = [[row["what"], f"{row['median_ms']:.1f}", f"{row['p95_ms']:.1f}", row["runs"]] for row in rows]
        return _print_rows(args.json, rows, ["what", "median ms", "95 % ms", "runs"], table)
    known = _known_rows(args.out, args.resume)
    keep = None if args.out is None else partial(_keep_rows, args.out, known)
    with stdout_kept_for_json():
        rows = speed.compare_runtimes(
            args.weights or speed.shipped_networks(),
            args.runtime or speed.COMPARED,
            args.precision,
            args.threads or speed.THREADS,
            args.batch or speed.BATCHES,
            args.runs,
            bar("rows"),
            known,
            keep,
        )
    if args.out is not None:
        from fer_paddle.deployment.benchmark_report import plot_rows

        _keep_rows(args.out, known, rows)
        kept = add_rows(known, rows)
        if any("median_ms" in row for row in kept):
            plot_rows(args.out / PICTURE, kept)
    shown = tell_apart(rows)
    measured = [row for row in shown if "median_ms" in row]
    table = [
        [
            *(row[name] for name in ("network", "runtime", "precision", "threads", "batch")),
            *(f"{row[name]:.2f}" for name in ("median_ms", "p95_ms")),
            *("-" if row[name] is None else f"{row[name]:.0f}" for name in ("images_per_s", "peak_mb", "load_ms")),
            f"{row['file_bytes'] / 1000:.0f}",
        ]
        for row in measured
    ]
    header = ["network", "runtime", "precision", "threads", "batch", "median ms", "95 % ms", "images/s", "peak MB"]
    code = _print_rows(args.json, rows, [*header, "load ms", "kB"], table)
    failed = [row for row in rows if "error" in row and "threads" in row]
    for row in shown:
        if "error" in row:
            fail(f"{row['network']} in {row['runtime']} {row['precision']}: {row['error']}", FAILED)
    return FAILED if failed or not measured else code


def _known_rows(folder: Path | None, resume: bool) -> list[dict[str, Any]]:
    """The rows that the folder of a benchmark holds; none where it shall begin anew."""
    from fer_paddle.weights import load_card

    if not resume:
        return []
    if folder is None:
        raise ValueError("expected --out FOLDER with --resume, got none")
    path = folder / TABLE
    rows = load_card(path).get("rows") if path.is_file() else []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"expected the rows of a benchmark in {path}, found none")
    return rows


def _keep_rows(folder: Path, known: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Writes the known rows and the new ones as JSON with command, machine and date, and as CSV."""
    import shlex
    import sys
    from datetime import date

    from fer_paddle.deployment.benchmark import add_rows
    from fer_paddle.deployment.benchmark_report import write_csv
    from fer_paddle.environment import versions
    from fer_paddle.files import write_json

    folder.mkdir(parents=True, exist_ok=True)
    rows = add_rows(known, rows)
    command = shlex.join(["python", "-m", "fer_paddle", *sys.argv[1:]])
    about = {"command": command, "versions": versions(), "date": date.today().isoformat(), "rows": rows}
    write_json(folder / TABLE, about)
    write_csv(folder / "benchmark.csv", rows)


def _print_rows(as_json: bool, rows: list[dict[str, Any]], header: list[str], table: list[list[Any]]) -> int:
    if as_json:
        print_json(rows)
    else:
        print_table(header, table)
    return OK


def add_bench(commands: Any) -> None:
    parser = commands.add_parser("bench", help="time one network in ncnn, as on a board", description=bench.__doc__)
    parser.add_argument("loops", type=count, metavar="LOOPS", help="timed runs")
    parser.add_argument("threads", type=count, metavar="THREADS", help="threads of one run")
    parser.add_argument("powersave", type=int, metavar="POWERSAVE", help="0 all cores, 1 little cores, 2 big cores")
    parser.add_argument("gpu", type=int, metavar="GPU", help="Vulkan device, -1 for the CPU")
    parser.add_argument("cooling", type=int, choices=(0, 1), metavar="COOLING", help="1 waits ten seconds before")
    parser.add_argument("model", type=Path, metavar="MODEL", help=".param with its .bin, or .onnx")
    parser.add_argument("width", type=count, metavar="WIDTH", help="of the image")
    parser.add_argument("height", type=count, metavar="HEIGHT", help="of the image")
    parser.add_argument("--json", action="store_true", help="print JSON instead of ncnn's line")
    parser.set_defaults(run=bench)


def bench(args: argparse.Namespace) -> int:
    """Times a network in ncnn on one image, with the arguments and the line of ncnn's benchncnn."""
    from fer_paddle.deployment import benchncnn as board

    with stdout_kept_for_json():
        figures = board.bench(
            args.model, args.width, args.height, args.loops, args.threads, args.powersave, args.gpu, bool(args.cooling)
        )
    if args.json:
        print_json(figures)
    else:
        times = "  ".join(f"{name} = {figures[f'{name}_ms']:7.2f}" for name in ("min", "max", "avg"))
        print(f"{args.model.stem:>20}  {times}")
    return OK
