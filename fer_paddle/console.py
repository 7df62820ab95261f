"""Command lines: functions as commands, one-line errors, exit codes, JSON and tables.

Exit codes: 0 success, 1 failed work, 2 wrong use, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

import codecs
import inspect
import io
import logging
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fer_paddle.files import to_json
from fer_paddle.labels import class_names_zh
from fer_paddle.messages import LANGUAGES, agree, choose_language, current_language, name_reason, say, speaking, width
from fer_paddle.options import WRITTEN, check_places, gather, read_parameters, spread_values
from fer_paddle.starting import drop_unwritten, stdout_to_stderr

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_WIDE = {"max_content_width": 110}
# What no line break parts: a word or a wide character, with the Chinese punctuation about it.
_UNIT = re.compile("[（《“]*(?:[!-~]+|[^\x00-\x7f])[，。、；：？）》”…]*")
_SPREAD = re.compile(f"({_UNIT.pattern})( *)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
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
    "pyarrow": "ray[data]",
    "ray": "ray[data]",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


@dataclass(frozen=True)
class Output:
    """What a command has found."""

    result: Any  # JSON values, printed with --json
    text: str  # printed without it
    failed: Sequence[tuple[str, str]] = ()  # pairs (file, reason), each a line on stderr; with any, the exit code is 1
    code: int = OK  # the exit code otherwise

    def show(self, as_json: bool) -> int:
        """Print it and return the exit code."""
        print(format_json(self.result) if as_json else agree(self.text))
        for file, reason in self.failed:
            fail(name_reason(file, reason), FAILED)
        return FAILED if self.failed else self.code


class _Formatter(click.HelpFormatter):
    """Help in the current language; spaces behind wide characters, taken out at the end, let lines break by width."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, say("Usage: "))

    def write_heading(self, heading: str) -> None:
        super().write_heading(say(heading))

    def write_text(self, text: str) -> None:
        super().write_text(_spread_wide(say_paragraphs(text)))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, _spread_wide(_say_option(text))) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return _SPREAD.sub(lambda found: found[1] + found[2][_lacking(found[1]) :], super().getvalue())


def _spread_wide(text: str) -> str:
    return _UNIT.sub(lambda unit: unit[0] + " " * _lacking(unit[0]), text)


def _lacking(text: str) -> int:
    return width(text) - len(text)


def say_paragraphs(text: str) -> str:
    """Return a help text in the current language, each paragraph by itself, however its lines are broken."""
    return "\n\n".join(say(" ".join(one.split())) for one in inspect.cleandoc(text).split("\n\n"))


def _say_option(text: str) -> str:
    """Return the line of an option or command, such as "side in pixels  [default: 48]", in the current language."""
    words, gap, extra = text.partition("  [")
    return say(words) + gap + "; ".join(map(say, extra.removesuffix("]").split("; "))) + "]" * bool(gap)


class _Context(click.Context):
    formatter_class = _Formatter


class _Spoken(click.Command):
    """What commands and groups share: help in the language that --language, FER_LANG or the locale chooses."""

    context_class = _Context

    def get_short_help_str(self, limit: int = 45) -> str:
        if current_language() == "en":
            return super().get_short_help_str(limit)
        return say_paragraphs(self.help or "").split("\n\n")[0].partition("。")[0]


def _language_option() -> click.Option:
    """Return the option that `messages.choose_language` has read when this one is parsed."""
    text = "language of help, errors and tables (default: FER_LANG, then the locale)"
    return click.Option(["--language"], type=click.Choice(LANGUAGES), expose_value=False, help=text)


class Command(_Spoken):
    """A function that returns an Output, as a command; its annotated parameters are read when it is called for."""

    def __init__(self, function: Callable[..., Output | None], name: str | None = None, hidden: bool = False):
        name = name or function.__name__.rstrip("_").replace("_", "-")
        super().__init__(name, callback=function, help=function.__doc__, hidden=hidden)
        self.context_settings = {**_WIDE, "ignore_unknown_options": True}  # -1 is a number; see spread_values

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if not self.params and self.callback is not None:
            self.params = read_parameters(self.callback)
            as_json = click.Option(["--json", "as_json"], is_flag=True, help="print JSON instead of text")
            self.params.append(as_json)
            if "language" not in {parameter.name for parameter in self.params}:
                self.params.append(_language_option())
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread_values(self, ctx, args))

    def invoke(self, ctx: click.Context) -> int:
        assert self.callback is not None
        given = [name for name in ctx.params if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE]
        check_places(ctx.params, {*given, *WRITTEN} & ctx.params.keys())
        with stdout_to_stderr():
            output = self.callback(**gather(self.callback, ctx.params))
        return OK if output is None else output.show(ctx.params["as_json"])


class Group(_Spoken, click.Group):
    """Commands in the order in which they were given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command of two words, such as `export web`, before one of its first word."""
        two = " ".join(args[:2])
        return super().resolve_command(ctx, [two, *args[2:]] if two in self.commands else args)


def group(
    name: str, text: str, *functions: Any, hidden: Mapping[str, Any] | None = None, version: str | None = None
) -> Group:
    """Return a group of commands: functions under their names, other groups, and hidden commands by name."""
    made = Group(name, help=text, no_args_is_help=False, subcommand_metavar="COMMAND ...", context_settings=_WIDE)
    for function in functions:
        made.add_command(function if isinstance(function, click.Command) else Command(function))
    for alias, function in (hidden or {}).items():
        made.add_command(Command(function, alias, hidden=True))
    made.params.append(_language_option())
    if version is not None:
        click.version_option(version, message="%(version)s")(made)
    return made


class _LogLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return agree(super().format(record))


def run(app: click.Command, argv: Sequence[str] | None) -> int:
    """Run one command of `app` and return the exit code; its exceptions become one line on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_LogLine("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        language = choose_language(given, (sys.stdout, sys.stderr))
    except ValueError as error:
        return fail(error, WRONG_USE)
    with speaking(language):
        return _run(app, given)


def _run(app: click.Command, argv: list[str]) -> int:
    received: list[int] = []
    try:
        with _noting_signals(received), app.make_context(app.name, argv) as ctx:
            code = app.invoke(ctx)
            sys.stdout.flush()
            return 128 + received[0] if received else code  # what stops at a signal may keep what was done
    except Exception as error:
        drop_unwritten()
        if received:  # while a package was imported, which may turn KeyboardInterrupt into an error of its own
            return _fail_stopped(received)
        return _fail_by(error)
    except KeyboardInterrupt as error:
        told = str(error) and not received  # by training, which handles signals itself
        return fail(error, 128 + getattr(error, "number", signal.SIGINT)) if told else _fail_stopped(received)


def _fail_stopped(received: list[int]) -> int:
    number = received[0] if received else signal.SIGINT
    return fail(f"stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}", 128 + number)


def _fail_by(error: Exception) -> int:
    """Print the line of an exception and return its exit code; raise it again where it is a fault of the program."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "command"
        reason = say(error.format_message().rstrip("."))
        return _print_error(say("{} (see {} --help)").format(reason, path), WRONG_USE)
    if isinstance(error, BrokenPipeError):  # nobody reads on, as behind `| head`
        return FAILED
    if isinstance(error, (ValueError, FileNotFoundError)):
        return fail(error, WRONG_USE)
    if isinstance(error, (RuntimeError, OSError, ArithmeticError)):
        if file := _file_for_folder(error):
            return fail(f"expected a folder, got the file {file}", WRONG_USE)
        return fail(error, FAILED)
    if isinstance(error, MemoryError):
        return fail(f"out of memory: {error}" if str(error) else "out of memory", FAILED)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if not missing or "." in missing or missing in _OUR_PACKAGES:  # these are faults of the program
        raise error
    package = _PIP_NAMES.get(missing, missing)
    return fail(f"expected the package {package}; install it with: pip install {package}", FAILED)


@contextmanager
def _noting_signals(received: list[int]) -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C and SIGTERM, so that what is half written goes, and note which came."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: one that was not set from Python


def _file_for_folder(error: Exception) -> Path | None:
    """Return the file where a folder was to be made or looked into, None where the error is another."""
    if not isinstance(error, (FileExistsError, NotADirectoryError)) or not isinstance(error.filename, (str, Path)):
        return None
    path = Path(error.filename)
    return next((place for place in (path, *path.parents) if place.is_file()), None)


def fail(reason: object, code: int) -> int:
    """Print one line on stderr, in the current language, and return the exit code."""
    return _print_error(say(_one_line(reason)), code)


def _print_error(line: str, code: int) -> int:
    print(say("error: {}").format(agree(_one_line(line))), file=sys.stderr)
    return code


def warn(*reasons: object) -> None:
    """Print a line on stderr for each; the work goes on."""
    for reason in reasons:
        print(say("warning: {}").format(agree(say(_one_line(reason)))), file=sys.stderr)


def _one_line(reason: object) -> str:
    return visible(" ".join(str(reason).split()))


def visible(text: object) -> str:
    """Return a text on one line: control characters, as a file's name may have, are escaped and steer no terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], str(text))


def format_json(content: Any) -> str:
    """Return JSON for machines, in ASCII where stdout is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return to_json(content, indent=2, ensure_ascii=codecs.lookup(encoding).name != "utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows under a header in the current language, columns aligned: the first left, the others right."""
    cells = [list(map(visible, row)) for row in (map(say, header), *rows)]
    widths = [max(map(width, column)) for column in zip(*cells)]
    gaps = [[" " * (most - width(cell)) for cell, most in zip(row, widths)] for row in cells]
    lines = ([row[0] + gap[0], *map(str.__add__, gap[1:], row[1:])] for row, gap in zip(cells, gaps))
    return "\n".join("  ".join(line).rstrip() for line in lines)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print `table(header, rows)`."""
    print(table(header, rows))


def shown_names(classes: Iterable[str]) -> dict[str, str]:
    """Return the names of classes as a table shows them: in Chinese where that is the current language."""
    names = list(classes)
    return dict(zip(names, class_names_zh(names) if current_language() == "zh" else names))


def percent(value: float | None) -> str:
    """Return a ratio as text, such as 61.6%; a dash for None."""
    return "-" if value is None else f"{value:.1%}"
