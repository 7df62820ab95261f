"""The images of `make demo`: a photo that a pinned package ships, and a scene of drawn faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_paddle.drawn import draw_scene
from fer_paddle.images import write_image

SCENE_SEED = 2


def astronaut() -> np.ndarray:
    """Return the portrait of Eileen Collins (NASA, public domain) that scikit-image ships; uint8 [512,512,3] BGR."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def write_demo_images(folder: Path) -> list[Path]:
    """Write the two images into a folder, which is made, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = draw_scene(SCENE_SEED, 960, 640, num_faces=8, min_px=50).image
    for name, image in (("astronaut.png", astronaut()), ("drawn_faces.png", scene)):
        write_image(folder / name, image)
    return [folder / "astronaut.png", folder / "drawn_faces.png"]
