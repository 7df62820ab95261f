"""What both command lines share: functions as commands, exceptions as one line and a code, output in every encoding."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import pytest

from fer_paddle import console, options
from fer_paddle.console import Output, group, run
from fer_paddle.files import temporary_folder

NAMES = ["笑脸.jpg", "한국😀.jpg", "naïve.jpg", "\udcd0\udca6.jpg"]  # the last is no UTF-8: as Python shows such a name
ENCODINGS = ["ascii", "cp1252", "gbk", "utf-8", "UTF8"]


def call(work, *argv):
    """Run the function `work` as the command `do`: its exit code."""
    return run(group("test", "Test.", console.Command(work, "do"), version="1.2"), ["do", *argv])


def fail_by(error):
    def work():
        raise error

    return work


def output(result=None, text=""):
    return lambda: Output(result, text)


def write_below(path):
    def work():
        path.write_text("in the way")
        (path / "deep" / "er").mkdir(parents=True)

    return work


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("expected\na number"), 2, "expected a number"),
        (FileNotFoundError("no such file"), 2, "no such file"),
        (FileExistsError("expected no file"), 1, "expected no file"),  # of our own: it names no path
        (NotADirectoryError(20, "Not a directory", "/nosuch/place"), 1, "[Errno 20] Not a directory: '/nosuch/place'"),
        (RuntimeError("broken"), 1, "broken"),
        (RuntimeError("a\x1b[2J\x07.jpg: broken"), 1, r"a\x1b[2J\x07.jpg: broken"),  # a name that steers a terminal
        (MemoryError(), 1, "out of memory"),
        (
            ModuleNotFoundError("No", name="cv2"),
            1,
            "expected the package opencv-python; install it with: pip install opencv-python",
        ),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
        (KeyboardInterrupt("stopped after 2 epochs"), 130, "stopped after 2 epochs"),
        (type("Interrupted", (KeyboardInterrupt,), {"number": 15})("after 2 epochs"), 143, "after 2 epochs"),
    ],
)
def test_an_exception_is_one_line_and_a_code(error, code, line, capsys):
    assert call(fail_by(error)) == code
    assert capsys.readouterr() == ("", f"error: {line}\n")


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
@pytest.mark.parametrize("turned", [None, ImportError("no module"), KeyboardInterrupt("In transformed code")])
def test_a_signal_is_one_line_whatever_a_package_makes_of_it(number, code, name, turned, tmp_path, capsys):
    def work():
        try:
            with temporary_folder(tmp_path / "out") as folder:
                (folder / "half").touch()
                signal.raise_signal(number)
        except KeyboardInterrupt:
            raise turned if turned else KeyboardInterrupt from None

    former = signal.getsignal(number)
    assert call(work) == code and capsys.readouterr() == ("", f"error: stopped by {name}\n")
    assert signal.getsignal(number) is former and not list(tmp_path.iterdir())


EARLY = """
import runpy, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name.endswith(".cli"):
            signal.raise_signal(int(sys.argv[2]))
sys.meta_path.insert(0, Finder())
runpy.run_module(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
@pytest.mark.parametrize("package", ["fer_paddle", "yolo3tiny"])
def test_a_signal_while_the_commands_are_imported_is_one_line(package, number, code, name):
    command = [sys.executable, "-c", EARLY, package, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"error: stopped by {name}\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_work_that_ends_by_itself_at_a_signal_keeps_what_was_done(number, code, capsys):
    """As a video, the page and the service do."""

    def work():
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        return Output({}, "done so far")

    assert call(work) == code and capsys.readouterr() == ("done so far\n", "")


@pytest.mark.parametrize(
    ("counted", "shown"),
    [
        ("1 images, 1 faces; 1 classes", "1 image, 1 face; 1 class"),
        ("got 1 boxes.", "got 1 box."),
        ("1 of 1 files, 2 files, 11 files, 0.1 files", "1 of 1 file, 2 files, 11 files, 0.1 files"),
        ("data/1 images/1 faces.png of the 1 classes.txt", "data/1 images/1 faces.png of the 1 classes.txt"),  # names
    ],
)
def test_nouns_agree_with_a_count_of_one(counted, shown, capsys):
    assert call(output(text=counted)) == 0 and call(fail_by(ValueError(counted))) == 2
    assert capsys.readouterr() == (f"{shown}\n", f"error: {shown}\n")


@pytest.mark.parametrize("name", ["", "new", "new/model.onnx"])
@pytest.mark.parametrize(
    ("option", "kind"),
    [("--out", "written to"), ("--results", "written to"), ("--data", "read"), ("a default", "written to")],
)
def test_a_place_without_permission_is_named_before_work_begins(option, kind, name, tmp_path, monkeypatch, capsys):
    default = tmp_path / name if option == "a default" else Path("o")

    def work(*, out: Annotated[Path, "x"] = default, results: options.Results = None, data: options.Images = ()):
        raise AssertionError

    monkeypatch.setattr(options.os, "access", lambda place, mode: Path(place) != tmp_path)
    assert call(work, *([option, str(tmp_path / name)] if option.startswith("--") else [])) == 1
    assert capsys.readouterr().err == f"error: expected a folder that can be {kind}, got {tmp_path}\n"


SHIPPED = "models distresnet.fer2013 --runs 0"


@pytest.mark.parametrize(
    ("words", "redirected", "code", "err"),
    [
        (SHIPPED, ">&-", 0, ""),
        (SHIPPED, "2>&-", 0, ""),
        (SHIPPED, "> /dev/full", 1, "error: [Errno 28] No space left on device\n"),
        (SHIPPED, "> >(exec true)", 1, ""),  # reads nothing, as `head` does not read all
        ("--help", "> >(exec true)", 1, ""),
        ("--help", "> /dev/full", 1, "error: [Errno 28] No space left on device\n"),
        ("fly", ">&-", 2, "error: No such command 'fly' (see python -m fer_paddle --help)\n"),
        ("fly", "2>&-", 2, ""),  # nothing on stdout instead
    ],
)
def test_streams_that_are_closed_full_or_unread(words, redirected, code, err):
    command = f"exec {redirected}; sleep 0.1; exec {shlex.quote(sys.executable)} -m fer_paddle {words}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (code, err)
    assert bool(done.stdout) == (words == SHIPPED and redirected == "2>&-")


@pytest.mark.parametrize(
    "statement",
    [
        "import fer_paddle.nosuch",
        "from fer_paddle.console import nosuch",
        "import yolo3tiny.nosuch",
        "import json.nosuch",
        "from json import nosuch",
    ],
)
def test_a_fault_of_the_program_stays_a_traceback(statement):
    with pytest.raises(ImportError):
        call(lambda: exec(statement))


def test_a_file_where_a_folder_is_expected(tmp_path, capsys):
    path = tmp_path / "文件"
    assert call(write_below(path)) == 2
    assert call(lambda: path.mkdir()) == 2
    assert capsys.readouterr().err == f"error: expected a folder, got the file {path}\n" * 2


def test_only_the_output_comes_on_stdout(capfd):
    def work():
        print("chatter")
        return Output([1], "one", [("a.png", "broken"), ("b.png", "b.png is broken")])

    assert call(work) == call(work, "--json") == 1
    out, err = capfd.readouterr()
    assert out == "one\n[\n  1\n]\n" and err.count("chatter") == 2
    assert "error: a.png: broken\nerror: b.png is broken\n" in err


# Options


def everything(
    place: Path,
    more: Annotated[tuple[str, ...], "further places"] = (),
    *,
    size: options.Side = 8,
    ratios: Annotated[tuple[options.Ratio, ...], "to keep"] = (0.5,),
    pause: options.NonNegativeFloat = 1.0,
    near: Annotated[int, options.Number(int, -1, 64), "bits"] = 4,
    color: Annotated[Literal["gray", "color"], "of all"] = "gray",
    fast: Annotated[bool, "hurry"] = False,
    note: Annotated[str | None, "free text"] = None,
):
    """Return its arguments. And more."""
    return Output([str(place), *more, size, *ratios, pause, near, color, fast, note], "")


DEFAULTS = [8, 0.5, 1.0, 4, "gray", False, None]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("p", ["p", *DEFAULTS]),
        ("--ratios 0.7 --ratios 1 --size 9 p", ["p", 9, 0.7, 1.0, *DEFAULTS[2:]]),
        ("--near -1 --size=4 p", ["p", 4, 0.5, 1.0, -1, *DEFAULTS[4:]]),
        ("--note=--size p", ["p", *DEFAULTS[:-1], "--size"]),
        ("--fast -- --size q", ["--size", "q", *DEFAULTS[:-2], True, None]),
    ],
)
def test_options_are_the_parameters(argv, found, capsys):
    assert call(everything, "--json", *argv.split()) == 0
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "Missing argument 'PLACE'"),
        ([""], "expected a path, got ''"),
        (["p", "--size"], "Option '--size' requires a value"),
        (["p", "--size", "0"], "expected an integer from 1 to 4096, got '0'"),
        (["p", "--size", "9" * 5000], "expected an integer from 1 to 4096"),
        (["p", "--ratios", "nan"], "expected a number above 0 and at most 1, got 'nan'"),
        (["p", "--pause", "inf"], "expected a number of at least 0, got 'inf'"),
        (["p", "--color", "red"], "'red' is not one of 'gray', 'color'"),
        (["p", "--haste"], "No such option"),
    ],
)
def test_wrong_use_is_one_line(argv, line, capsys):
    assert call(everything, *argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert line in err and err.endswith("(see test do --help)\n")


def test_groups_have_help_a_version_and_hidden_commands(capsys):
    app = group(
        "test", "Test.", everything, group("deep", "Deeper.", everything), hidden={"old": everything}, version="3"
    )
    assert [run(app, argv.split()) for argv in ("--version", "--help", "deep everything p", "old p")] == [0, 0, 0, 0]
    out = capsys.readouterr().out
    assert out.startswith("3\n") and "everything  Return its arguments." in out and "old" not in out
    assert [run(app, argv.split()) for argv in ("", "fly", "deep", "deep fly")] == [2, 2, 2, 2]
    assert capsys.readouterr().err.count("\n") == 4


# Encodings


def printed(monkeypatch, encoding, work, *argv):
    """The bytes that a command which does this work writes to a strict stdout of an encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    assert call(work, *argv) == 0
    return stream.buffer.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", NAMES)
def test_output_is_whole_in_every_encoding(name, encoding, monkeypatch):
    content = {"file": name, "faces": [0.5, None]}
    text = printed(monkeypatch, encoding, output(content), "--json")
    assert json.loads(text) == content  # read as UTF-8, as machines do
    assert json.loads(text.decode(encoding)) == content
    text = printed(monkeypatch, encoding, output(text=console.table(["image", "faces"], [[name, 2]])))
    _, row = text.decode(encoding).splitlines()
    assert row.split() == [name.encode(encoding, "backslashreplace").decode(encoding), "2"]
