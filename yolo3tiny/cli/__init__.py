"""The command line: `python -m yolo3tiny COMMAND`. Adapters; each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle.console import Parser, run
from yolo3tiny.cli import compress, detect, train


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    parser = Parser(prog="python -m yolo3tiny", description="Faces in photos: find, train, measure, export, compress.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for module in (detect, train, compress):
        module.add_commands(commands)
    return run(parser, argv)
