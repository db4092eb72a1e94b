"""Look at a picture several times, at half, once and twice a detector's size.

    detector = open_pyramid("ssd", folder=Path("face_detector"), confidence=0.25, detect_size=400)
    boxes = detector.detect(image)  # (h, w, 3) uint8 BGR -> list[FaceBox]

A detector sees faces of some sizes best. Faces that fill the picture it finds in halves when it
sees many pixels, and those of a crowd not at all when it sees few.
Source: Adelson et al., Pyramid methods in image processing, RCA Engineer 29-6, 1984.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mask_detector.face_boxes import edges_of, surest_of_overlapping, without_parts
from mask_detector.face_detectors import FaceDetector, open_detector
from mask_detector.types import FaceBox

# Chosen on validation photos, for SSD and YuNet alike.
_LARGEST = 150  # side in pixels, as a look shows it, of a face that only coarser looks may find
_MOST_ENLARGED = 3.0  # a look that enlarges the picture more shows nothing new
_SAME_IOU = 0.45  # from which two boxes show one face


class PyramidDetector:
    """Puts together what one detector finds at several sizes."""

    def __init__(self, looks: dict[int, FaceDetector]) -> None:
        """
        Args:
            looks: a detector by the size at which it sees a picture, the side of a square of as
                many pixels.
        """
        (_, self._coarsest), *self._finer = sorted(looks.items())

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        side = math.sqrt(image.shape[0] * image.shape[1])
        boxes = list(self._coarsest.detect(image))
        for size, detector in self._finer:
            if size <= _MOST_ENLARGED * side:
                largest = side * _LARGEST / size
                found = detector.detect(image)
                boxes += [box for box in found if math.sqrt(box.width * box.height) < largest]
        scores = np.array([box.score for box in boxes])
        kept = surest_of_overlapping(edges_of(boxes), scores, _SAME_IOU)
        return without_parts([boxes[index] for index in kept])


def open_pyramid(
    name: str, *, folder: Path, confidence: float, detect_size: int
) -> PyramidDetector:
    """Open a detector that looks at half, once and twice the size.

    Args:
        name: of one that takes a size, see `face_detectors.open_detector`.
        folder: where its weights lie, or are put on first use.
        confidence: boxes that score less are dropped, 0-1.
        detect_size: pixels of the middle look; together they take five times as long as it.

    Raises:
        MaskDetectorError: an unknown name, or weights that can't be had.
    """
    return PyramidDetector({
        size: open_detector(name, folder=folder, confidence=confidence, detect_size=size)
        for size in sizes_around(detect_size)
    })  # fmt: skip


def sizes_around(detect_size: int) -> tuple[int, ...]:
    """The sizes at which a pyramid around this one looks, in pixels."""
    return detect_size // 2, detect_size, 2 * detect_size
