"""Runs the command line; writes small packs, csv files and class folders, of noise: no two images are alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH
from tests.class_folders import write_drawn_faces


@pytest.fixture(scope="session")
def face_folders(tmp_path_factory) -> Path:
    """70 drawn faces of 48 px as class folders with English, Chinese and numbered names."""
    kinds = zip(EXPRESSIONS, EXPRESSIONS_ZH, (f"{label}_{name.title()}" for label, name in enumerate(EXPRESSIONS)))
    names = [kind[label % 3] for label, kind in enumerate(kinds)]
    return write_drawn_faces(tmp_path_factory.mktemp("表情"), 70, names)


@pytest.fixture
def run(capsys):
    """`run(*args)`: exit code, stdout and stderr of `python -m fer_paddle ARGS`."""

    from fer_paddle.apps.cli import main  # not for those who run no command

    def call(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """`noise(count, seed, shape)`: images uint8 [count, *shape]."""

    def draw(count: int, seed: int = 0, shape: tuple[int, ...] = (48, 48)) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)

    return draw


@pytest.fixture(scope="session")
def write_pack() -> Callable[..., Path]:
    """`write_pack(path, images, per_row, rows, **columns)`: sheets of `rows` times `per_row` images."""

    def write(path: Path, images: np.ndarray, per_row: int = 4, rows: int = 2, **columns: object) -> Path:
        arrays = {"shape": np.array(images.shape, np.int32), "per_row": np.int32(per_row)}
        for number, start in enumerate(range(0, len(images), per_row * rows)):
            sheet = np.zeros((rows * images.shape[1], per_row * images.shape[2], *images.shape[3:]), np.uint8)
            for index, image in enumerate(images[start : start + per_row * rows]):
                top, left = index // per_row * images.shape[1], index % per_row * images.shape[2]
                sheet[top : top + images.shape[1], left : left + images.shape[2]] = image
            bgr = sheet if sheet.ndim == 2 else sheet[..., ::-1]
            arrays[f"sheet{number:02}"] = cv2.imencode(".png", bgr)[1].ravel()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, **(arrays | columns))
        return path

    return write


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    """`write_csv(path, images, labels, usages)`: the layout of the official fer2013.csv."""

    def write(path: Path, images: np.ndarray, labels: Sequence[int], usages: Sequence[str]) -> Path:
        rows = [
            f"{label},{' '.join(map(str, image.ravel()))},{usage}"
            for image, label, usage in zip(images, labels, usages)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["emotion,pixels,Usage", *rows, ""]))
        return path

    return write


@pytest.fixture(scope="session")
def write_classes(noise) -> Callable[..., Path]:
    """`write_classes(folder, {"happy": 3}, seed)`: class folders with so many images 0.png, 1.png, ..."""

    def write(folder: Path, counts: dict[str, int], seed: int = 0) -> Path:
        images = iter(noise(sum(counts.values()), seed))
        for name, count in counts.items():
            (folder / name).mkdir(parents=True)
            for index in range(count):
                write_image(folder / name / f"{index}.png", next(images))
        return folder

    return write
