"""Put pictures of any size into frames of one: a video's, or the cells of a grid.

Use:
    mosaic = Mosaic(["door", "yard"])
    mosaic.lay("door", picture)
    cv2.imshow("cameras", mosaic.picture)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mask_detector.images import resized

_WIDTH = 1280  # of the whole grid in pixels; a cell is 16:9
_GREY = 48  # where no picture is


def letterbox(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit an image into width and height, black around it; unchanged where it fits already."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    fitted = (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = resized(image, *fitted)
    return canvas


class Mosaic:
    """A grid of the newest pictures of several sources, in their order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._columns = math.ceil(math.sqrt(len(names)))
        rows = math.ceil(len(names) / self._columns)
        width = _WIDTH // self._columns
        self._cell = (width, width * 9 // 16)  # width and height
        shape = (rows * self._cell[1], self._columns * width, 3)
        self.picture = np.full(shape, _GREY, np.uint8)  # BGR
        self._places = {name: divmod(at, self._columns) for at, name in enumerate(names)}

    def lay(self, name: str, picture: np.ndarray) -> None:
        """Lay a source's picture, `(h, w, 3)` uint8 BGR, into its cell."""
        row, column = self._places[name]
        width, height = self._cell
        top, left = row * height, column * width
        self.picture[top : top + height, left : left + width] = letterbox(picture, self._cell)
