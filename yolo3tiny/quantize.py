"""Tiny YOLOv3 and its photos as the subject of a comparison of quantisation methods (fer_paddle.compression.quantize).

The convolutions that make the heads stay in float by default, and so does decoding, which is no part of the network:
the numbers they give place boxes to a fraction of a pixel, and objectness must rank faces far apart in score.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.onnx_compact import read_onnx
from fer_paddle.compression.quantize import Finetune, Forward, Subject
from fer_paddle.weights import load_arrays, load_card, load_into
from yolo3tiny.boxes import letterbox
from yolo3tiny.evaluate import evaluate
from yolo3tiny.photos import Photo
from yolo3tiny.predict import Detector, NetworkSettings, OnnxForward, to_input
from yolo3tiny.recipes import CROWD, DetectorRecipe

LAST_LAYERS = ("head32.1", "head16.1")
BATCH = 4  # photos of 544 x 544 px; all activations of a batch lie in memory at once

Progress = Callable[[Iterable], Iterable]


def detector_subject(
    weights: str | os.PathLike[str],
    calibration: Sequence[np.ndarray],
    valid: Sequence[Photo],
    load_program: Callable[[Path, Mapping[str, str]], Forward],
    finetune: Finetune | None = None,
    keep_last: bool = True,
    threads: int = 1,
    about: Mapping[str, Any] | None = None,
    progress: Progress = iter,
) -> Subject:
    """Makes the subject of compression.quantize.compare from a detector's `.onnx` file, its `.safetensors` beside it.

    Args:
        weights: The ONNX file; PaddleSlim's methods read the weights of the same name in `.safetensors`.
        calibration: Photos uint8 [H, W, 3] in BGR, of any sizes.
        valid: Annotated photos to measure the average precision on.
        load_program: See Subject.
        finetune: See Subject; such as a DetectorFinetune.
        keep_last: Leave the two convolutions that make the heads in float.
        threads: Of ONNX Runtime while it measures.
        about: What the result shall say of the data.
        progress: Wraps the photos of a measurement for a progress bar.

    Raises:
        FileNotFoundError: There are no weights.
        ValueError: The file is damaged or of another network, or there is no photo.
    """
    weights = Path(weights)
    if not len(calibration) or not len(valid):
        got = f"{len(calibration)} and {len(valid)}"
        raise ValueError(f"expected calibration photos and photos to measure on, got {got}")
    metadata = {field.key: field.value for field in read_onnx(weights).metadata_props}
    settings = NetworkSettings.from_metadata(metadata)

    def measure(forward: Forward) -> float:
        detect = Detector(forward=forward, anchors=settings.anchors, longest=settings.longest)
        return evaluate(detect, valid, progress)["ap"]

    return Subject(
        onnx=weights,
        metadata=metadata,
        input_shape=(None, 3, None, None),
        batches=calibration_batches(calibration, settings.longest),
        load_network=lambda: _load(weights),
        load_onnx=lambda path: OnnxForward(path, threads),
        load_program=load_program,
        measure=measure,
        finetune=finetune,
        keep_last=keep_last,
        last_layers=LAST_LAYERS,
        card=load_card(weights) if weights.with_suffix(".json").is_file() else {},
        about={"measure": "AP at IoU 0.5", "photos": len(valid), "longest": settings.longest, **(about or {})},
    )


def calibration_batches(photos: Sequence[np.ndarray], longest: int, batch_size: int = BATCH) -> list[np.ndarray]:
    """Photos uint8 [H, W, 3] as float32 [N, 3, S, S], padded to squares of one side, for batches need one size."""
    side = -(-longest // 32) * 32
    images = [to_input(letterbox(photo, (side, side))[0]) for photo in photos]
    return [np.stack(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]


@dataclasses.dataclass(frozen=True)
class DetectorFinetune:
    """Trains a detector with fake quantisation, from its trained weights, with the anchors of its card.

    Attributes:
        train: Photos to learn from.
        valid: Photos to choose the best epoch on.
        card: Of the detector, see `read_detector_card`.
        epochs: Of QAT.
        learning_rate: The highest rate, about a tenth of the training's.
        workers: Reader processes.
    """

    train: Sequence[Photo]
    valid: Sequence[Photo]
    card: Mapping[str, Any]
    epochs: int = 2
    learning_rate: float = 1e-4
    workers: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        return {"recipe": self.recipe.to_json(), "photos": len(self.train)}

    @property
    def recipe(self) -> DetectorRecipe:
        """How it trains."""
        return dataclasses.replace(
            CROWD.over(self.epochs),
            name="crowd-qat",
            batch_size=min(CROWD.batch_size, len(self.train)),
            sizes=((0, CROWD.sizes[-1][1]),),
            learning_rate=self.learning_rate,
            ema_decay=None,  # it would average the ranges of the activations, too
            longest=self.card["longest"],
            validate_every=1,
        )

    def __call__(self, network: Any, folder: Path) -> None:
        from fer_paddle.environment import seed_everything
        from fer_paddle.training.callbacks import ProgressBar
        from fer_paddle.training.loop import BEST
        from yolo3tiny.train import train_detector

        folder.mkdir(parents=True, exist_ok=True)
        seed_everything(self.recipe.seed)
        train_detector(
            network,
            self.train,
            self.valid,
            self.recipe,
            self.card["anchors"],
            folder,
            resume=True,
            callbacks=[ProgressBar()],
            workers=self.workers,
        )
        load_into(network, load_arrays(folder / BEST))


def read_detector_card(weights: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the card beside a detector's file.

    Raises:
        FileNotFoundError: There is no card.
        ValueError: The card is none of a detector.
    """
    card = load_card(weights)
    if "anchors" not in card:
        raise ValueError(f"expected the card of a face detector beside {weights}, it lacks anchors")
    return card


def _load(weights: Path) -> Any:
    from yolo3tiny.files import DetectorModel

    return DetectorModel.load(weights.with_suffix(".safetensors")).network
