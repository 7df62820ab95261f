"""Cases of notebooks 04 to 06."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.analysis.calibration import fit_temperature, reliability
from fer_paddle.analysis.metrics import softmax
from fer_paddle.course import draw_crops
from fer_paddle.course.checks import Case, Cases
from fer_paddle.environment import paddle
from fer_paddle.expression.data.faces import without_copies
from fer_paddle.expression.losses import ExpressionLoss
from fer_paddle.images import write_image
from fer_paddle.training.optim import make_schedule, rates_of
from fer_paddle.training.transfer import average_states


def exercise_04_1() -> Cases:
    """Weights after some steps, against paddle.optimizer.Adam."""
    scales = np.array([1, 10, 100, 1000], np.float32)
    for rate, count in ((0.1, 1), (0.1, 10), (0.02, 5)):
        zero = paddle.nn.initializer.Constant(0.0)
        weights = paddle.create_parameter([4], "float32", default_initializer=zero)
        adam = paddle.optimizer.Adam(rate, epsilon=1e-8, parameters=[weights])
        for _ in range(count):
            ((weights - 3) ** 2 * paddle.to_tensor(scales)).sum().backward()
            adam.step()
            adam.clear_grad()
        name = f"adam_steps(gradient, zeros(4), {rate}, {count})"
        yield Case((lambda w: 2 * (w - 3) * scales, np.zeros(4), rate, count), weights.numpy(), 1e-4, name)


def exercise_04b_1() -> Cases:
    """A folder with Chinese names and two broken files."""
    logger = logging.getLogger("fer_paddle")
    level = logger.level
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, image in zip(("生气", "高兴", "中性"), draw_crops(3, 48).images):
            (folder / name).mkdir()
            write_image(folder / name / "face.png", image)
        (folder / "高兴" / "broken.jpg").write_bytes(b"no image")
        (folder / "中性" / "empty.png").write_bytes(b"")
        logger.setLevel(logging.ERROR)
        try:
            yield Case((folder,), {"broken.jpg", "empty.png"}, name="unreadable(folder)", of=_file_names)
        finally:
            logger.setLevel(level)


def _file_names(paths: Any) -> set[str]:
    return {Path(path).name for path in paths}


def exercise_04b_2() -> Cases:
    """The loss of random logits, and of the logits at which it is smallest."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 7, 16)
    best = np.log(np.eye(7)[labels] * 0.9 + 0.1 / 7).astype(np.float32)
    for which, logits in (("random logits", rng.normal(size=(16, 7)).astype(np.float32)), ("the best logits", best)):
        for smoothing in (0.0, 0.1):
            targets = (paddle.to_tensor(labels), None)
            expected = float(ExpressionLoss(label_smoothing=smoothing)(paddle.to_tensor(logits), targets)["label"])
            name = f"smoothed_loss({which}, labels, {smoothing})"
            yield Case((logits, labels, smoothing), expected, 1e-4, name)


def exercise_04b_3() -> Cases:
    """Copies among faces, beside an image of the same bytes in another shape and one that differs in a pixel."""
    faces = draw_crops(21, 48, seed=4)
    train, test = faces.select(np.arange(14)), faces.select(np.arange(9, 21))
    expected = len(test) - len(without_copies(test, train))
    yield Case((train.images, test.images), expected, name="leaked(train, test)")
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    changed = image.copy()
    changed[0, 0] += 1
    yield Case(([image], [image, image]), 2, name="leaked([image], the same image twice)")
    yield Case(([image], [image.reshape(6, 4)]), 0, name="leaked([image], the same bytes in another shape)")
    yield Case(([image], [changed]), 0, name="leaked([image], one pixel changed)")


def exercise_05_3() -> Cases:
    """Rates of all steps, against make_schedule."""
    for peak, steps, warm, every in ((2e-3, 100, 10, 20), (1e-2, 40, 4, 9)):
        expected = rates_of(make_schedule("halve", peak, steps, (every,), warmup_steps=warm), steps)
        yield Case((peak, steps, warm, every), expected, peak * 1e-5)


def exercise_05_4() -> Cases:
    """Weights of two and three networks, by name."""
    rng = np.random.default_rng(5)
    for number in (2, 3):
        states = [{"conv": rng.normal(size=(3, 2)), "bias": rng.normal(size=3)} for _ in range(number)]
        yield Case((states,), average_states(states), 1e-6, f"average({number} states)")


def exercise_06_1() -> Cases:
    """Rates of all steps, against make_schedule."""
    for peak, steps in ((1e-3, 200), (4e-3, 50)):
        yield Case((peak, steps), rates_of(make_schedule("one_cycle", peak, steps), steps), peak * 1e-5)


def exercise_06_2() -> Cases:
    """Accuracy, ECE and temperature of logits times a factor."""
    rng = np.random.default_rng(6)
    logits = 1.5 * rng.normal(size=(800, 7))
    labels = np.array([rng.choice(7, p=row) for row in softmax(logits)])
    for factor in (1, 3):
        probs = softmax(factor * logits)
        accuracy, ece = (probs.argmax(axis=1) == labels).mean(), reliability(probs, labels).ece
        expected = (float(accuracy), ece, fit_temperature(factor * logits, labels))
        yield Case((logits, labels, factor), expected, 0.01, f"cook(logits, labels, {factor})")


def exercise_06_3() -> Cases:
    """Images with the hottest part set to zero."""
    rng = np.random.default_rng(7)
    images = rng.normal(size=(3, 1, 8, 8)).astype(np.float32)
    heats = rng.random((3, 8, 8))
    for share in (0.25, 0.5):
        hottest = heats >= np.quantile(heats, 1 - share, axis=(1, 2), keepdims=True)
        covered = np.where(hottest[:, None], 0, images)
        yield Case((images, heats, share), covered, 1e-6, f"cover(images, heats, {share})")
