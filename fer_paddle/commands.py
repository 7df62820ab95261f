"""What the command lines of both packages share: one-line errors and exit codes.

0 success, 1 failed work, 2 wrong use, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import Any, NoReturn

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Prints the line and exits with code 2."""
        self.exit(WRONG_USE, f"error: {message} (see {self.prog} --help)\n")


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parses and runs `args.run(args)`, turning its exceptions into one line on stderr and an exit code.

    Wrong input (ValueError, FileNotFoundError) is wrong use; RuntimeError, OSError and ArithmeticError are failed work.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    args = parser.parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, FileNotFoundError) as error:
        return fail(error, WRONG_USE)
    except (RuntimeError, OSError, ArithmeticError) as error:
        return fail(error, FAILED)
    except KeyboardInterrupt as error:
        return fail(str(error) or "stopped by Ctrl-C", INTERRUPTED)


def fail(reason: object, code: int) -> int:
    """Prints one line on stderr and gives the exit code back."""
    line = " ".join(str(reason).split())
    print(f"error: {line}", file=sys.stderr)
    return code


def print_json(content: Any) -> None:
    """Prints JSON for machines, alone on stdout."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows under a header, columns aligned: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        first, *rest = row
        print(
            "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:]))]).rstrip()
        )


def bar(unit: str) -> Any:
    """A tqdm bar on stderr, where a person looks on."""
    from tqdm import tqdm

    return partial(tqdm, unit=unit, disable=None, leave=False)


@contextmanager
def stdout_kept_for_json() -> Iterator[None]:
    """Sends what others print meanwhile to stderr: Paddle2ONNX does, from Python and from C++."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
