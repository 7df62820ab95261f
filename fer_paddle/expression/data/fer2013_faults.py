"""The training images of FER2013 that are no faces.

The official csv does not mark them. They are the Training rows with bit 2 of `flag` in the FER2013 pack: 151
re-encoded images, 148 of them no face to all ten FER+ raters, 11 of one gray level.
"""

from __future__ import annotations

import hashlib

import numpy as np

# The first four bytes of the SHA-256 of each of the 141 different images.
_DIGESTS = bytes.fromhex(
    """
    010a2986 0213317e 023a45ef 0330b400 03c5340c 04dadcc9 0520c038 074a8b0a 0760bb2b 0b737352 114fa35d
    1b01006e 1b41c5e6 1c03b304 1d98e6b6 1daa8ba6 1f1785c0 2038dbad 21518a09 22d96dc3 249a5727 31f3744b
    33117ddc 337a8875 36bf5218 387f3928 38a64cf7 39d8d20a 3df6cf9a 3e9a1a80 405900b1 42061e35 427278f1
    43192f1e 471aaab9 47bdb206 4834f210 48a71af6 4e9ea8fb 4f2777a8 4fc30bfb 50c7ae62 54eec048 61c4c51f
    6269c7d3 642d2a06 65ec6a01 68b72e7a 6bcc0ce8 6c6e51c0 6ca11296 6d362024 6d6d5c98 7064f365 7126dc89
    74a84b10 77bfc91f 79982656 7c338960 7d9f8fbc 7da1aa55 7df35fe9 7e710fa4 80ab8af2 85ada2a5 8abefb96
    8cf106d7 91ddf9d2 925dd238 93e40706 952d273d 957d0bcc 966499a2 987d52a4 999a840b 99b823a9 9cdd613e
    9d249121 9d256cd3 9d3ff01f 9d668e0e 9d8179fa a020114a a0941878 a1517ab1 a181e392 a33c205e a411bef0
    a486bfcc a9358a50 abe6baa3 ac5969f5 aefe5e30 b0e9a62c b2604437 b2caecfe b3f2a879 b45a5177 b5c0059c
    b738992d bcb8e16b c1612d8d c25107df c39abf95 c44c7c31 c490445e c4b2dead c4fe63b2 c5bd2ca6 c6c32590
    c6dba4ac c8104a97 cbad889a ccda1e38 cfc33599 d01bdec6 d12d2815 d33c14fa d5daabce d5f35fff d93f5b04
    d944f414 db495006 e1d57562 e445977b e87e656b ebea95dd ebed28cf ed68d666 ee482eb1 ef34a556 f2964ea8
    f5a20f93 f64109aa f6a8fadd f6c6e449 f85e1bf6 f891cbb2 fa68a22a fa68e803 fe999437
    """
)
_KNOWN = frozenset(_DIGESTS[i : i + 4] for i in range(0, len(_DIGESTS), 4))


def is_no_face(image: np.ndarray) -> bool:
    """Return whether a uint8 [48, 48] image is one of FER2013's training images that are no faces."""
    return hashlib.sha256(image.tobytes()).digest()[:4] in _KNOWN
