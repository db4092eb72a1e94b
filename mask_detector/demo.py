"""Make a clip for machines without a camera: a portrait, bare first, then with a mask drawn on.

The portrait of Grace Hopper comes with matplotlib (a U.S. Navy photo, public domain).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from mask_detector.drawing import AnnotatedFrame
from mask_detector.images import read_image
from mask_detector.labels import display_name
from mask_detector.sinks import FrameSink, VideoSink
from mask_detector.synthesis.drawn_masks import MaskLook, draw_mask_on
from mask_detector.synthesis.head_pose import fit_head
from mask_detector.types import Frame

FRAMES_PER_PART = 50  # bare, then masked
FPS = 25.0
# Of the portrait, in pixels: eyes, tip of the nose, corners of the mouth.
_LANDMARKS = np.array([(226, 193), (307, 193), (267, 237), (231, 270), (301, 269)], float)
_LIGHT_BLUE = 11  # the seed of a mask of this colour


def portrait() -> np.ndarray:
    """The portrait that matplotlib ships, `(600, 512, 3)` uint8 BGR."""
    from matplotlib import cbook

    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)


def masked_portrait() -> np.ndarray:
    """The portrait with a surgical mask drawn over mouth and nose."""
    generator = np.random.default_rng(_LIGHT_BLUE)
    return draw_mask_on(portrait(), fit_head(_LANDMARKS), MaskLook("surgical"), generator)


def write_demo_clip(path: Path) -> None:
    """Write the clip: `FRAMES_PER_PART` frames bare, then as many masked, slowly zooming.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    bare, masked = portrait(), masked_portrait()
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
