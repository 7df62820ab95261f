"""The command line: `python -m fer_paddle COMMAND`. Adapters without logic; each imports what it needs when it runs.

One module a chapter; each has `add_commands`, which adds its commands to the parser.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle.apps.cli import analyse, collect, data, deploy, distill, models, prune, quantize, recognize, train
from fer_paddle.console import Parser, run


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    parser = Parser(prog="python -m fer_paddle", description="Facial expressions: recognise, train, measure, export.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    for module in (collect, data, recognize, train, models, deploy, analyse, prune, quantize, distill):
        module.add_commands(commands)
    return run(parser, argv)
