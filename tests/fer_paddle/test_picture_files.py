"""Which pictures a command line means, and names for their copies that overwrite nothing."""

from pathlib import Path

import pytest

from fer_paddle.picture_files import OutputNames, find_pictures


@pytest.fixture
def folder(tmp_path):
    """a.png, b.JPG, note.txt, deep/c.webp and [x].png, all of them empty: only their names count."""
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.JPG", "note.txt", "deep/c.webp", "[x].png"):
        (tmp_path / name).touch()
    return tmp_path


CASES = [
    (["a.png"], ["a.png"]),
    (["note.txt"], ["note.txt"]),  # a file that was named is meant, whatever it is
    (["b.JPG", "a.png"], ["b.JPG", "a.png"]),
    (["a.png", "a.png", "*.png"], ["a.png", "[x].png"]),
    (["*"], ["[x].png", "a.png", "b.JPG", "note.txt"]),
    (["**/*.webp"], ["deep/c.webp"]),
    (["[x].png"], ["[x].png"]),  # an existing name is no pattern
    (["[ab].*"], ["a.png", "b.JPG"]),
    (["deep"], ["deep/c.webp"]),
    (["."], ["[x].png", "a.png", "b.JPG", "deep/c.webp"]),
]


@pytest.mark.parametrize(("patterns", "names"), CASES)
@pytest.mark.parametrize("absolute", [False, True])
def test_files_folders_and_globs(patterns, names, absolute, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if absolute:
        found = find_pictures([str(folder / pattern) for pattern in patterns])
        assert found == [folder / name for name in names]
    else:
        assert find_pictures(patterns) == [Path(name) for name in names]


@pytest.mark.parametrize("pattern", ["nosuch.png", "*.gif", "empty"])
def test_each_pattern_means_something(pattern, folder):
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="expected pictures"):
        find_pictures([str(folder / "a.png"), str(folder / pattern)])


def names_for(folder, *paths):
    names = OutputNames(folder, paths)
    return [names.next_for(path).name for path in paths]


def test_every_picture_has_a_copy_of_its_own(tmp_path):
    paths = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.png", tmp_path / "z" / "A.PNG", tmp_path / "b.gif"]
    assert names_for(tmp_path / "out", *paths) == ["a.png", "a-2.png", "A-3.png", "b.jpg"]


def test_no_picture_is_overwritten(folder):
    paths = [folder / "a.png", folder / "b.JPG", folder / "deep" / "c.webp"]
    assert names_for(folder, *paths) == ["a-2.png", "b-2.jpg", "c.webp"]


def test_links_do_not_deceive(folder):
    out = folder / "out"
    out.mkdir()
    (out / "real.png").touch()
    (out / "link.png").symlink_to(folder / "a.png")
    (folder / "away.png").symlink_to(out / "real.png")
    paths = [out / "link.png", folder / "away.png", folder / "elsewhere" / "real.png"]
    assert names_for(out, *paths) == ["link-2.png", "away.png", "real-2.png"]
