"""How sharp a picture is, as one number that does not depend on its size."""

from __future__ import annotations

import cv2
import numpy as np

from fer_paddle.images import to_gray

SIDE = 256  # longest side in pixels at which pictures are compared


def sharpness(image: np.ndarray, side: int = SIDE) -> float:
    """Gives the variance of the Laplacian of a picture that is brought to one size.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".

    Args:
        image: uint8 [H, W, 3] or [H, W].
        side: Longest side in pixels at which it is measured; a smaller picture is enlarged, and so less sharp.

    Returns:
        0 for a flat picture; a few hundred for a sharp photo, a few tens for a blurred one.
    """
    gray = to_gray(image)
    scale = side / max(gray.shape)
    size = (max(round(gray.shape[1] * scale), 3), max(round(gray.shape[0] * scale), 3))
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())
