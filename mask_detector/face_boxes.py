"""What every face detector does with the boxes it has found, whichever way it found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mask_detector.types import FaceBox

_NESTED = 0.8  # of a box's area inside a surer one: an eye or a mouth, not a face


@dataclass(frozen=True)
class BoxAdjustment:
    """What turns a detector's boxes into those that people draw, in fractions of its own box.

    `evaluate --sweep` measures it on annotated photos.
    """

    dx: float = 0.0  # how far the centre moves, to the right
    dy: float = 0.0  # and downwards
    width: float = 1.0  # what the width is multiplied by
    height: float = 1.0

    def apply(self, edges: np.ndarray) -> np.ndarray:
        """Move and scale `(n, 4)` boxes: left, top, right, bottom in pixels."""
        sizes = edges[:, 2:] - edges[:, :2]
        centres = (edges[:, 2:] + edges[:, :2]) / 2 + sizes * (self.dx, self.dy)
        halves = sizes * (self.width / 2, self.height / 2)
        return np.concatenate([centres - halves, centres + halves], axis=1)


def edges_of(boxes: Sequence[FaceBox]) -> np.ndarray:
    """Left, top, right and bottom of boxes as one array, `(n, 4)` float64."""
    return np.array([box.edges for box in boxes], float).reshape(-1, 4)


def clean_boxes(
    edges: np.ndarray, scores: np.ndarray, confidence: float, width: int, height: int
) -> list[FaceBox]:
    """Keep sure, finite boxes, clipped to the picture, the surest first.

    Args:
        edges: `(n, 4)` left, top, right, bottom in pixels.
        scores: `(n,)` 0-1.
        confidence: boxes that score less are dropped.
        width: of the picture, in pixels.
        height: likewise.
    """
    boxes = []
    for row, score in zip(edges, scores, strict=True):
        if not (score >= confidence and np.isfinite(row).all()):
            continue
        box = FaceBox(*(int(value) for value in np.rint(row)), float(score)).within(width, height)
        if box.has_area:
            boxes.append(box)
    return sorted(boxes, key=lambda box: -box.score)


def without_nested(boxes: list[FaceBox]) -> list[FaceBox]:
    """Drop boxes that lie within a surer one: the SSD takes parts of a large face for faces.

    Args:
        boxes: the surest first.
    """
    kept: list[FaceBox] = []
    for box in boxes:
        if all(_shared_area(box, surer) < _NESTED * box.width * box.height for surer in kept):
            kept.append(box)
    return kept


def _shared_area(first: FaceBox, second: FaceBox) -> int:
    across = min(first.right, second.right) - max(first.left, second.left)
    down = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(0, across) * max(0, down)
