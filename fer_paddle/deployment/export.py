"""A trained Paddle network as a file for a runtime, compared with Paddle before the file gets its name.

Source: paddle2onnx 1.3.1, https://github.com/PaddlePaddle/Paddle2ONNX.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fer_paddle.deployment.convert import convert_onnx
from fer_paddle.deployment.onnx_graph import add_metadata, read_onnx, rename_outputs, simplify
from fer_paddle.deployment.runtimes import RUNTIME_OF, load_runner
from fer_paddle.deployment.runtimes.base import FIXED_BATCH, Forward
from fer_paddle.deployment.runtimes.paddle import InputSpec, NetworkRunner, write_inference_model
from fer_paddle.environment import old_ir, paddle
from fer_paddle.files import check_integer, to_json, write_together
from fer_paddle.models.model import Model

BATCH = 32
LARGEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Parity:
    """How far the outputs of a network lie from those of its reference."""

    candidate: str  # what was measured, such as "model.onnx in onnx"
    reference: str  # what it is compared with, such as "Paddle"
    inputs: int  # number of images compared
    description: str  # what they show, such as "drawn faces"
    max_difference: float  # largest absolute difference of any output
    mean_difference: float  # mean absolute difference over all outputs
    top1_agreement: float | None  # ratio of images with the same most likely class

    @property
    def holds(self) -> bool:
        """Return whether no output differs by more than LARGEST_DIFFERENCE; False if one is NaN."""
        return self.max_difference <= LARGEST_DIFFERENCE

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return dataclasses.asdict(self) | {"allowed_difference": LARGEST_DIFFERENCE, "holds": self.holds}


def compare(
    reference: Forward, candidate: Forward, images: np.ndarray, names: tuple[str, str], description: str
) -> Parity:
    """Run a network twice on the same images [N, ...]; ValueError for none, or outputs of other number or shape."""
    if not len(images):
        raise ValueError("expected images to compare on, got none")
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    ours, theirs = ([np.concatenate(parts) for parts in zip(*map(run, batches))] for run in (reference, candidate))
    shapes = [[array.shape for array in arrays] for arrays in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"expected outputs of shapes {shapes[0]} as from {names[0]}, got {shapes[1]}")
    differences = np.concatenate([np.abs(a.astype(np.float64) - b).ravel() for a, b in zip(ours, theirs)])
    is_classes = len(ours) == 1 and ours[0].ndim == 2
    return Parity(
        candidate=names[1],
        reference=names[0],
        inputs=len(images),
        description=description,
        max_difference=float(differences.max()),  # NaN stays
        mean_difference=float(differences.mean()),
        top1_agreement=float((ours[0].argmax(1) == theirs[0].argmax(1)).mean()) if is_classes else None,
    )


OPSET, OPSETS = 13, (7, 21)  # others end the process in paddle2onnx
FORMATS = (".onnx", ".pdmodel", ".param", ".mnn", ".tflite")
BY_CALLER = "arrays of the caller"
ROUNDING = 1e-5  # of the largest output; a batch normalization folded into its convolution rounds elsewhere
logger = logging.getLogger(__name__)


def export_weights(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: Model | None,
    images: np.ndarray,
    description: str,
    precision: str = "fp32",
    opset: int = OPSET,
    batch: int | None = None,
) -> Parity:
    """Write a loaded model for a runtime, or, with None, weights that are an `.onnx` file already; compare them."""
    if model is None:
        if opset != OPSET or batch:
            raise ValueError(f"expected a .safetensors network to choose opset and batch of, got {weights}")
        return convert_checked(weights, path, images, description, precision)
    if precision != "fp32":
        raise ValueError(f"expected an .onnx file to write in {precision}, got {weights}")
    told = model.input_spec, model.metadata
    return export_network(model.network, path, *told, images, description, model.outputs, opset, batch)


def export_model(model: Model, path: str | os.PathLike[str], images: np.ndarray, description: str) -> dict[str, Any]:
    """Write a trained model as `.onnx`, once it agrees with Paddle, its weights and card beside; return the card."""
    path = Path(path)
    if path.suffix.lower() not in (".onnx", ".safetensors"):
        raise ValueError(f"expected a file name that ends in .onnx, got {path.name!r}")
    parity = export_weights(path, path.with_suffix(".onnx"), model, images, description)
    model.card["largest_difference_from_paddle"] = parity.max_difference
    return model.save(path.with_suffix(".safetensors"))


def export_network(
    network: paddle.nn.Layer,
    path: str | os.PathLike[str],
    input_spec: InputSpec,
    metadata: Mapping[str, str],
    images: np.ndarray,
    description: str = BY_CALLER,
    output_names: Sequence[str] | None = None,
    opset: int = OPSET,
    batch: int | None = None,
) -> Parity:
    """Write a network for a runtime, and a report beside it (`NAME.SUFFIX.parity.json`).

    An `.onnx` file can have another version of ONNX's operators (OPSET rises where they need it, another is refused),
    and a fixed number of images, which Runner and Classifier fill up, for runtimes that take no other.
    """
    network.eval()
    check_integer("opset", opset, *OPSETS)
    if batch is not None:
        check_integer("batch", batch, 1)
    if (opset != OPSET or batch) and Path(path).suffix.lower() != ".onnx":
        raise ValueError(f"expected an .onnx file to choose opset and batch of, got {path}")
    if batch:
        input_spec = {name: (batch, *shape[1:]) for name, shape in input_spec.items()}
        metadata = {**metadata, FIXED_BATCH: str(batch)}

    def build(built: Path) -> None:
        if built.suffix == ".pdmodel":
            write_inference_model(network, built, input_spec, metadata)
            return
        exported = built.with_suffix(".onnx")
        write_onnx(network, exported, input_spec, metadata, images, output_names, opset)
        if built != exported:
            convert_onnx(exported, built)
            exported.unlink()

    return write_checked(path, build, NetworkRunner(network, metadata), "Paddle", images, description)


def convert_checked(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    images: np.ndarray,
    description: str = BY_CALLER,
    precision: str = "fp32",
) -> Parity:
    """Write an `.onnx` file as `.param` or `.mnn`, compared with ONNX Runtime, and a report beside it."""
    reference = load_runner(source, "onnx")
    build = partial(convert_onnx, source, precision=precision)
    return write_checked(path, build, reference, "ONNX Runtime", images, description, must_agree=precision == "fp32")


def write_checked(
    path: str | os.PathLike[str],
    build: Callable[[Path], None],
    reference: Forward,
    reference_name: str,
    images: np.ndarray,
    description: str,
    must_agree: bool = True,
) -> Parity:
    """Build the files of a network elsewhere, compare them in their runtime, then put all in place together."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"expected a file name that ends in {', '.join(FORMATS)}, got {path.name!r}")
    runtime = RUNTIME_OF[path.suffix]
    with tempfile.TemporaryDirectory(prefix="fer_paddle-export-") as folder:
        built = Path(folder, path.name)
        build(built)
        names = (reference_name, f"{path.name} in {runtime}")
        parity = compare(reference, load_runner(built, runtime, threads=1), images, names, description)
        if must_agree and not parity.holds:
            raise RuntimeError(
                f"expected {runtime} within {LARGEST_DIFFERENCE} of {reference_name}, "
                f"got a difference of {parity.max_difference:.3g}"
            )
        files = {path.parent / file.name: file.read_bytes() for file in Path(folder).iterdir() if file.is_file()}
    report = to_json(parity.to_json(), indent=2, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_together(files | {path.with_name(f"{path.name}.parity.json"): report.encode()})
    return parity


def write_onnx(
    network: paddle.nn.Layer,
    path: Path,
    input_spec: InputSpec,
    metadata: Mapping[str, str],
    images: np.ndarray,
    output_names: Sequence[str] | None = None,
    opset: int = OPSET,
) -> None:
    """Write ONNX, simplified where that changes outputs on the images by rounding at most; compare nothing else."""
    specs = [paddle.static.InputSpec([*shape], "float32", name) for name, shape in input_spec.items()]
    with old_ir():
        paddle.onnx.export(network, str(path.with_suffix("")), input_spec=specs, opset_version=opset)
    plain = read_onnx(path)
    (made,) = (one.version for one in plain.opset_import if not one.domain)
    if opset not in (made, OPSET):  # paddle2onnx takes a newer one without an error, which the default may be
        raise ValueError(f"expected an opset of {made} or more for this network's operators, got {opset}")
    add_metadata(plain, metadata)
    onnx.save(plain, path)
    plain_outputs = load_runner(path)(images[:32])
    onnx.save(simplify(plain, output_names), path)
    pairs = zip(plain_outputs, load_runner(path)(images[:32]), strict=True)
    if not all(np.abs(a - b).max() <= ROUNDING * np.abs(a).max() for a, b in pairs):
        logger.warning("%s is not simplified: that would change its outputs", path.name)
        if output_names is not None:
            rename_outputs(plain.graph, output_names)
        onnx.save(plain, path)
    read_onnx(path)
