"""Sheets of pictures and heat over a face."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fer_paddle.analysis.axes import plot_heat, scale_to_one, take_axis, tile_pictures


def test_tiles_stand_in_rows():
    pictures = [np.full((2, 3), value) for value in (1, 2, 3)]
    sheet = tile_pictures(pictures, columns=2, gap=0)
    assert sheet.tolist() == [
        [1, 1, 1, 0, 2, 2, 2],
        [1, 1, 1, 0, 2, 2, 2],
        [0, 0, 0, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(("pictures", "columns"), [([], 2), ([np.zeros((2, 2))], 0)])
def test_nothing_to_lay(pictures, columns):
    with pytest.raises(ValueError, match="expected"):
        tile_pictures(pictures, columns)


def test_scale():
    assert scale_to_one(np.array([-1.0, 0.0, 3.0])).tolist() == [0, 0.25, 1]
    assert scale_to_one(np.full((2, 2), 7.0)).tolist() == [[0, 0], [0, 0]]


def test_heat_is_stretched_over_the_face():
    axis = Figure().subplots()
    assert plot_heat(np.zeros((48, 40), np.uint8), np.eye(4), axis, "sad") is axis.figure
    assert [image.get_array().shape for image in axis.images] == [(48, 40), (48, 40)]
    assert take_axis(axis) is axis
