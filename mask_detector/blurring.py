"""Make faces unrecognisable before a picture is kept or shown.

    picture = draw_faces(blur(frame.image, [face.box for face in faces]), faces)

A black patch would hide as much, but an officer who looks at a breach shall see that there was a
head, which way it stood and whether something white was below the eyes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from mask_detector.types import FaceBox

WIDENED = 0.2  # of the box on each side: hair, ears and chin tell people apart, too
# Along the longer side of the widened box, so under four across the face itself. People know
# faces that are familiar to them from 7 x 10 blurred cells (Sinha et al., Face recognition by
# humans: nineteen results, Proceedings of the IEEE 94, 2006).
CELLS = 6
_LEAST_VISIBLE = 0.04  # what says less of a face is blurred as if it said this much


def blur(image: np.ndarray, boxes: Sequence[FaceBox]) -> np.ndarray:
    """Return a copy of an image `(h, w, 3)` uint8 BGR in which no boxed face can be recognised.

    Each face is cut into cells, each cell becomes its mean colour, and between their middles
    colours run into each other. The number of cells does not depend on the face's size, so a
    large one gives away no more than a small one. Outside the widened boxes nothing changes.
    """
    blurred = image.copy()
    height, width = image.shape[:2]
    for box in boxes:
        place = box.widened(WIDENED).within(width, height)
        if not place.has_area:
            continue
        rows, columns = slice(place.top, place.bottom), slice(place.left, place.right)
        blurred[rows, columns] = _coarse(image[rows, columns], _cell_size(box))
    return blurred


def _cell_size(box: FaceBox) -> float:
    """Side of a cell in pixels; of a face that is cut off, by the size of the whole face."""
    longer = (1 + 2 * WIDENED) * max(box.width, box.height)
    return longer / math.sqrt(max(_LEAST_VISIBLE, box.visible)) / CELLS


def _coarse(image: np.ndarray, cell_size: float) -> np.ndarray:
    height, width = image.shape[:2]
    cells = max(1, round(width / cell_size)), max(1, round(height / cell_size))
    means = cv2.resize(image, cells, interpolation=cv2.INTER_AREA)
    return cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
