"""Make a clip for machines without a camera: a portrait, bare first, then with a mask drawn on.

The portrait of Grace Hopper comes with matplotlib (a U.S. Navy photo, public domain).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import MaskDetectorError
from mask_detector.face_detectors import FaceDetector
from mask_detector.images import read_image
from mask_detector.labels import display_name
from mask_detector.sinks import FrameSink, VideoSink
from mask_detector.types import FaceBox, Frame

FRAMES_PER_PART = 50  # bare, then masked
FPS = 25.0
_CLOTH_BGR = (205, 178, 140)  # the blue of surgical masks
_STRAP_BGR = (235, 232, 228)

# Corners of the mask on the portrait's face box: fractions of its width and height.
_OUTLINE = np.array([
    (0.07, 0.51), (0.25, 0.44), (0.42, 0.36), (0.50, 0.33), (0.58, 0.36), (0.75, 0.44),
    (0.93, 0.51), (0.92, 0.71), (0.82, 0.91), (0.65, 1.00), (0.50, 1.03), (0.35, 1.00),
    (0.18, 0.91), (0.08, 0.71),
])  # fmt: skip
_STRAPS = (((0.07, 0.53), (-0.06, 0.40)), ((0.09, 0.77), (-0.05, 0.58)),
           ((0.93, 0.53), (1.06, 0.40)), ((0.91, 0.77), (1.05, 0.58)))  # fmt: skip
_PLEATS = (0.62, 0.73, 0.84)  # heights


def portrait() -> np.ndarray:
    """The portrait that matplotlib ships, `(600, 512, 3)` uint8 BGR."""
    from matplotlib import cbook

    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)


def draw_mask(image: np.ndarray, box: FaceBox) -> np.ndarray:
    """Return a copy of a frontal portrait with a surgical mask drawn over mouth and nose."""
    size = np.array([box.width, box.height])

    def at(points: np.ndarray) -> np.ndarray:
        return np.rint(np.asarray(points) * size + (box.left, box.top)).astype(np.int32)

    heights = np.arange(image.shape[0])
    light = np.interp(heights, [box.top, box.bottom], [1.12, 0.75])[:, None, None]  # from above
    cloth = np.clip(np.full(image.shape, _CLOTH_BGR) * light, 0, 255).astype(np.uint8)
    for pleat in _PLEATS:
        curve = [(x, pleat + 0.05 * (1 - (2 * x - 1) ** 2)) for x in np.linspace(0.1, 0.9, 20)]
        cv2.polylines(cloth, [at(curve)], False, (168, 140, 105), 2, cv2.LINE_AA)
    drawn = image.copy()
    for strap in _STRAPS:
        cv2.line(drawn, *map(tuple, at(strap).tolist()), _STRAP_BGR, 2, cv2.LINE_AA)
    cover = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(cover, [at(_OUTLINE)], 255)
    opacity = cv2.GaussianBlur(cover, (5, 5), 0)[..., None] / 255.0
    return np.rint(cloth * opacity + drawn * (1 - opacity)).astype(np.uint8)


def write_demo_clip(path: Path, detector: FaceDetector) -> None:
    """Write the clip: `FRAMES_PER_PART` frames bare, then as many masked, slowly zooming.

    Raises:
        MaskDetectorError: the detector does not find the one face of the portrait, or the file
            can't be written.
    """
    bare = portrait()
    boxes = detector.detect(bare)
    if len(boxes) != 1:
        raise MaskDetectorError(
            f"the demo's portrait shows 1 face, the detector found {len(boxes)}"
        )
    masked = draw_mask(bare, boxes[0])
    with VideoSink(path, FPS) as sink:
        for index in range(2 * FRAMES_PER_PART):
            picture = bare if index < FRAMES_PER_PART else masked
            zoomed = _zoomed(picture, 1.0 + 0.15 * index / (2 * FRAMES_PER_PART))
            sink.write(AnnotatedFrame(Frame(zoomed, index, index / FPS, "demo"), []))


def _zoomed(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = image.shape[:2]
    transform = cv2.getRotationMatrix2D((width / 2, height * 0.4), 0.0, factor)
    return cv2.warpAffine(image, transform, (width, height), borderMode=cv2.BORDER_REPLICATE)


class PartsSink(FrameSink):
    """Counts verdicts before and after the mask is drawn on, and keeps a picture of each part."""

    def __init__(self) -> None:
        self.bare: Counter[str] = Counter()
        self.masked: Counter[str] = Counter()
        self._pictures: dict[int, np.ndarray] = {}

    def write(self, annotated: AnnotatedFrame) -> None:
        index = annotated.frame.index
        part = self.bare if index < FRAMES_PER_PART else self.masked
        part.update(display_name(face.label) for face in annotated.faces)
        if index % FRAMES_PER_PART == FRAMES_PER_PART // 2:
            self._pictures[index] = annotated.picture

    @property
    def picture(self) -> np.ndarray:
        """The middles of both parts side by side, `(h, 2 w, 3)` uint8 BGR."""
        return np.hstack([self._pictures[index] for index in sorted(self._pictures)])
