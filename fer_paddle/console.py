"""What the command lines of both packages share: one-line errors and exit codes.

0 success, 1 failed work, 2 wrong use, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import codecs
import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_OUR_PACKAGES = ("fer_paddle", "yolo3tiny")
# What pip calls the modules whose packages have another name.
_PIP_NAMES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "distutils": "setuptools",
    "google": "protobuf",
    "paddle": "paddlepaddle",
    "pkg_resources": "setuptools",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Prints the line and exits with code 2."""
        self.exit(WRONG_USE, f"error: {message} (see {self.prog} --help)\n")


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parses and runs `args.run(args)`, turning its exceptions into one line on stderr and an exit code.

    Wrong input (ValueError, FileNotFoundError, a file where a folder is expected) is wrong use; RuntimeError, OSError,
    ArithmeticError, MemoryError and a package that is not installed are failed work. What stdout's encoding cannot
    write is escaped.

    Raises:
        ImportError: The fault is not that a package is missing.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parser.parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, FileNotFoundError) as error:
        return fail(error, WRONG_USE)
    except (RuntimeError, OSError, ArithmeticError) as error:
        if file := _file_for_folder(error):
            return fail(f"expected a folder, got the file {file}", WRONG_USE)
        return fail(error, FAILED)
    except MemoryError as error:
        return fail(f"out of memory: {error}" if str(error) else "out of memory", FAILED)
    except ModuleNotFoundError as error:
        # The module of a package that is there, and any of ours, is a fault of the program.
        if not error.name or "." in error.name or error.name in _OUR_PACKAGES:
            raise
        package = _PIP_NAMES.get(error.name, error.name)
        return fail(f"expected the package {package}; install it with: pip install {package}", FAILED)
    except KeyboardInterrupt as error:
        return fail(str(error) or "stopped by Ctrl-C", INTERRUPTED)


def _file_for_folder(error: Exception) -> Path | None:
    """The file at which a folder was to be made or looked into, None where the error is another."""
    if not isinstance(error, (FileExistsError, NotADirectoryError)) or not isinstance(error.filename, (str, Path)):
        return None
    path = Path(error.filename)
    return next((place for place in (path, *path.parents) if place.is_file()), None)


def fail(reason: object, code: int) -> int:
    """Prints one line on stderr and gives the exit code back."""
    line = " ".join(str(reason).split())
    print(f"error: {line}", file=sys.stderr)
    return code


def fail_files(failed: Sequence[tuple[str, str]]) -> int:
    """Prints one line on stderr for each (file, reason), and gives the exit code of a command whose files they are."""
    for file, reason in failed:
        fail(reason if file in reason else f"{file}: {reason}", FAILED)
    return FAILED if failed else OK


def warn(reason: object) -> None:
    """Prints one line on stderr; the work goes on."""
    line = " ".join(str(reason).split())
    print(f"warning: {line}", file=sys.stderr)


def print_json(content: Any) -> None:
    """Prints JSON for machines, alone on stdout; in ASCII where stdout is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(json.dumps(content, indent=2, ensure_ascii=codecs.lookup(encoding).name != "utf-8"))


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
