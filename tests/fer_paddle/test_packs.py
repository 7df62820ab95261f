"""Reading .npz packs, whole and damaged."""

import os
import zipfile

import numpy as np
import pytest

from fer_paddle.packs import load_pack, save_pack

OTHER_KINDS = (b"", b"PK", b"no archive at all", b"\x93NUMPY")
KEPT = (0.02, 0.5, 0.99)


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


def change(**arrays):
    return lambda path: np.savez(path, **(read_arrays(path) | arrays))


def cut_sheet(path):
    change(sheet00=read_arrays(path)["sheet00"][:-1000])(path)


def spoil_middle(path):
    """As a download with wrong bytes in its middle: a checksum or the inflater notices."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("sheet00.npy").header_offset
    content[start + 300 : start + 400] = bytes(100)
    path.write_bytes(content)


def spoil_compressed(path):
    np.savez_compressed(path, **read_arrays(path))
    spoil_middle(path)


SPOILED = [
    (change(shape=np.array([3, 48])), "'shape'"),
    (change(shape=np.array([3, 48, 48, 4])), "'shape'"),  # RGBA
    (change(shape=np.array([3.0, 48.0, 48.0])), "'shape'"),
    (change(shape=np.array([3, 48, -48])), "'shape'"),
    (change(shape=np.array([9, 48, 48])), "9 images"),  # the sheet holds 8
    (change(shape=np.array([3, 36, 48])), "36x48 images"),  # 96 rows of pixels are no multiple
    (change(per_row=np.array([4, 4])), "'per_row'"),
    (change(per_row=np.int32(3)), "3 a row"),
    (change(sheet00=np.zeros(9, np.uint8)), "PNG sheets"),
    (change(labels=np.array([{}], object)), "whole .npz pack"),  # pickled: never loaded
    (cut_sheet, "PNG sheets"),
    (spoil_middle, "whole .npz pack"),
    (spoil_compressed, "whole .npz pack"),
    *((lambda path, content=content: path.write_bytes(content), "another kind of file") for content in OTHER_KINDS),
    *((lambda path, kept=kept: os.truncate(path, int(path.stat().st_size * kept)), "truncated") for kept in KEPT),
]


@pytest.mark.parametrize(("spoil", "expected"), SPOILED)
def test_a_damaged_pack_is_refused(tmp_path, noise, write_pack, spoil, expected):
    path = write_pack(tmp_path / "bad.npz", noise(3))
    spoil(path)
    with pytest.raises(ValueError, match=expected) as caught:
        load_pack(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
