"""Cases of notebook 02."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.analysis.complexity import layer_costs, total_costs
from fer_paddle.course.checks import Between, Case, is_missing, then
from fer_paddle.drawn import make_faces
from fer_paddle.images import list_images, read_image, to_gray


def exercise_1(mirrored_pairs: Callable[..., Any]) -> Iterator[Case]:
    """Drawn faces, one or two of them again as their mirror images."""
    images = [to_gray(image) for image in make_faces(24, 48, seed=0).images]
    for mirrored in ((4,), (1, 9)):
        spoilt = [*images, *(images[index][:, ::-1].copy() for index in mirrored)]
        expected = {(index, len(images) + number) for number, index in enumerate(mirrored)}
        name = f"mirrored_pairs(24 faces and mirror images of {list(mirrored)})"
        yield Case(name, then(partial(mirrored_pairs, spoilt), _as_pairs), expected)


def _as_pairs(found: Any) -> set[tuple[int, ...]]:
    return {tuple(sorted(map(int, pair))) for pair in found}


def exercise_2(plant: Callable[..., Any]) -> Iterator[Case]:
    """Wrong labels by number, place and range."""
    labels = np.arange(420) % 7
    for count in (0, 10, 40):
        planted = partial(plant, labels.copy(), count, np.random.default_rng(count))
        yield Case(f"plant(labels, {count}, rng)", then(planted, partial(_count_wrong, labels)), (count, 0, 0))


def _count_wrong(labels: np.ndarray, planted: Any) -> tuple[int, int, int]:
    """Return how many labels are wrong, how many of them beyond the first 320, how many are no class."""
    found = np.asarray(planted)
    wrong = found != labels
    return int(wrong.sum()), int(wrong[320:].sum()), int(((found < 0) | (found > 6)).sum())


def exercise_3(write_folder: Callable[..., Any]) -> Iterator[Case]:
    """A folder with a damaged file and a Chinese name: counts of what the answer wrote."""
    yield Case("write_folder(folder)", partial(_read_folder, write_folder), (True, True, 1))


def _read_folder(write_folder: Callable[..., Any]) -> Any:
    """Return whether a name is Chinese, whether images can be read, and how many files are damaged."""
    with tempfile.TemporaryDirectory() as temporary:
        damaged = write_folder(Path(temporary))
        if is_missing(damaged):
            return damaged
        paths, broken = list_images(temporary), 0
        for path in paths:
            try:
                read_image(path)
            except ValueError:
                broken += path.name == Path(damaged).name
        chinese = any("\u4e00" <= letter <= "\u9fff" for path in paths for letter in str(path.relative_to(temporary)))
        return chinese, len(paths) > broken, broken


def exercise_4(largest_batch: Callable[..., Any]) -> Iterator[Case]:
    """Images in 1 GB, by the library's count of outputs."""
    from fer_paddle.models import build_model

    network = build_model("distresnet")
    for side in (24, 48):
        expected = 1e9 / total_costs(layer_costs(network, (1, side, side)))["output_bytes"]
        yield Case(f"largest_batch({side})", partial(largest_batch, side), Between(expected - 1, expected))
