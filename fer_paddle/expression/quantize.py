"""An expression network and its faces as the subject of a comparison of quantisation methods."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.calibration_set import to_batches
from fer_paddle.compression.quantize import Forward, Subject
from fer_paddle.expression.data.faces import LabelledFaces, check_classes
from fer_paddle.expression.data.ferplus import FerPlusFaces
from fer_paddle.expression.recipes import STRONG, Recipe
from fer_paddle.images import faces_to_batch
from fer_paddle.training.run import Callback
from fer_paddle.weights import load_arrays, load_card, load_into

BATCH = 64
LAST_LAYERS = ("classify",)


def expression_subject(
    weights: str | os.PathLike[str],
    calibration: Sequence[np.ndarray],
    valid: LabelledFaces | FerPlusFaces,
    load_onnx: Callable[[Path], Forward],
    load_program: Callable[[Path, Mapping[str, str]], Forward],
    train: LabelledFaces | FerPlusFaces | None = None,
    epochs: int = 2,
    learning_rate: float = 3e-5,
    keep_last: bool = False,
    about: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Subject:
    """Makes the subject of quantize.compare from a network's `.safetensors` file, its `.onnx` file beside it.

    Args:
        weights: Written by models.files.save_model; the ONNX file of the same name was exported from it.
        calibration: Crops uint8 [H, W] or [H, W, 3] of any sizes.
        valid: Faces to measure the accuracy on.
        load_onnx, load_program: See quantize.Subject.
        train: Faces for QAT; None leaves QAT out.
        epochs: Of QAT.
        learning_rate: Of QAT.
        keep_last: Leave the linear layer in float.
        about: What the result shall say of the data.
        callbacks: Of QAT, see training.loop.fit.

    Raises:
        FileNotFoundError: The weights, their card or the ONNX file are not there.
        ValueError: The card is none of an expression network, the faces have other classes than it names, or there is
            no picture to calibrate or measure on.
    """
    weights, card = Path(weights), read_network_card(weights)
    onnx = weights.with_suffix(".onnx")
    if not onnx.is_file():
        raise FileNotFoundError(f"expected the exported network at {onnx}: run python -m fer_paddle export first")
    if not len(calibration) or not len(valid):
        raise ValueError(f"expected calibration pictures and faces to measure on, got {len(calibration)}, {len(valid)}")
    for faces in (valid, train):
        if faces is not None:
            check_classes(faces, card["classes"])
    size = card["input_size"]
    images = faces_to_batch(valid.images, size)

    def measure(forward: Forward) -> float:
        logits = np.concatenate([forward(images[start : start + BATCH])[0] for start in range(0, len(images), BATCH)])
        return float((logits.argmax(axis=1) == valid.labels).mean())

    finetune = None
    if train is not None:
        finetune = _Finetune(_recipe(card, size, epochs, learning_rate), train, valid, callbacks)
    return Subject(
        onnx=onnx,
        metadata=_metadata(onnx),
        input_shape=(None, 1, size, size),
        batches=to_batches(faces_to_batch(calibration, size)),
        load_network=lambda: _load(weights),
        load_onnx=load_onnx,
        load_program=load_program,
        measure=measure,
        finetune=finetune,
        keep_last=keep_last,
        last_layers=LAST_LAYERS,
        card=card,
        about={"measure": "accuracy", "faces": len(valid), "input_size": size, **(about or {})},
    )


def read_network_card(weights: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the card beside the `.safetensors` file of an expression network.

    Raises:
        FileNotFoundError: The card is not there.
        ValueError: The file ends otherwise, or the card is none of an expression network.
    """
    if Path(weights).suffix != ".safetensors":
        raise ValueError(f"expected a .safetensors file with the .onnx file beside it, got {weights}")
    card = load_card(weights)
    if not isinstance(card.get("input_size"), int):
        raise ValueError(f"expected the card of an expression network beside {weights}, it lacks input_size")
    return card


@dataclasses.dataclass(frozen=True)
class _Finetune:
    """QAT by the shared loop; the network ends with the weights of the best epoch, and goes on with a run begun."""

    recipe: Recipe
    train: LabelledFaces | FerPlusFaces
    valid: LabelledFaces | FerPlusFaces
    callbacks: Sequence[Callback]

    @property
    def settings(self) -> dict[str, Any]:
        return {"recipe": self.recipe.to_json(), "faces": len(self.train)}

    def __call__(self, network: Any, folder: Path) -> None:
        from fer_paddle.environment import seed_everything
        from fer_paddle.expression.train import train_expressions
        from fer_paddle.training.loop import BEST

        folder.mkdir(parents=True, exist_ok=True)
        seed_everything(self.recipe.seed)
        train_expressions(network, self.train, self.valid, self.recipe, folder, True, self.callbacks)
        load_into(network, load_arrays(folder / BEST))


def qat_recipe(recipe: Recipe, input_size: int, epochs: int = 2, learning_rate: float = 3e-5) -> Recipe:
    """A recipe that goes on from trained weights with fake quantisation.

    Few epochs at a small rate, at the size the network is used at, without what is for learning from scratch: helping
    head, layers held back, average of the weights (it would average the ranges of the activations, too) and strong
    erasing.

    Args:
        recipe: How the network was trained.
        input_size: Side in pixels that the network is used at.
        epochs: Passes over the training faces.
        learning_rate: The highest rate, about a hundredth of the training's: more would undo the averaging of the
            weights that the training ended with.
    """
    return dataclasses.replace(
        recipe.finetune_recipe(f"{recipe.name}-qat", epochs, learning_rate, input_size, input_size),
        warmup_epochs=0.1 * epochs,
        aux_weight=0.0,
        ema_decay=None,
        augment=dataclasses.replace(recipe.augment, erase=0.0),
    )


def _recipe(card: Mapping[str, Any], size: int, epochs: int, learning_rate: float) -> Recipe:
    """The recipe of the network's own training where its card holds one, made one for QAT."""
    base = STRONG
    if "recipe" in card:
        known = {field.name for field in dataclasses.fields(Recipe)}
        base = Recipe.from_json({name: value for name, value in card["recipe"].items() if name in known})
    return qat_recipe(base, size, epochs, learning_rate)


def _load(weights: Path) -> Any:
    from fer_paddle.expression.files import ExpressionModel

    return ExpressionModel.load(weights).network


def _metadata(path: Path) -> dict[str, str]:
    from fer_paddle.compression.onnx_compact import read_onnx

    return {field.key: field.value for field in read_onnx(path).metadata_props}
