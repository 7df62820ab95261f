"""Commands that carry networks elsewhere and time them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.cli.arguments import bar, count
from fer_paddle.commands import OK, print_json, print_table, stdout_kept_for_json


def add_commands(commands: Any) -> None:
    """Adds export and benchmark to the command line."""
    add_export(commands)
    add_benchmark(commands)


def add_export(commands: Any) -> None:
    parser = commands.add_parser("export", help="write an expression network as ONNX", description=export.__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="model.safetensors of a run")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Writes ONNX with classes, size and normalisation inside, after comparing it with Paddle."""
    from fer_paddle.deployment.expression import export_expression_network

    with stdout_kept_for_json():
        difference = export_expression_network(args.weights, args.out)
    print(f"{args.out}: largest difference from Paddle {difference:.2g}")
    return OK


def add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="time what ships on this machine", description=benchmark.__doc__)
    parser.add_argument("--runs", type=count, default=100, help="timed runs of each row (default: 100)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=benchmark)


def benchmark(args: argparse.Namespace) -> int:
    """Times the detector, the classifier, the pipeline and a whole command, after warm-up."""
    from fer_paddle.speed import benchmark_shipped

    rows = benchmark_shipped(args.runs, bar("rows"))
    if args.json:
        print_json(rows)
        return OK
    table = [[row["what"], f"{row['median_ms']:.1f}", f"{row['p95_ms']:.1f}", row["runs"]] for row in rows]
    print_table(["what", "median ms", "95 % ms", "runs"], table)
    return OK
