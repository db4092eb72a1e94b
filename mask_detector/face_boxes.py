"""What every face detector does with the boxes it has found, whichever way it found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mask_detector.types import FaceBox

# What makes a box a part of a surer face; chosen on validation photos.
_NESTED = 0.8  # of its area inside the face
_SMALL, _BESIDE = 0.5, 0.3  # its side by the face's, and how far from the face its centre may be


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


def surest_of_overlapping(
    edges: np.ndarray,
    scores: np.ndarray,
    most_overlap: float,
    *,
    least_score: float = 0.0,
    most_compared: int = 0,
) -> np.ndarray:
    """Of boxes that show one face choose the surest (non-maximum suppression).

    Args:
        edges: `(n, 4)` left, top, right, bottom.
        scores: `(n,)` 0-1.
        most_overlap: intersection over union from which two boxes show one face.
        least_score: boxes that score no more are left out.
        most_compared: so many of the surest are looked at; 0 looks at all.

    Returns:
        Indices, the surest first.
    """
    corners_and_sizes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(
        corners_and_sizes.astype(np.float64), scores, least_score, most_overlap, top_k=most_compared
    )
    return np.asarray(kept, np.intp).ravel()


def without_parts(boxes: list[FaceBox]) -> list[FaceBox]:
    """Drop what is a part of a surer face: an eye or a mouth within it, an ear or a badge at it.

    Args:
        boxes: the surest first.
    """
    kept: list[FaceBox] = []
    for box in boxes:
        if not any(_lies_within(box, face) or _is_small_beside(box, face) for face in kept):
            kept.append(box)
    return kept


def _lies_within(box: FaceBox, face: FaceBox) -> bool:
    return _shared_area(box, face) >= _NESTED * box.width * box.height


def _is_small_beside(box: FaceBox, face: FaceBox) -> bool:
    across = abs(box.left + box.right - face.left - face.right) / 2
    down = abs(box.top + box.bottom - face.top - face.bottom) / 2
    return (
        box.width * box.height < _SMALL**2 * face.width * face.height
        and across < (0.5 + _BESIDE) * face.width
        and down < (0.5 + _BESIDE) * face.height
    )


def _shared_area(first: FaceBox, second: FaceBox) -> int:
    across = min(first.right, second.right) - max(first.left, second.left)
    down = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(0, across) * max(0, down)
