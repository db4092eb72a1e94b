"""Look at a picture several times, at half, once and twice a detector's size.

    detector = open_pyramid("ssd", folder=Path("face_detector"), confidence=0.25, detect_size=400)
    boxes = detector.detect(image)  # (h, w, 3) uint8 BGR -> list[FaceBox]

A detector sees faces of some sizes best. Faces that fill the picture it finds in halves when it
sees many pixels, and those of a crowd not at all when it sees few.
Source: Adelson et al., Pyramid methods in image processing, RCA Engineer 29-6, 1984.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from mask_detector.detection_scores import iou_of
from mask_detector.face_boxes import edges_of, surest_of_overlapping, without_parts
from mask_detector.face_detectors import FaceDetector, open_detector
from mask_detector.types import FaceBox

# Chosen on validation photos.
_LARGEST = 150  # side in pixels, as a look shows it, of a face that only coarser looks may find
_SMALLEST = 16  # and of one on which a look has a say
_MOST_ENLARGED = 3.0  # a look that enlarges the picture more shows nothing new
_SAME_IOU = 0.45  # from which two boxes show one face
_LEAST_SCORE = 0.05  # of a box by which a look confirms another's
# The part of a score that the mean of all looks is; the rest is the surest look's. What is no face
# is mostly taken for one in a single look. YuNet's scores gain nothing by it.
_SAY_OF_ALL = {"ssd": 1 / 3, "ssd-opencv": 1 / 3}


class PyramidDetector:
    """Puts together what one detector finds at several sizes."""

    def __init__(
        self, looks: dict[int, FaceDetector], confidence: float = 0.0, say_of_all: float = 0.0
    ) -> None:
        """
        Args:
            looks: a detector by the size at which it sees a picture, the side of a square of as
                many pixels.
            confidence: boxes that score less, by all looks together, are dropped, 0-1.
            say_of_all: the part of a score that is the mean of all looks which show the face at
                a size that the detector sees, 0-1; the rest is the surest look's.
        """
        self._looks = dict(sorted(looks.items()))
        self._confidence, self._say_of_all = confidence, say_of_all

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        side = math.sqrt(image.shape[0] * image.shape[1])
        coarsest, *finer = self._looks
        sizes = [coarsest, *(size for size in finer if size <= _MOST_ENLARGED * side)]
        found = {size: self._looks[size].detect(image) for size in sizes}
        boxes = list(found[coarsest])
        for size in sizes[1:]:
            boxes += [box for box in found[size] if _side(box) < side * _LARGEST / size]
        scores = np.array([box.score for box in boxes])
        kept = surest_of_overlapping(edges_of(boxes), scores, _SAME_IOU)
        surest = [boxes[index] for index in kept]
        if self._say_of_all:
            surest = self._confirmed(surest, found, side)
        return without_parts([box for box in surest if box.score >= self._confidence])

    def _confirmed(
        self, boxes: list[FaceBox], found: dict[int, list[FaceBox]], side: float
    ) -> list[FaceBox]:
        """The same boxes, scored by all looks, the surest first."""
        said = np.zeros((len(found), len(boxes)))
        has_say = np.zeros_like(said, bool)
        sides = np.array([_side(box) for box in boxes])
        for row, (size, others) in enumerate(found.items()):
            is_same = iou_of(edges_of(boxes), edges_of(others)) >= _SAME_IOU
            scores = np.array([other.score for other in others])
            said[row] = np.where(is_same, scores, 0.0).max(axis=1, initial=0.0)
            has_say[row] = (sides * size / side >= _SMALLEST) & (sides * size / side <= _LARGEST)
        own = np.array([box.score for box in boxes])
        mean = np.where(has_say, said, 0.0).sum(axis=0) / np.maximum(has_say.sum(axis=0), 1)
        scores = own + self._say_of_all * np.where(has_say.any(axis=0), mean - own, 0.0)
        scored = [replace(box, score=float(s)) for box, s in zip(boxes, scores, strict=True)]
        return sorted(scored, key=lambda box: -box.score)


def _side(box: FaceBox) -> float:
    """The side of a square as large."""
    return math.sqrt(box.width * box.height)


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
    say_of_all = _SAY_OF_ALL.get(name, 0.0)
    least = min(confidence, _LEAST_SCORE) if say_of_all else confidence
    looks = {
        size: open_detector(name, folder=folder, confidence=least, detect_size=size)
        for size in sizes_around(detect_size)
    }
    return PyramidDetector(looks, confidence, say_of_all)


def sizes_around(detect_size: int) -> tuple[int, ...]:
    """The sizes at which a pyramid around this one looks, in pixels."""
    return detect_size // 2, detect_size, 2 * detect_size
