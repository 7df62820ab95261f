"""Drawn faces on disk as a person has them: a folder for each expression."""

from collections.abc import Sequence
from pathlib import Path

from fer_paddle.drawn import make_faces
from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS


def write_drawn_faces(folder: Path, count: int, names: Sequence[str] = EXPRESSIONS, seed: int = 1) -> Path:
    """Write faces of 48 px into a folder for each class, of the names given; return the whole."""
    faces = make_faces(count, size=48, seed=seed)
    for number, (image, label) in enumerate(zip(faces.images, faces.labels)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        write_image(folder / names[label] / f"图{number}.png", image)
    return folder
