"""Averages the weights of networks of one run and its successors, equally (Wortsman et al. 2022, arXiv:2203.05482).

python photo_soup.py mean.safetensors one.safetensors other.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fer_paddle import weight_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("weights", type=Path, nargs="+")
    told = parser.parse_args()
    states = [weight_files.load_arrays(path) for path in told.weights]
    mean = {name: np.mean([state[name].astype(np.float32) for state in states], 0) for name in states[0]}
    card = weight_files.load_card(told.weights[-1]) | {"mean_of": [str(path) for path in told.weights]}
    weight_files.save_weights(told.out, {name: array.astype(np.float16) for name, array in mean.items()}, card)


if __name__ == "__main__":
    main()
