"""Chooses the temperature on press photos, measures a network of two heads, and writes it with its card to ship.

    python photo_card.py runs/photos/third/newest.safetensors runs/photos/deliver/photos.safetensors \\
        --share 0.8 --a 0.25 --b 0 --recipe recipe.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from fer_paddle import weight_files
from fer_paddle.deployment.runtimes import Runner, load_runner
from fer_paddle.environment import machine

from photo_export import load_two_heads, write_onnx
from photo_labels import Combination, class_shares, load_training_faces
from photo_measure import load_sets, measure, run


def choose_temperature(combination: Combination, ferplus: np.ndarray, fer2013: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of 0.3 to 3 with the least negative log-likelihood, two digits."""
    candidates = np.arange(0.3, 3.005, 0.01)
    rows = np.arange(len(labels))
    losses = []
    for temperature in candidates:
        log_probs = dataclasses.replace(combination, temperature=temperature)(ferplus, fer2013)
        losses.append(-log_probs[rows, labels].mean())
    return round(float(candidates[np.argmin(losses)]), 2)


def median_ms(runner: Runner, size: int, runs: int = 200) -> float:
    """Median milliseconds of one face."""
    face = np.zeros((1, 1, size, size), np.float32)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        runner(face)
        times.append(time.perf_counter() - start)
    return round(1e3 * float(np.median(times)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="of photo_train.py")
    parser.add_argument("out", type=Path)
    for name in ("share", "a", "b"):
        parser.add_argument(f"--{name}", type=float, required=True)
    parser.add_argument("--recipe", type=json.loads, default={}, help="more for the card, as JSON")
    told = parser.parse_args()
    model, card = load_two_heads(told.weights)
    graph = told.out.with_suffix(".onnx")
    write_onnx(model, card, graph)
    runner = load_runner(graph, threads=1)
    combination = Combination(*class_shares(*load_training_faces()), told.share, told.a, told.b)
    # Each set is seen once: measure asks again for the same crops.
    seen = {id(faces.images): tuple(run(runner, faces.images)[::-1]) for faces in load_sets()}
    press = load_sets()[0]
    temperature = choose_temperature(combination, *seen[id(press.images)], press.labels)
    combination = dataclasses.replace(combination, temperature=temperature)
    card |= told.recipe
    card["combination"] = dataclasses.asdict(combination)
    card["figures"] = measure(lambda crops: seen[id(crops)], combination)
    card["ms_a_face"] = {"onnxruntime, one thread": median_ms(runner, card["input_size"]), "load": os.getloadavg()[0]}
    card["measured_with"] = f"python {' '.join(sys.argv)}"
    card["measured_on"] = machine()
    weight_files.save_weights(told.out, weight_files.load_arrays(told.weights), card)
    for name, figures in card["figures"].items():
        print(name, {kind: value for kind, value in figures.items() if isinstance(value, float)})


if __name__ == "__main__":
    main()
