"""Files appear whole or not at all, lines survive a crash, and a folder is held by one run."""

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_paddle import files
from fer_paddle.console import format_json
from fer_paddle.study import Study
from tests.processes import run_python


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "7", "\x00", "[" * 200_000])
def test_what_is_no_json_object_is_a_value_error(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.json"):
        files.read_json(path)
    with pytest.raises(FileNotFoundError, match="expected a card at"):
        files.read_json(tmp_path / "none.json", "a card")


def test_what_is_not_finite_is_null_wherever_json_is_written(tmp_path):
    content = {"a": math.nan, "b": [1, (math.inf, np.float64("-inf"))], "c": {"d": 0.5}}
    files.write_json(tmp_path / "a.json", content)
    files.append_json_line(tmp_path / "lines", content)
    Study(tmp_path / "study.json", {}).run([{"name": "x"}], lambda row: content)
    expected = {"a": None, "b": [1, [None, None]], "c": {"d": 0.5}}
    for text in ((tmp_path / "a.json").read_text(), (tmp_path / "lines").read_text(), format_json(content)):
        assert json.loads(text, parse_constant=pytest.fail) == expected
    assert Study(tmp_path / "study.json", {}).rows == [{"name": "x", **expected}]


def test_files_written_together_all_change_or_none(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    files.write_together({first: b"1", second: b"2"})
    with pytest.raises(FileNotFoundError, match=r"none.b'$"):  # not its temporary name
        files.write_together({first: b"3", tmp_path / "none" / "b": b"4"})
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2") and names_in(tmp_path) == ["a", "b"]


FULL = errno.ENOSPC, os.strerror(errno.ENOSPC)
NAMED = [lambda place: (), lambda place: (place / "new.png",), lambda place: ("a.png", None, place / "new.png")]


@pytest.mark.parametrize("names", NAMED, ids=("none", "within", "copied"))
@pytest.mark.parametrize("writing", [files.replacing, files.temporary_folder, files.replacing_folder])
def test_a_full_disk_names_what_is_written(tmp_path, writing, names):
    with pytest.raises(OSError) as caught, writing(tmp_path / "a") as place:
        raise OSError(*FULL, *names(place))
    assert str(caught.value) == f"[Errno {FULL[0]}] {FULL[1]}: {str(tmp_path / 'a')!r}" and names_in(tmp_path) == []


def test_a_full_disk_names_the_list_and_the_folder_that_is_held(tmp_path, monkeypatch):
    (tmp_path / "lines").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*lines'$"):
        files.append_json_line(tmp_path / "lines", {"a": 1})
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
    with pytest.raises(OSError, match=r"No space left on device: '.*run'$"), files.hold(tmp_path / "run"):
        pytest.fail("held")
    assert names_in(tmp_path / "run") == []


def test_leftovers_of_killed_processes_are_cleared(tmp_path):
    code = f"from fer_paddle import files; p = files.temporary_name({str(tmp_path / 'x')!r}); p.mkdir(); print(p)"
    made = run_python(code).strip()
    (tmp_path / ".best.safetensors.99999999999999999999.tmp").write_text("x")  # no such process
    (tmp_path / made).joinpath("part").write_text("x")
    other = ".part.99999999999999999999-0-0123abcd.tmp"  # of another machine, on a shared disk
    kept = {"notes.tmp", ".notes.tmp", f".mine.{os.getpid()}-7.tmp", ".theirs.1-0.tmp", other}
    for name in kept:
        (tmp_path / name).write_text("x")
    (old := tmp_path / f".old{other}").write_text("x")
    os.utime(old, (0, 0))
    files.clear_leftovers(tmp_path)
    files.clear_leftovers(tmp_path / "none")
    assert set(names_in(tmp_path)) == kept


def test_a_folder_is_held_by_one_run_that_is_named(tmp_path):
    folder = tmp_path / "run"
    with files.hold(folder):
        with (
            pytest.raises(ValueError, match=rf"no other run in .*run, but process {os.getpid()} \("),
            files.hold(folder),
        ):
            pass
        code = f"from fer_paddle import files\nwith files.hold({str(folder)!r}): pass"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert other.returncode == 1 and f"process {os.getpid()}" in other.stderr
    with files.hold(folder):  # free again
        pass


def test_lines_come_back_without_one_that_was_cut_off(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    files.append_json_line(path, {"名": 1})
    with path.open("ab") as file:
        file.write(b'{"cut')
    assert files.read_json_lines(path) == [{"名": 1}] and "cut off" in caplog.text
    files.append_json_line(path, {"b": "\udcc4"})
    assert files.read_json_lines(path) == [{"名": 1}, {"b": "\udcc4"}]
    for line in ("{", "7", "[" * 200_000):
        path.write_text(json.dumps({}) + f"\n{line}\n{{}}\n")
        with pytest.raises(ValueError, match="line 2"):
            files.read_json_lines(path)
