"""The journal of file actions, and its undoing."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

from fer_paddle.collect.undo import (
    PLACE,
    Journal,
    find_half_done,
    list_batches,
    undo_half_done,
    undo_last,
    undone_batches,
)
from fer_paddle.files import append_json_line, read_json_lines


@pytest.fixture
def folder(tmp_path):
    for name in ("a.txt", "b.txt", "图.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def content(folder):
    """What lies in a folder, but for its journals."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".collect" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_every_kind_of_action_and_back(folder):
    before = content(folder)
    journal = Journal(folder, "test")
    aside = journal.set_aside(folder / "a.txt")
    journal.move(folder / "b.txt", folder / "a.txt")
    journal.make_folder(folder / "deep" / "er")
    journal.create(folder / "deep" / "er" / "new.txt", lambda path: path.write_text("new"))
    assert aside.read_text() == "a.txt"
    assert content(folder) == {"a.txt": "b.txt", "图.txt": "图.txt", "deep/er/new.txt": "new"}
    assert list_batches(folder) == ["0001-test"]
    report = undo_last(folder)
    assert sorted(report.restored) == ["a.txt", "b.txt"] and report.removed == ["deep/er/new.txt"]
    assert content(folder) == before and not (folder / "deep").exists()
    assert list_batches(folder) == [] and undone_batches(folder) == {"0001-test"}


def test_batches_are_undone_newest_first(folder):
    Journal(folder, "first").move(folder / "a.txt", folder / "c.txt")
    Journal(folder, "second").move(folder / "c.txt", folder / "d.txt")
    assert [undo_last(folder).batch, undo_last(folder).batch] == ["0002-second", "0001-first"]
    with pytest.raises(ValueError, match="found no journal"):
        undo_last(folder)
    assert Journal(folder, "third").name == "0003-third"  # a number is never used again


def test_nothing_is_overwritten(folder):
    journal = Journal(folder, "test")
    with pytest.raises(FileExistsError):
        journal.move(folder / "a.txt", folder / "b.txt")
    with pytest.raises(FileExistsError):
        journal.create(folder / "b.txt", lambda path: path.write_text("x"))
    assert not journal.actions and not (folder / PLACE).exists()


def test_nothing_half_made_is_left(folder):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Journal(folder, "test").create(folder / "new.txt", fail)
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.txt", "图.txt"]


def test_what_somebody_changed_since_is_kept(folder):
    journal = Journal(folder, "test")
    journal.set_aside(folder / "a.txt")
    journal.create(folder / "a.txt", lambda path: path.write_text("made"))
    (folder / "a.txt").write_text("edited by hand")
    report = undo_last(folder)
    assert report.kept == ["a-changed.txt"] and report.restored == ["a.txt"]
    assert content(folder)["a.txt"] == "a.txt" and content(folder)["a-changed.txt"] == "edited by hand"


def test_what_took_the_old_place_stays(folder):
    Journal(folder, "test").set_aside(folder / "a.txt")
    (folder / "a.txt").write_text("somebody else's")
    assert undo_last(folder).restored == ["a-2.txt"]
    assert content(folder)["a.txt"] == "somebody else's" and content(folder)["a-2.txt"] == "a.txt"


def test_what_is_gone_is_named(folder):
    Journal(folder, "test").move(folder / "a.txt", folder / "c.txt")
    (folder / "c.txt").unlink()
    assert undo_last(folder).missing == ["c.txt"]


@pytest.mark.parametrize("stop", range(8))
@pytest.mark.parametrize("is_done", [False, True])
def test_an_undo_that_was_cut_short_goes_on(folder, monkeypatch, stop, is_done):
    """a -> b -> c: whatever was undone must not be undone again, though its names are taken once more."""
    before = content(folder)
    journal = Journal(folder, "test")
    parked = {name: journal.set_aside(folder / name) for name in ("a.txt", "b.txt")}
    journal.move(parked["a.txt"], folder / "b.txt")
    journal.move(parked["b.txt"], folder / "c.txt")
    replace, calls = os.replace, []

    def stop_at(source, target):
        calls.append(target)
        if len(calls) <= stop or is_done:
            replace(source, target)
        if len(calls) > stop:
            raise KeyboardInterrupt

    monkeypatch.setattr("fer_paddle.collect.undo.os.replace", stop_at)
    with contextlib.suppress(KeyboardInterrupt):
        undo_last(folder)
    monkeypatch.undo()
    if list_batches(folder):
        assert (find_half_done(folder) == "0001-test") == (stop > 0)
        assert not undo_last(folder).missing
    assert content(folder) == before and list_batches(folder) == []


def test_what_is_missing_leaves_the_batch_open_once(folder):
    journal = Journal(folder, "test")
    parked = {name: journal.set_aside(folder / name) for name in ("a.txt", "b.txt")}
    journal.move(parked["a.txt"], folder / "c.txt")
    kept = (folder / "c.txt").rename(folder.parent / "kept.txt")
    assert undo_last(folder).missing == ["c.txt", parked["a.txt"].relative_to(folder).as_posix()]
    assert (folder / "b.txt").exists() and list_batches(folder) == ["0001-test"]
    with pytest.raises(ValueError, match="collect undo"):
        Journal(folder, "next")
    kept.rename(folder / "c.txt")
    report = undo_last(folder)
    assert not report.missing and (folder / "a.txt").read_text() == "a.txt" and list_batches(folder) == []


def test_another_file_is_not_taken_for_the_missing_one(folder):
    """c was a's new name and is gone; then the undo brings the old c back."""
    (folder / "c.txt").write_text("c.txt")
    journal = Journal(folder, "test")
    parked = {name: journal.set_aside(folder / name) for name in ("a.txt", "c.txt")}
    journal.move(parked["a.txt"], folder / "c.txt")
    journal.move(parked["c.txt"], folder / "d.txt")
    (folder / "c.txt").unlink()
    first, second = undo_last(folder), undo_last(folder)
    assert first.missing == second.missing and first.missing[0] == "c.txt" and not second.restored
    assert content(folder)["c.txt"] == "c.txt" and list_batches(folder) == []  # given up


def test_a_whole_batch_is_half_done_until_it_is_finished(folder):
    before = content(folder)
    journal = Journal(folder, "test", whole=True)
    journal.set_aside(folder / "a.txt")
    assert find_half_done(folder) == "0001-test"
    with pytest.raises(ValueError, match="0001-test half done"):
        Journal(folder, "next")
    assert undo_half_done(folder) == [] and content(folder) == before
    journal = Journal(folder, "test", whole=True)
    journal.set_aside(folder / "a.txt")
    journal.finish()
    assert undo_half_done(folder) == [] and list_batches(folder) == ["0002-test"]


def test_a_name_that_is_no_utf8_comes_back(folder):
    name = os.fsdecode(b"\xc4\xe3.png")  # GBK
    (folder / name).write_text("x")
    journal = Journal(folder, "test")
    journal.move(folder / name, folder / "new.png")
    journal.log.read_text(encoding="utf-8")  # the journal itself is UTF-8
    assert undo_last(folder).restored == [name] and (folder / name).exists()


def test_the_longest_name_can_be_set_aside(folder):
    name = "很" * 83 + ".png"  # 253 bytes of 255
    (folder / name).write_text("x")
    assert Journal(folder, "test").set_aside(folder / name).name == "00000.png"
    assert undo_last(folder).restored == [name]


def test_an_action_that_was_logged_but_never_done(folder):
    """As after a power cut between the log and the deed, and one within the log."""
    journal = Journal(folder, "test")
    journal.move(folder / "a.txt", folder / "c.txt")
    append_json_line(journal.log, {"action": "move", "from": "b.txt", "to": "d.txt"})
    append_json_line(journal.log, {"action": "create", "path": "e.txt", "sha256": "0"})
    with journal.log.open("a") as file:
        file.write('{"action": "mo')
    report = undo_last(folder)
    assert report.restored == ["a.txt"] and not report.missing
    assert set(content(folder)) == {"a.txt", "b.txt", "图.txt"}


@pytest.mark.parametrize(
    "action",
    [
        {"action": "move", "from": "../../out.txt", "to": "a.txt"},
        {"action": "move", "from": "a.txt", "to": "/etc/passwd"},
        {"action": "create", "path": "link/secret.txt", "sha256": "0"},  # through a link out of the folder
        {"action": "create", "path": "C:/x", "sha256": "0"},
        {"action": "folder", "path": "..\\x"},
        {"action": "delete", "path": "a.txt"},
        {"action": "move", "from": "a.txt"},
        {"action": "move", "from": 1, "to": "a.txt"},
    ],
)
def test_a_foreign_journal_does_no_harm(folder, action, tmp_path_factory):
    (folder / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    before = content(folder)
    (folder / PLACE).mkdir(parents=True)
    for line in ({"action": "move", "from": "z.txt", "to": "b.txt"}, action):
        append_json_line(folder / PLACE / "0001-x.jsonl", line)
    with pytest.raises(ValueError, match="expected"):
        undo_last(folder)
    assert content(folder) == before


def test_json_lines(tmp_path):
    path = tmp_path / "x.jsonl"
    append_json_line(path, {"a": "笑"})
    with path.open("a") as file:
        file.write('{"torn": ')
    assert read_json_lines(path) == [{"a": "笑"}]
    append_json_line(path, {"b": 1})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": "笑"}, {"b": 1}]
    path.write_text("{}\n[1]\n{}\n")
    with pytest.raises(ValueError, match="line 2"):
        read_json_lines(path)
