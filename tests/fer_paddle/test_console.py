"""What both command lines share: exceptions as one line and a code, and output in every encoding."""

import io
import json
import sys

import pytest

from fer_paddle import console as commands

NAMES = ["笑脸.jpg", "한국😀.jpg", "naïve.jpg", "\udcd0\udca6.jpg"]  # the last is no UTF-8: as Python shows such a name
ENCODINGS = ["ascii", "cp1252", "gbk", "utf-8", "UTF8"]


def call(work):
    """Runs a command that does this work: its exit code."""
    parser = commands.Parser(prog="test")
    parser.set_defaults(run=lambda args: work() or commands.OK)
    return commands.run(parser, [])


def fail_by(error):
    def work():
        raise error

    return work


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
        (OverflowError("too large"), 1, "too large"),
        (MemoryError(), 1, "out of memory"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "out of memory: Unable to allocate 9 GiB"),
        (ModuleNotFoundError("No", name="tqdm"), 1, "expected the package tqdm; install it with: pip install tqdm"),
        (
            ModuleNotFoundError("No", name="cv2"),
            1,
            "expected the package opencv-python; install it with: pip install opencv-python",
        ),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
    ],
)
def test_an_exception_is_one_line_and_a_code(error, code, line, capsys):
    assert call(fail_by(error)) == code
    assert capsys.readouterr() == ("", f"error: {line}\n")


def test_a_package_that_is_really_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert call(lambda: commands.bar("pictures")) == 1
    assert capsys.readouterr().err == "error: expected the package tqdm; install it with: pip install tqdm\n"


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


@pytest.mark.parametrize("error", [TypeError("no"), KeyError("no"), AttributeError("no"), AssertionError("no")])
def test_other_faults_are_not_hidden(error):
    with pytest.raises(type(error)):
        call(fail_by(error))


def test_a_file_where_a_folder_is_expected(tmp_path, capsys):
    path = tmp_path / "文件"
    assert call(write_below(path)) == 2
    assert call(path.mkdir) == 2
    assert capsys.readouterr().err == f"error: expected a folder, got the file {path}\n" * 2


def printed(monkeypatch, encoding, work):
    """The bytes that a command which does this work writes to a strict stdout of an encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    assert call(work) == 0
    return stream.buffer.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", NAMES)
def test_json_is_whole_in_every_encoding(name, encoding, monkeypatch):
    content = {"file": name, "faces": [0.5, None]}
    text = printed(monkeypatch, encoding, lambda: commands.print_json(content))
    assert json.loads(text) == content  # read as UTF-8, as machines do
    assert json.loads(text.decode(encoding)) == content


def test_json_in_utf_8_can_be_read_by_people(monkeypatch):
    assert "笑脸.jpg" in printed(monkeypatch, "UTF8", lambda: commands.print_json(NAMES)).decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_printed_in_every_encoding(name, encoding, monkeypatch):
    text = printed(monkeypatch, encoding, lambda: commands.print_table(["picture", "faces"], [[name, 2]]))
    _, row = text.decode(encoding).splitlines()
    assert row.split() == [name.encode(encoding, "backslashreplace").decode(encoding), "2"]


def test_a_stdout_that_is_no_file_will_do(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert call(lambda: commands.print_json(NAMES[:2])) == 0
    assert json.loads(stream.getvalue()) == NAMES[:2] and "笑" in stream.getvalue()


def test_a_warning_is_one_line(capsys):
    commands.warn("no\n font")
    assert capsys.readouterr() == ("", "warning: no font\n")
