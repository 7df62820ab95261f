"""The journal of file actions, and its undoing."""

from __future__ import annotations

import json

import pytest

from fer_paddle.collect.jsonlines import append_json_line, read_json_lines
from fer_paddle.collect.undo import PLACE, Journal, list_batches, undo_last, undone_batches


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
