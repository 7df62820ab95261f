"""The data set: shapes and units of samples, and that a sample depends on seed, epoch and index alone."""

import numpy as np
import pytest

from tests.yolo3tiny.samples import WHOLE
from yolo3tiny import data as data_module
from yolo3tiny.data import MAX_BOXES, FaceTrainingData, repeat_photos
from yolo3tiny.photos import Photo


def make_photo(seed: int, source: str = "", faces: int = 2) -> Photo:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (90, 120, 3), np.uint8)
    corners = rng.uniform(0, 50, (faces, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(12, 40, (faces, 2))], axis=1).astype(np.float32)
    return Photo(f"{seed}.png", lambda: image, boxes, np.arange(faces) % 3 == 2, (90, 120), source)


PHOTOS = [make_photo(seed) for seed in range(6)]


def test_a_sample_holds_what_the_network_and_the_loss_take() -> None:
    data = FaceTrainingData(PHOTOS, 96)
    assert len(data) == 6
    for index in range(6):
        image, (boxes, ignore) = data[index]
        assert image.shape == (3, 96, 96) and image.dtype == np.float32 and image.flags.c_contiguous
        assert 0 <= image.min() and 0.3 < image.max() <= 1
        assert boxes.shape == (MAX_BOXES, 4) and boxes.dtype == np.float32
        assert ignore.shape == (MAX_BOXES,) and ignore.dtype == np.float32 and set(ignore) <= {0, 1}
        rows = (boxes > 0).any(axis=1)
        count = rows.sum()
        assert rows[:count].all() and not ignore[count:].any()  # padding stands behind the boxes
        assert (boxes[:count, 2:] > 0).all()
        assert (boxes[:count, :2] - boxes[:count, 2:] / 2 > -1e-5).all()
        assert (boxes[:count, :2] + boxes[:count, 2:] / 2 < 1 + 1e-5).all()


def test_boxes_are_centre_and_size_in_parts_of_the_square() -> None:
    image, box = np.zeros((128, 128, 3), np.uint8), np.float32([[32, 16, 64, 80]])
    photo = Photo("a", lambda: image, box, np.array([False]), (128, 128))
    _, (boxes, _) = FaceTrainingData([photo], 64, WHOLE)[0]
    np.testing.assert_allclose(boxes[0], [48 / 128, 48 / 128, 32 / 128, 64 / 128], atol=1e-6)
    assert not boxes[1:].any()


def test_a_sample_depends_on_seed_epoch_and_index_alone() -> None:
    data, other = FaceTrainingData(PHOTOS, 96, seed=3), FaceTrainingData(PHOTOS, 96, seed=3, cache_mb=0)
    for epoch in (0, 1, 2):
        data.set_epoch(epoch)
        for index in range(6):
            data[index]
    data.set_epoch(1)
    other.set_epoch(1)  # straight to epoch 1, backwards, without a cache
    for index in reversed(range(6)):
        for array, again in zip(*((sample[0], *sample[1]) for sample in (other[index], data[index])), strict=True):
            np.testing.assert_array_equal(array, again)


def test_when_boxes_are_too_many_faces_go_before_ignored_and_large_before_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = [10, 30, 20, 25, 15]
    boxes = np.float32([[5 * i, 5 * i, 5 * i + side, 5 * i + side] for i, side in enumerate(sides)])
    ignore = np.array([False, True, False, False, True])
    photo = Photo("a", lambda: np.zeros((64, 64, 3), np.uint8), boxes, ignore, (64, 64))
    for limit, expected in ((3, [25, 20, 10]), (4, [25, 20, 10, 30]), (5, sides)):
        monkeypatch.setattr(data_module, "MAX_BOXES", limit)
        _, (rows, ignored) = FaceTrainingData([photo], 64, WHOLE)[0]
        np.testing.assert_allclose(rows[:, 2] * 64, expected, atol=1e-3)
        assert ignored.sum() == (np.array(expected) >= 30).sum() + (15 in expected)


def test_cache_keeps_its_limit_and_serves_repeated_photos() -> None:
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return np.zeros((400, 400, 3), np.uint8)

    photo = Photo("a", read, np.zeros((0, 4), np.float32), np.zeros(0, bool), (400, 400))
    for cache_mb, expected in ((1, 1), (0, 4)):
        reads.clear()
        data = FaceTrainingData([photo, photo], 64, WHOLE, cache_mb=cache_mb)
        for index in (0, 1, 0, 1):
            data[index]
        assert len(reads) == expected


@pytest.mark.parametrize(
    ("photos", "size", "message"),
    [([], 64, "at least one photo"), (PHOTOS, [(1, 64)], "from epoch 0")],
)
def test_wrong_arguments(photos: list[Photo], size: int | list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaceTrainingData(photos, size)
    for index in (-1, 6):
        with pytest.raises(IndexError):  # iteration over the data set ends by it
            FaceTrainingData(PHOTOS, 64)[index]


def test_repeat_photos() -> None:
    photos = [make_photo(0, "web"), make_photo(1, "crowd"), make_photo(2, "web"), make_photo(3, "drawn")]
    repeated = repeat_photos(photos, {"crowd": 3, "drawn": 0})
    assert [photo.name for photo in repeated] == ["0.png", "1.png", "1.png", "1.png", "2.png"]
    for wrong in ({"croud": 2}, {"web": -1}):
        with pytest.raises(ValueError, match="expected sources among"):
            repeat_photos(photos, wrong)
