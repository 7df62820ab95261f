"""Reading .npz packs, whole and damaged."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest

from fer_paddle.packs import load_pack, save_pack


@pytest.mark.parametrize(
    ("count", "shape", "per_row", "rows"),
    [
        (8, (6, 5), 4, 2),  # one full sheet
        (17, (6, 5), 4, 2),  # three sheets, the last with one image
        (17, (6, 5, 3), 4, 2),
        (100, (2, 2), 3, 2),  # 17 sheets: sheet09 stands before sheet10
        (0, (6, 5), 4, 2),  # no image and no sheet
    ],
)
def test_images_come_back_in_order(tmp_path, noise, write_pack, count, shape, per_row, rows):
    images = noise(count, shape=shape)
    pack = load_pack(write_pack(tmp_path / "数据" / "面孔.npz", images, per_row, rows))
    assert pack.keys() == {"images"}
    assert pack["images"].dtype == np.uint8
    np.testing.assert_array_equal(pack["images"], images)


@pytest.mark.parametrize("count", [0, 1, 64, 65, 4096, 4097])  # a row, a sheet, and one more
def test_what_is_saved_comes_back(tmp_path, noise, count):
    images, labels = noise(count, shape=(3, 2)), np.arange(count)
    pack = load_pack(save_pack(tmp_path / "a.npz", images, labels=labels))
    np.testing.assert_array_equal(pack["images"], images)
    np.testing.assert_array_equal(pack["labels"], labels)


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "no.npz", tmp_path):
        with pytest.raises(FileNotFoundError, match=path.name):
            load_pack(path)


def read_arrays(path):
    with np.load(path) as archive:
        return dict(archive)


def check_refused(path, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        load_pack(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shape": np.array([3, 48])}, "'shape'"),
        ({"shape": np.array([3, 48, 48, 4])}, "'shape'"),  # RGBA
        ({"shape": np.array([3.0, 48.0, 48.0])}, "'shape'"),
        ({"shape": np.array([3, 48, -48])}, "'shape'"),
        ({"shape": np.array([9, 48, 48])}, "9 images"),  # the sheet holds 8
        ({"shape": np.array([3, 36, 48])}, "36x48 images"),  # 96 rows of pixels are no multiple
        ({"per_row": np.array([4, 4])}, "'per_row'"),
        ({"per_row": np.int32(3)}, "3 a row"),
        ({"sheet00": np.zeros(9, np.uint8)}, "PNG sheets"),
        ({"labels": np.array([{}], object)}, "whole .npz pack"),  # pickled: never loaded
    ],
)
def test_a_wrong_layout_is_refused(tmp_path, noise, write_pack, change, expected):
    path = write_pack(tmp_path / "bad.npz", noise(3))
    np.savez(path, **(read_arrays(path) | change))
    check_refused(path, expected)


def test_a_truncated_sheet_is_refused(tmp_path, noise, write_pack):
    path = write_pack(tmp_path / "a.npz", noise(3))
    arrays = read_arrays(path)
    arrays["sheet00"] = arrays["sheet00"][:-1000]
    np.savez(path, **arrays)
    check_refused(path, "PNG sheets")


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all", b"\x93NUMPY"])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    check_refused(tmp_path / "a.npz", "another kind of file")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_truncated_archive_is_refused(tmp_path, noise, write_pack, kept):
    path = write_pack(tmp_path / "a.npz", noise(3))
    os.truncate(path, int(path.stat().st_size * kept))
    check_refused(path, "truncated")


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_bytes_are_refused(tmp_path, noise, write_pack, compressed):
    """A download with wrong bytes in its middle: a checksum or the inflater notices."""
    path = write_pack(tmp_path / "a.npz", noise(3))
    if compressed:
        np.savez_compressed(path, **read_arrays(path))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("sheet00.npy").header_offset
    content[start + 300 : start + 400] = bytes(100)
    path.write_bytes(content)
    check_refused(path, "whole .npz pack")
