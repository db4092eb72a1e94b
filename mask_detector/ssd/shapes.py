"""How large, and in which shape, the face SSD sees a picture.

Stretched to a square, as usual, a face in a wide picture becomes narrow, and the SSD misses more
of them. With about as many pixels in about the picture's own shape it finds more in the same time.
There are a few shapes only, because LiteRT needs a file for each.
"""

from __future__ import annotations

import math

ASPECTS = (9 / 16, 3 / 4, 1.0, 4 / 3, 16 / 9)  # width by height: cameras, photos, phones
LIVE_ASPECTS = (4 / 3, 16 / 9)  # what cameras give
_STEP = 8  # pixels; sides are multiples of it


def shape_of(aspect: float, detect_size: int) -> tuple[int, int]:
    """Width and height, in pixels, of about as many pixels as a square of `detect_size`."""
    if aspect == 1:
        return detect_size, detect_size
    root = math.sqrt(aspect)
    return tuple(
        max(_STEP, round(side / _STEP) * _STEP) for side in (detect_size * root, detect_size / root)
    )


def seen_shape(width: int, height: int, detect_size: int) -> tuple[int, int]:
    """Of the shapes of `ASPECTS`, the one that changes a picture's own least."""
    aspect = min(ASPECTS, key=lambda each: abs(math.log(each * height / width)))
    return shape_of(aspect, detect_size)
