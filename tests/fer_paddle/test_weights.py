"""Weights and their cards on disk: whole or not at all, and never code."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.files import write_json
from fer_paddle.images import read_image, write_image
from fer_paddle.weights import load_arrays, load_card, load_into, save_arrays, state_arrays

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "moved": np.arange(6, dtype=np.float64).reshape(2, 3).T,  # not contiguous: raw bytes would mix it up
    "steps": np.array(7, np.int64),
    "empty": np.zeros((0, 4), np.float32),
    "mask": np.array([True, False]),
    "名字": np.array([1], np.uint8),
}


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "模型"
    folder.mkdir()
    return folder / "net.safetensors"


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_arrays_come_back_as_they_were(path):
    save_arrays(path, ARRAYS)
    found = load_arrays(str(path))
    assert list(found) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize("kept", [0, 4, 40, -1])
def test_a_truncated_file_is_a_value_error(path, kept):
    save_arrays(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="whole safetensors file") as caught:
        load_arrays(path)
    assert str(path) in str(caught.value)


def test_a_pickle_is_refused_and_not_run(path):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(path.parent / "run"),)

    path.write_bytes(pickle.dumps({"weight": Code()}))
    with pytest.raises(ValueError, match="whole safetensors file"):
        load_arrays(path)
    assert names_in(path.parent) == [path.name]


def half_written(self: Path, content, **options) -> None:
    with self.open("wb") as file:
        file.write(b"half")
    raise OSError("no space left on device")


# How a kind of file is written and read; an old content, a new one, and one that it cannot hold.
WRITERS = {
    ".safetensors": (
        lambda path, array: save_arrays(path, {"a": array}), lambda path: load_arrays(path)["a"],
        np.zeros(2), np.ones(2), np.array([object()]),
    ),
    ".json": (
        lambda path, value: write_json(path, {"a": value}), lambda path: load_card(path)["a"],
        [0, 0], [1, 1], object(),
    ),
    ".png": (
        write_image, read_image,
        np.zeros((4, 5, 3), np.uint8), np.ones((4, 5, 3), np.uint8), np.ones((4, 5, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", ["full disk", "no rename", "cannot be written"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_failing_write_leaves_the_old_file(path, monkeypatch, fault, kind):
    save, load, old, new, bad = WRITERS[kind]
    path = path.with_suffix(kind)
    save(path, old)
    if fault == "full disk":
        monkeypatch.setattr(Path, "write_bytes", half_written)
        monkeypatch.setattr(Path, "write_text", half_written)
    elif fault == "no rename":
        monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("locked")))
    else:
        new = bad
    with pytest.raises(Exception, match=r"device|locked|serializable|dtype|object|uint8"):
        save(path, new)
    monkeypatch.undo()
    np.testing.assert_array_equal(load(path), old)
    assert names_in(path.parent) == [path.name]  # and no temporary file is left


def make_layer() -> paddle.nn.Layer:
    return paddle.nn.Sequential(paddle.nn.Linear(2, 3), paddle.nn.BatchNorm1D(3))


def zeros(count: int) -> np.ndarray:
    return np.zeros(count, np.float32)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda arrays: arrays.pop("1._mean"), r"1 names missing, 0 unknown, such as '1\._mean'"),
        (lambda arrays: arrays.update(extra=zeros(1)), "0 names missing, 1 unknown, such as 'extra'"),
        (lambda arrays: arrays.update({"0.bias": zeros(4)}), r"'0\.bias' as float32 \(3,\), got float32 \(4,\)"),
        # Paddle would spread one value over all three.
        (lambda arrays: arrays.update({"0.bias": zeros(1)}), r"'0\.bias' as float32 \(3,\), got float32 \(1,\)"),
        # Another dtype.
        (lambda arrays: arrays.update({"0.bias": np.ones(3, np.float16)}), r"expected '0\.bias' as float32 .*float16"),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(change, named):
    layer = make_layer()
    before = state_arrays(layer)
    arrays = {name: array + 1 for name, array in before.items()}
    change(arrays)
    with pytest.raises(ValueError, match=named):
        load_into(layer, arrays)
    for name, array in state_arrays(layer).items():
        np.testing.assert_array_equal(array, before[name])
