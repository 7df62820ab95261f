"""Cases of notebook 04."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.course import draw_crops
from fer_paddle.course.checks import Case, is_missing
from fer_paddle.environment import paddle
from fer_paddle.images import write_image


def exercise_1(adam_steps: Callable[..., Any]) -> Iterator[Case]:
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
        yield Case(
            f"adam_steps(gradient, zeros(4), {rate}, {count})",
            partial(adam_steps, lambda w: 2 * (w - 3) * scales, np.zeros(4), rate, count),
            weights.numpy(),
            1e-4,
        )


def exercise_2(count: Callable[..., Any]) -> Iterator[Case]:
    """Parameters of the network as it is built."""
    from fer_paddle.analysis.complexity import count_parameters
    from fer_paddle.models import build_model

    for classes in (7, 10):
        built = count_parameters(build_model("distresnet", num_classes=classes))
        yield Case(f"count({classes})", partial(count, classes), built)


def exercise_3(judge_rate: Callable[..., Any]) -> Iterator[Case]:
    """Losses of one batch by heart: flat, falling to nothing, and far above ln 7."""
    steps = np.arange(15)
    curves = {
        "too small": 2.05 - 0.003 * steps,
        "right": 2.05 * np.exp(-0.3 * steps),
        "too large": 2.05 + 4 * np.exp(-((steps - 3) ** 2) / 4) - 0.1 * steps,
    }
    for expected, losses in curves.items():
        shown = f"[{losses[0]:.2f}, {losses[3]:.2f}, ..., {losses[-1]:.2f}]"
        yield Case(f"judge_rate({shown})", partial(judge_rate, losses.tolist()), expected)


def exercise_4(unreadable: Callable[..., Any]) -> Iterator[Case]:
    """A folder with Chinese names and two broken files."""
    yield Case("unreadable(folder)", partial(_read_broken, unreadable), {"broken.jpg", "empty.png"})


def _read_broken(unreadable: Callable[..., Any]) -> Any:
    logger = logging.getLogger("fer_paddle")
    level = logger.level
    with tempfile.TemporaryDirectory() as temporary:
        for number, name in enumerate(("生气", "高兴", "中性")):
            (Path(temporary) / name).mkdir()
            write_image(Path(temporary) / name / "face.png", draw_crops(3, 48).images[number])
        (Path(temporary) / "高兴" / "broken.jpg").write_bytes(b"no image")
        (Path(temporary) / "中性" / "empty.png").write_bytes(b"")
        logger.setLevel(logging.ERROR)
        try:
            found = unreadable(Path(temporary))
        finally:
            logger.setLevel(level)
    return found if is_missing(found) else {Path(name).name for name in found}


def exercise_5(smoothed_loss: Callable[..., Any]) -> Iterator[Case]:
    """The loss of random logits, and of the logits at which it is smallest."""
    from fer_paddle.expression.losses import ExpressionLoss

    rng = np.random.default_rng(4)
    labels = rng.integers(0, 7, 16)
    best = np.log(np.eye(7)[labels] * 0.9 + 0.1 / 7).astype(np.float32)
    for name, logits in (("random logits", rng.normal(size=(16, 7)).astype(np.float32)), ("the best logits", best)):
        for smoothing in (0.0, 0.1):
            targets = (paddle.to_tensor(labels), None)
            expected = float(ExpressionLoss(label_smoothing=smoothing)(paddle.to_tensor(logits), targets)["label"])
            call = partial(smoothed_loss, logits, labels, smoothing)
            yield Case(f"smoothed_loss({name}, labels, {smoothing})", call, expected, 1e-4)
