"""Images without people: of their size, the same each time, none of the one split in the other."""

import numpy as np
import pytest

from yolo3tiny.negatives import TRAIN, VALIDATION, make_negatives


@pytest.mark.parametrize("split", [TRAIN, VALIDATION])
def test_photos_without_a_box(split):
    photos = make_negatives(8, split)  # every kind
    images = [photo.read() for photo in photos]  # read checks size_hw
    assert {(photo.source, photo.split, len(photo.boxes_xyxy)) for photo in photos} == {("drawn", split, 0)}
    assert all(image.dtype == np.uint8 and image.std() > 0 for image in images)
    for photo, image in zip(make_negatives(8, split), images):
        np.testing.assert_array_equal(photo.read(), image)
