"""A few damaged and foreign files of every kind; `python tests/bad_files.py 200 100` tries many."""

import pytest

from tests import bad_files


@pytest.mark.parametrize("name", bad_files.whole_files())
def test_the_whole_file_is_read_or_lacks_only_its_image(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bad_files.whole_files()[name])
    try:
        bad_files.readers()[name](path)
    except ValueError as error:  # a table whose image is not there
        assert "a.png" in str(error) or "expected images" in str(error) or "bndbox" in str(error)


def test_bad_images_are_refused_in_time(tmp_path):
    assert sum(bad_files.try_images(20, tmp_path).values()) == 20


def test_bad_files_are_refused_in_time(tmp_path):
    said = bad_files.try_files(27, tmp_path, seed=1)
    assert said["refused"] > 10 and sum(said.values()) == 27
