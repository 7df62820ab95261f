"""Photos: what they check, how they are read, their size from the header, and holding some out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from yolo3tiny.photos import Photo, PhotoCollector, hold_out

NO_BOXES, NO_IGNORE = np.zeros((0, 4), np.float32), np.zeros(0, bool)


@pytest.mark.parametrize("kind", ["path", "bytes", "callable"])
def test_photo_reads(tmp_path: Path, kind: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    png = cv2.imencode(".png", image)[1].tobytes()
    (tmp_path / "脸.png").write_bytes(png)
    source = {"path": tmp_path / "脸.png", "bytes": png, "callable": lambda: image}[kind]
    np.testing.assert_array_equal(Photo("脸.png", source, NO_BOXES, NO_IGNORE, (30, 40)).read(), image)


def test_photo_refuses_a_picture_of_another_size() -> None:
    # The boxes were made for other pixels: a picture exchanged, or turned by its EXIF orientation.
    photo = Photo("images/b.png", lambda: np.zeros((40, 30, 3), np.uint8), NO_BOXES, NO_IGNORE, (30, 40))
    with pytest.raises(ValueError, match="images/b.png: expected 40 x 30 pixels .* got a picture of 30 x 40"):
        photo.read()


@pytest.mark.parametrize(
    ("boxes", "ignore"),
    [
        (np.zeros((2, 4)), np.zeros(3, bool)),
        (np.zeros((2, 5)), np.zeros(2, bool)),
        (np.zeros((2, 4)), np.zeros(2)),  # ~ignore of numbers would be no mask
    ],
)
def test_photo_checks_its_arrays(boxes: np.ndarray, ignore: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected boxes"):
        Photo("a", b"", boxes, ignore, (1, 1))


def test_collector_applies_the_policy(caplog: pytest.LogCaptureFixture) -> None:
    found = PhotoCollector("table")
    boxes = [
        [-5, -5, 15, 15],
        [50, 2, 60, 9],
        [5, 5, 5, 9],
        [30, 20, 99, 99],
    ]  # out at one side, out, thin, out
    found.add("a", b"", (30, 40), boxes, [False, False, True, True])
    (photo,) = found.finish()
    np.testing.assert_array_equal(photo.boxes_xyxy, [[0, 0, 15, 15], [30, 20, 40, 30]])
    assert photo.ignore.tolist() == [False, True]
    assert "table: dropped 2 boxes" in caplog.text


@pytest.mark.parametrize(
    ("size_hw", "box"),
    [((30, 40), [0, 0, np.inf, 5]), ((30, 40), [0, np.nan, 1, 5]), ((0, 40), [0, 0, 1, 1])],
)
def test_collector_refuses_what_is_no_box_or_size(size_hw: tuple[int, int], box: list[float]) -> None:
    with pytest.raises(ValueError, match="table: a: expected finite boxes"):
        PhotoCollector("table").add("a", b"", size_hw, [box], [False])


def test_collector_without_photos() -> None:
    with pytest.raises(ValueError, match="table: expected annotated photos, found none"):
        PhotoCollector("table").finish()


def test_hold_out_takes_the_first_of_every_ten() -> None:
    training, held_out = hold_out(list(range(25)))
    assert held_out == [0, 10, 20]
    assert training == [n for n in range(25) if n not in (0, 10, 20)]


def test_hold_out_of_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="every >= 2"):
        hold_out([], every=1)
