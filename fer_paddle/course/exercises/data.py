"""Cases of notebooks 00 to 03."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.collect.fetch import Response
from fer_paddle.course.chapters import Between
from fer_paddle.course.checks import Case, Cases, mean_difference
from fer_paddle.drawn import draw_face, make_faces
from fer_paddle.images import list_images, read_image, to_gray
from fer_paddle.training.randaugment import OPERATIONS
from yolo3tiny.boxes import iou


def exercise_00_1() -> Cases:
    """True and false boxes above a threshold, drawn as squares that are moved."""
    drawn = np.array([[x, 40, x + 60, 100] for x in (20, 120, 220, 320)], np.float32)
    found = np.concatenate([drawn[:3] + 5, drawn[:1] - 4, [[500, 300, 560, 360]]]).astype(np.float32)
    scores = np.array([0.95, 0.6, 0.3, 0.8, 0.4], np.float32)
    overlap = iou(found, drawn) >= 0.5
    for least in (0.2, 0.5, 0.9):
        chosen = overlap[scores >= least]
        true = int(chosen.any(axis=0).sum())
        name = f"count_true(boxes, scores, drawn, {least})"
        yield Case((found, scores, drawn, least), (true, len(chosen) - true), name=name)


def exercise_00_2() -> Cases:
    """The mean of a face and its mirror image, of a function that favors one side."""

    def classify(crops: Any) -> np.ndarray:
        rows = np.array([[*crop[:, :3].mean(axis=(0, 2)), *crop[:4, -1].mean(axis=1)] for crop in crops])
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    for image in make_faces(2, 48, seed=3).images:
        expected = classify([image, image[:, ::-1]]).mean(axis=0)
        yield Case((classify, image), expected, 1e-5, "mean_probs(classify, face)")


def exercise_00b_1() -> Cases:
    """Slopes along W1, b1, W2, b2 of small networks with ReLU, against Paddle's own."""
    from fer_paddle.environment import paddle

    for pixels, hidden, classes in ((6, 4, 3), (9, 8, 5)):
        rng = np.random.default_rng(pixels)
        weights = [rng.normal(0, 1, shape) for shape in ((pixels, hidden), hidden, (hidden, classes), classes)]
        x, y = rng.normal(0, 1, (12, pixels)), rng.integers(0, classes, 12)
        w1, b1, w2, b2 = tensors = [paddle.to_tensor(weight, stop_gradient=False) for weight in weights]
        logits = paddle.nn.functional.relu(paddle.to_tensor(x) @ w1 + b1) @ w2 + b2
        paddle.nn.functional.cross_entropy(logits, paddle.to_tensor(y)).backward()
        name = f"relu_gradients({pixels} inputs, {hidden} hidden, {classes} classes)"
        yield Case((weights, x, y), [tensor.grad.numpy() for tensor in tensors], 1e-9, name)


def exercise_01_1() -> Cases:
    """A page source that reads JSON."""
    site = "https://faces.example"
    url = f"{site}/api?page=1"
    yield Case((site,), [url], name="JsonSite(site).first()", of=lambda source: source.first())
    for files, following in ((("/a.png", "/b.png"), 2), ((), None)):
        content = {"pictures": [{"file": file, "by": "Li"} for file in files], "next": following}
        page = Response(url, url, "application/json", None, json.dumps(content).encode(), None)
        name = f"JsonSite(site).read(page with {len(files)} images)"
        yield Case((site,), [site + file for file in files], name=f"{name}.images", of=partial(_image_urls, page))
        pages = [f"{site}/api?page={following}"] if following else []
        yield Case((site,), pages, name=f"{name}.pages", of=partial(_page_urls, page))


def _image_urls(page: Response, source: Any) -> list[str]:
    return [link.url for link in source.read(page).images]


def _page_urls(page: Response, source: Any) -> list[str]:
    return list(source.read(page).pages)


def exercise_01_2() -> Cases:
    """Bits that differ between hashes."""
    rng = np.random.default_rng(0)
    for number in range(3):
        one = rng.random((8, 8)) < 0.5
        other = one ^ (rng.random((8, 8)) < number / 4)
        yield Case((one, other), np.count_nonzero(one != other), name=f"count_bits(hash {number}, other)")


def exercise_02_1() -> Cases:
    """Drawn faces, one or two of them again as their mirror images."""
    images = [to_gray(image) for image in make_faces(24, 48, seed=0).images]
    for mirrored in ((4,), (1, 9)):
        spoilt = [*images, *(images[index][:, ::-1].copy() for index in mirrored)]
        expected = {(index, len(images) + number) for number, index in enumerate(mirrored)}
        name = f"mirrored_pairs(24 faces and mirror images of {list(mirrored)})"
        yield Case((spoilt,), expected, name=name, of=_as_pairs)


def _as_pairs(found: Any) -> set[tuple[int, ...]]:
    return {tuple(sorted(map(int, pair))) for pair in found}


def exercise_02_2() -> Cases:
    """Wrong labels by number, place and range."""
    labels = np.arange(420) % 7
    for count in (0, 10, 40):
        planted = labels.copy(), count, np.random.default_rng(count)
        yield Case(planted, (count, 0, 0), name=f"plant(labels, {count}, rng)", of=partial(_count_wrong, labels))


def _count_wrong(labels: np.ndarray, planted: Any) -> tuple[int, int, int]:
    """Return how many labels are wrong, how many of them beyond the first 320, how many are no class."""
    found = np.asarray(planted)
    wrong = found != labels
    return int(wrong.sum()), int(wrong[320:].sum()), int(((found < 0) | (found > 6)).sum())


def exercise_02_3() -> Cases:
    """A folder with a damaged file and a Chinese name: counts of what the answer wrote."""
    with tempfile.TemporaryDirectory() as folder:
        read = partial(_read_folder, Path(folder))
        yield Case((Path(folder),), (True, True, 1), name="write_folder(folder)", of=read)


def _read_folder(folder: Path, damaged: Any) -> tuple[bool, bool, int]:
    """Return whether a name is Chinese, whether images can be read, and how many files are damaged."""
    paths, broken = list_images(folder), 0
    for path in paths:
        try:
            read_image(path)
        except ValueError:
            broken += path.name == Path(damaged).name
    chinese = any("\u4e00" <= letter <= "\u9fff" for path in paths for letter in str(path.relative_to(folder)))
    return chinese, len(paths) > broken, broken


def exercise_03_1() -> Cases:
    """Mean difference from the library's shear, in gray levels."""
    for seed, strength in ((3, 2.0), (8, 1.0)):
        face = to_gray(draw_face("happy", size=64, seed=seed).image)
        difference = partial(mean_difference, wanted=OPERATIONS["shear_x"](face, strength))
        name = f"|shear(face, {strength / 10}) - library|.mean()"
        yield Case((face, strength / 10), Between(0, 0.5), name=name, of=difference)


def exercise_03_2() -> Cases:
    """The share of sharpness that rotations lose, of each way the one that OpenCV loses."""
    import cv2

    from fer_paddle.quality.measures import measure_images

    face = to_gray(draw_face("happy", size=64, seed=3).image)
    for angles in ([30], [10, 10, 10]):
        turned = face
        for angle in angles:
            matrix = cv2.getRotationMatrix2D((31.5, 31.5), angle, 1)
            turned = cv2.warpAffine(turned, matrix, (64, 64), borderMode=cv2.BORDER_REPLICATE)
        before, after = measure_images([face, turned])["sharpness"]
        yield Case((face, angles), 1 - after / before, 0.08, f"sharpness_lost(face, {angles})")
