"""Arguments that both command lines share: their kinds, and the lists of prune and of quantize."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    if not 0 <= (value := _number(text)) <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def part(text: str) -> float:
    """Reads a number above 0 and at most 1."""
    if not 0 < (value := _number(text)) <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got {text!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which no range holds


def whole(text: str, least: int) -> int:
    """Reads a whole number of at least so much."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return value


count, count_or_none = partial(whole, least=1), partial(whole, least=0)


def add_prune_arguments(
    parser: argparse.ArgumentParser, flops: Sequence[float], epochs: int, learning_rate: float
) -> None:
    """Adds how to prune and where to, with these defaults."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the study")
    targets = parser.add_mutually_exclusive_group()
    parts = {"type": part, "nargs": "+", "metavar": "SHARE"}
    told = " ".join(map(str, flops))
    text = "parts of the FLOPs to keep, one network each"
    targets.add_argument("--flops", default=list(flops), help=f"{text} (default: {told})", **parts)
    text = "parts of the weights to keep: for a small file"
    targets.add_argument("--parameters", help=text, **parts)
    text = "parts of the convolutions' outputs to keep: for speed, where reading and writing them takes the time"
    targets.add_argument("--activations", help=text, **parts)
    parser.add_argument("--criterion", default="l1", help="l1, fpgm, bn_scale or magnitude (default: l1)")
    parser.add_argument("--steps", type=count, default=1, help="rounds of pruning and fine-tuning (default: 1)")
    parser.add_argument("--epochs", type=count, default=epochs, help=f"of each fine-tuning (default: {epochs})")
    text = f"highest of fine-tuning (default: {learning_rate})"
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help=text)
    parser.add_argument("--multiple", type=count, default=1, help="keep filters in multiples of this (default: 1)")
    parser.add_argument("--sensitivities", type=Path, help="their .json file (default: in the folder of the study)")
    parser.add_argument("--sensitivities-only", action="store_true", help="stop when they are measured")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--results", type=Path, help="copy of results.json to write as well")
    parser.add_argument("--resume", action="store_true", help="go on with the study in the folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_quantize_arguments(
    parser: argparse.ArgumentParser, methods: Sequence[str], pictures: int, learning_rate: float, out: str
) -> None:
    """Adds how to quantise and where to, with these defaults."""
    parser.add_argument("--calibrate", type=Path, help="folder of any pictures to calibrate on instead")
    text = f"calibration pictures (default: {pictures})"
    parser.add_argument("--pictures", type=count, default=pictures, help=text)
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", default=list(methods),
        help="ort-minmax ort-entropy ort-percentile slim-abs_max slim-avg slim-hist slim-mse slim-KL slim-weights "
        f"slim-qat, or all (default: {' '.join(methods)})",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path(out), help=f"folder (default: {out})")
    parser.add_argument("--results", type=Path, help="JSON file of the table (default: results.json in the folder)")
    parser.add_argument("--epochs", type=count, default=2, help="of slim-qat (default: 2)")
    text = f"highest of slim-qat (default: {learning_rate})"
    parser.add_argument("--learning-rate", type=float, default=learning_rate, help=text)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of pictures (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
