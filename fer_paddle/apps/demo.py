"""The pictures of `make demo`: a photo that a pinned package ships, and a scene of drawn faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_paddle.drawn import draw_scene
from fer_paddle.images import write_image

SCENE_SEED = 2


def astronaut() -> np.ndarray:
    """The portrait of Eileen Collins (NASA, public domain) that scikit-image ships; uint8 [512, 512, 3] in BGR."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def write_demo_pictures(folder: Path) -> list[Path]:
    """Writes the two pictures into a folder, which is made, and gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "astronaut.png": astronaut(),
        "drawn_faces.png": draw_scene(SCENE_SEED, 960, 640, num_faces=8, min_px=50).image,
    }
    for name, image in pictures.items():
        write_image(folder / name, image)
    return [folder / name for name in pictures]
