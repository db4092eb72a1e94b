"""Frames with a known number of real faces, swaying a little as people before a camera do.

Heads and shoulders are cut out of photos and set before a grey wall, one per cell of a grid. After
`FRAME_COUNT` frames every face is back where it began, so the frames can go round.

Use:
    cutouts = cut_out_heads(portraits(), detector)
    case = Case(640, 480, face_count=5)
    images = compose(case, cutouts)  # (30, 480, 640, 3) uint8 BGR
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mask_detector.demo import portrait
from mask_detector.errors import MaskDetectorError, UnreadableImageError
from mask_detector.face_detectors import FaceDetector
from mask_detector.images import read_image, resized
from mask_detector.sources import photos_in
from mask_detector.types import FaceBox

logger = logging.getLogger(__name__)

FRAME_COUNT = 30  # unlike frames per case
MOST_HEADS = 10
SMALLEST_FACE = 48  # height in pixels of a face that is worth cutting out
SWAY = 0.04  # of the face's height: how far it goes to each side of its place
ZOOM = 0.03  # how much it grows and shrinks
# What a cut-out shows around the face, in parts of the box's width or height.
ABOVE, BESIDE, BELOW = 0.5, 0.45, 0.6
_FEATHER = 0.1  # of the cut-out's width: where it fades into the background


@dataclass(frozen=True)
class Case:
    """What the frames of one comparison show."""

    width: int
    height: int
    face_count: int

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Cutout:
    """A head with its shoulders, and where in it the face is."""

    image: np.ndarray  # (h, w, 3) uint8 BGR
    box: FaceBox


def portraits() -> list[np.ndarray]:
    """The portraits that matplotlib and, where it is installed, scikit-image ship; uint8 BGR."""
    images = [portrait()]
    try:
        from skimage import data
    except ImportError:
        logger.info("without scikit-image all faces are one person's")
    else:
        images.append(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    return images


def photos_below(folder: Path) -> Iterator[np.ndarray]:
    """Decode the photos of a folder, uint8 BGR; what is no picture is passed over.

    Raises:
        SourceError: the folder holds no files.
    """
    for path in photos_in(folder):
        try:
            yield cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
        except UnreadableImageError as error:
            logger.info("passed over: %s", error)


def cut_out_heads(photos: Iterable[np.ndarray], detector: FaceDetector) -> list[Cutout]:
    """Cut the surest face out of each photo, until there are `MOST_HEADS`.

    Raises:
        MaskDetectorError: no photo shows a face that is large enough and stands alone.
    """
    cutouts = []
    photo_count = 0
    for photo in photos:
        photo_count += 1
        cutout = _cut_out(photo, detector)
        if cutout:
            cutouts.append(cutout)
        if len(cutouts) == MOST_HEADS:
            break
    if not cutouts:
        raise MaskDetectorError(
            f"no face of at least {SMALLEST_FACE} pixels that stands alone ({photo_count} photos "
            f"were read); expected portraits"
        )
    return cutouts


def _cut_out(photo: np.ndarray, detector: FaceDetector) -> Cutout | None:
    boxes = detector.detect(photo)
    if not boxes or boxes[0].height < SMALLEST_FACE:
        return None
    box = boxes[0]
    left = max(0, round(box.left - BESIDE * box.width))
    top = max(0, round(box.top - ABOVE * box.height))
    right, bottom = round(box.right + BESIDE * box.width), round(box.bottom + BELOW * box.height)
    image = photo[top:bottom, left:right]
    if len(detector.detect(image)) != 1:  # a neighbour looks in, and would be counted
        return None
    edges = box.left - left, box.top - top, box.right - left, box.bottom - top
    return Cutout(image, FaceBox(*edges, box.score))


def compose(case: Case, cutouts: list[Cutout], count: int = FRAME_COUNT) -> np.ndarray:
    """Lay faces out on a grid, the cut-outs in turn, every second round of them mirrored.

    Returns:
        `(count, height, width, 3)` uint8 BGR.
    """
    frames = np.repeat(_wall(case)[None], count, axis=0)
    cells = _cells(case)
    for index, (left, top, width, height) in enumerate(cells):
        round_index, turn = divmod(index, len(cutouts))
        head = _scaled(cutouts[turn], width, height, case.height)
        if round_index % 2:
            head = _mirrored(head)
        opacity = _fading(head.image)
        for number in range(count):
            cell = frames[number, top : top + height, left : left + width]
            transform = _place(head.box, width, height, 2 * math.pi * number / count + 2.4 * index)
            _lay_over(cell, head.image, opacity, transform)
    return frames


def _cells(case: Case) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each face's cell; the last row stands in the middle."""
    columns = math.ceil(math.sqrt(case.face_count * case.width / case.height))
    columns = min(columns, case.face_count)
    rows = math.ceil(case.face_count / columns)
    width, height = case.width // columns, case.height // rows
    cells = []
    for index in range(case.face_count):
        row, column = divmod(index, columns)
        in_row = min(columns, case.face_count - row * columns)
        cells.append(((case.width - in_row * width) // 2 + column * width, row * height,
                      width, height))  # fmt: skip
    return cells


def _wall(case: Case) -> np.ndarray:
    """A grey wall, lit from above; on patterns the SSD now and then sees faces that are none."""
    grey = np.linspace(175, 120, case.height).astype(np.uint8)
    return np.broadcast_to(grey[:, None, None], (case.height, case.width, 3))


def _scaled(cutout: Cutout, width: int, height: int, frame_height: int) -> Cutout:
    """Shrink or enlarge a cut-out so that it fills its cell, a face at most 2/5 of the frame."""
    image, box = cutout.image, cutout.box
    factor = min(width / image.shape[1], height / image.shape[0]) / (1 + ZOOM)
    factor = min(factor, 0.4 * frame_height / box.height)
    size = (max(1, round(side * factor)) for side in (image.shape[1], image.shape[0]))
    edges = (round(edge * factor) for edge in box.edges)
    return Cutout(resized(image, *size), FaceBox(*edges, box.score))


def _mirrored(cutout: Cutout) -> Cutout:
    box, width = cutout.box, cutout.image.shape[1]
    mirrored = FaceBox(width - box.right, box.top, width - box.left, box.bottom, box.score)
    return Cutout(np.ascontiguousarray(cutout.image[:, ::-1]), mirrored)


def _fading(image: np.ndarray) -> np.ndarray:
    """Opacity `(h, w)` float32: 1 inside, falling to 0 towards every edge."""
    height, width = image.shape[:2]
    x = np.minimum(np.arange(width), np.arange(width)[::-1])
    y = np.minimum(np.arange(height), np.arange(height)[::-1])
    distance = np.minimum(x[None, :], y[:, None])
    return np.clip(distance / max(1.0, _FEATHER * width), 0, 1).astype(np.float32)


def _place(box: FaceBox, width: int, height: int, phase: float) -> np.ndarray:
    """The `(2, 3)` transform that brings the face to its cell's middle, swayed and zoomed."""
    zoom = 1 + ZOOM * math.sin(phase)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    across = width / 2 + SWAY * box.height * math.cos(phase)
    down = height * 0.47 + SWAY / 2 * box.height * math.sin(2 * phase)
    return np.array([[zoom, 0, across - zoom * x], [0, zoom, down - zoom * y]])


def _lay_over(
    cell: np.ndarray, image: np.ndarray, opacity: np.ndarray, transform: np.ndarray
) -> None:
    """Blend a picture into a cell, a view `(h, w, 3)` of a frame, in place."""
    size = cell.shape[1], cell.shape[0]
    cover = cv2.warpAffine(opacity, transform, size)
    cell[:] = cv2.blendLinear(cv2.warpAffine(image, transform, size), cell, cover, 1 - cover)
