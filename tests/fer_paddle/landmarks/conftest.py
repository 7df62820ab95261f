"""Drawn faces with exact points, made once."""

import pytest

from fer_paddle.landmarks.data.faces import LandmarkFaces, draw_landmark_faces


@pytest.fixture(scope="session")
def drawn() -> LandmarkFaces:
    """24 portraits of 128 px."""
    return draw_landmark_faces(24, 128, seed=3)
