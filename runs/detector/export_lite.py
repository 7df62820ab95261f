"""Writes the averaged weights of a run as float16 safetensors, and an ONNX file of exactly these weights.

    python export_lite.py --run runs/detector/lite --out runs/detector/deliver/lite_face --longest 640
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fer_paddle.environment import prepare

prepare(1)

import numpy as np
from lite_model import ANCHORS, MASKS, STRIDES, LiteConfig, Yolo3Lite
from safetensors.numpy import load_file, save_file

from fer_paddle.deployment.export import export_onnx
from fer_paddle.environment import paddle


def export(run: Path, out: Path, longest: int) -> float:
    """Write OUT.safetensors and OUT.onnx; gives the largest difference of ONNX Runtime from Paddle."""
    settings = json.loads((run / "settings.json").read_text())
    config = {name: tuple(value) if isinstance(value, list) else value for name, value in settings["config"].items()}
    network = Yolo3Lite(LiteConfig(**config))
    arrays = {name: array.astype(np.float16) for name, array in load_file(run / "average.safetensors").items()}
    missing = network.set_state_dict({name: paddle.to_tensor(array.astype(np.float32)) for name, array in arrays.items()})
    if any(missing):
        raise ValueError(f"expected the weights of this network in {run}, got others: {missing}")
    save_file(arrays, out.with_suffix(".safetensors"))
    told = {"anchors": ANCHORS, "masks": MASKS, "strides": STRIDES, "longest": longest, "classes": ("face",)}
    metadata = {name: json.dumps(value) for name, value in told.items()} | {"channels": "BGR", "scale": "1/255"}
    example = np.random.default_rng(0).random((2, 3, 96, 160), np.float32)
    return export_onnx(network, out.with_suffix(".onnx"), {"images": (None, 3, None, None)}, metadata, {"images": example})


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--longest", type=int, default=640)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print("largest difference from Paddle:", export(options.run, options.out, options.longest))


if __name__ == "__main__":
    main()
