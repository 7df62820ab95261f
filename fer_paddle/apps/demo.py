"""The images of `make demo`: a photo that a pinned package ships, and a scene of drawn faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_paddle.drawing import draw_faces
from fer_paddle.drawn import SyntheticScene, draw_scene
from fer_paddle.images import write_image
from fer_paddle.pipeline import Pipeline


def astronaut() -> np.ndarray:
    """Return the portrait of Eileen Collins (NASA, public domain) that scikit-image ships; uint8 [512,512,3] BGR."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[..., ::-1])


def drawn_people() -> SyntheticScene:
    """Draw five people of five expressions; the image is uint8 [640,960,3] BGR."""
    return draw_scene(136, 960, 640, num_faces=5, min_px=90)


def demo_images() -> dict[str, np.ndarray]:
    """Return the two images by the names of their files."""
    return {"astronaut.png": astronaut(), "drawn_faces.png": drawn_people().image}


def draw_hero(pipeline: Pipeline) -> np.ndarray:
    """Draw the picture of the README, uint8 [512,1280,3]: both images with what the networks answer, side by side."""
    left, right = (draw_faces(image, pipeline(image)) for image in demo_images().values())
    return np.hstack([left, cv2.resize(right, (768, 512), interpolation=cv2.INTER_AREA)])


def write_demo_images(folder: Path) -> list[Path]:
    """Write the two images into a folder, which is made, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {folder / name: image for name, image in demo_images().items()}
    for path, image in images.items():
        write_image(path, image)
    return list(images)
