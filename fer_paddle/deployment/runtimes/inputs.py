"""What a network takes, by what its file says of it: one check for every runtime, some of which answer anything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

DETECTOR_STEP = 32  # the sides of its input are multiples of this


def check_images(images: np.ndarray, metadata: Mapping[str, str]) -> None:
    """Refuses images that a network was not made for.

    Args:
        images: float32 [N, C, H, W]; N of 1 or more. An expression network (`input_size` in the metadata) takes gray
            squares of that size, a face detector (`anchors`) three channels and sides in multiples of DETECTOR_STEP.
        metadata: What the network's file says of itself; one that says neither takes any C, H and W.

    Raises:
        ValueError: They are anything else.
    """
    shape = np.shape(images)
    expected, fits = "[N, C, H, W]", len(shape) == 4 and min(shape) > 0
    if "input_size" in metadata:
        size = int(metadata["input_size"])
        expected, fits = f"[N, 1, {size}, {size}]", fits and shape[1:] == (1, size, size)
    elif "anchors" in metadata:
        expected = f"[N, 3, H, W] with H and W in multiples of {DETECTOR_STEP}"
        fits = fits and shape[1] == 3 and not any(side % DETECTOR_STEP for side in shape[2:])
    if not fits:
        raise ValueError(f"expected images {expected}, N of 1 or more, got {list(shape)}")
