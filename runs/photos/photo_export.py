"""Writes a network of photo_train.py as ONNX with both heads, FER2013 first, and as one of seven classes.

    python photo_export.py photos.safetensors photos.onnx          # two outputs
    python photo_export.py photos.safetensors photos7.onnx --fold  # the combined answer as one linear layer

The combined answer is linear in both heads' logits but for a constant in each face, so it folds into one layer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from fer_paddle import weight_files
from fer_paddle.environment import paddle
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.training.losses import TwoHeads


def load_two_heads(path: Path) -> tuple[TwoHeads, dict]:
    """Reads the float16 weights and their card; the network is in eval mode."""
    card = weight_files.load_card(path)
    model = TwoHeads(build_model(card["model"], **card["arguments"]), len(card["heads"]["votes"]))
    arrays = weight_files.load_arrays(path)
    weight_files.load_into(model, {name: array.astype(np.float32) for name, array in arrays.items()})
    model.eval()
    return model, card


def fold(model: TwoHeads, combination: dict) -> paddle.nn.Layer:
    """The network of seven classes whose softmax is the combined answer; changes `model`."""
    share, temperature, count = combination["share"], combination["temperature"], len(EXPRESSIONS)
    label, crowd = model.network.classify, model.votes
    offset = share * combination["a"] * np.log(combination["prior_ferplus"][:count])
    offset += (1 - share) * combination["b"] * np.log(combination["prior_fer2013"])
    weight = share * crowd.weight.numpy()[:, :count] + (1 - share) * label.weight.numpy()
    bias = share * crowd.bias.numpy()[:count] + (1 - share) * label.bias.numpy() - offset
    label.weight.set_value((weight / temperature).astype(np.float32))
    label.bias.set_value((bias / temperature).astype(np.float32))
    return model.network


def write_onnx(model: paddle.nn.Layer, card: dict, path: Path) -> None:
    """Writes an ONNX file for any number of faces, with the metadata that the library's runtimes read."""
    import onnx

    size = card["input_size"]
    spec = paddle.static.InputSpec([None, 1, size, size], "float32", "images")
    paddle.onnx.export(model, str(path.with_suffix("")), [spec], opset_version=13)
    content = onnx.load(path)
    metadata = {"input_size": str(size), "classes": json.dumps(EXPRESSIONS), "normalize": json.dumps(card["normalize"])}
    onnx.helper.set_model_props(content, metadata)
    onnx.save(content, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fold", action="store_true")
    told = parser.parse_args()
    model, card = load_two_heads(told.weights)
    write_onnx(fold(model, card["combination"]) if told.fold else model, card, told.out)


if __name__ == "__main__":
    main()
