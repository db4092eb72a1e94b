"""Find the heads of a photo: by YuNet's five points, or where it is missing by the SSD's boxes.

finder = open_head_finder(Path("face_detector"))
heads = finder.heads(image)  # (h, w, 3) uint8 BGR -> list[Head]
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from mask_detector.errors import AssetError
from mask_detector.face_detectors import FaceDetector, YunetDetector, open_detector
from mask_detector.synthesis.head_pose import Head, fit_head

logger = logging.getLogger(__name__)

_CONFIDENCE = 0.6
# Parts of the longer side that are added around, for detectors miss faces that fill the picture;
# the SSD's boxes lie to the left of faces that fill much of it, YuNet's points do not.
_YUNET_BORDER, _SSD_BORDER = 0.4, 1.0
_LEAST_EYE_DISTANCE = 6.0  # pixels; a mask on less is a stain
# Where YuNet's points lie in a box of the SSD, brought to those people draw: medians of 65
# portraits with such a border, evened out between left and right.
_POINTS_IN_BOX = np.array([(0.25, 0.34), (0.75, 0.34), (0.5, 0.57), (0.27, 0.72), (0.73, 0.72)])


class HeadFinder:
    """Looks for faces and turns their points into heads."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    @property
    def knows_points(self) -> bool:
        """Whether it sees how heads are turned; else it takes them for upright and frontal."""
        return isinstance(self._detector, YunetDetector)

    def heads(self, image: np.ndarray) -> list[Head]:
        """Find the heads of a photo, `(h, w, 3)` uint8 BGR."""
        part = _YUNET_BORDER if self.knows_points else _SSD_BORDER
        border = round(part * max(image.shape[:2]))
        grey = (128, 128, 128)
        wide = cv2.copyMakeBorder(
            image, border, border, border, border, cv2.BORDER_CONSTANT, value=grey
        )
        heads = [fit_head(points - border) for points in self._points(wide)]
        return [head for head in heads if head.eye_distance >= _LEAST_EYE_DISTANCE]

    def _points(self, image: np.ndarray) -> list[np.ndarray]:
        if self.knows_points:
            return list(self._detector.landmarks(image))
        return [
            _POINTS_IN_BOX * (box.width, box.height) + (box.left, box.top)
            for box in self._detector.detect(image)
        ]


def open_head_finder(folder: Path) -> HeadFinder:
    """Open YuNet if its weights are to be had, else the SSD.

    Args:
        folder: of their weights.
    """
    try:
        return HeadFinder(open_detector("yunet", folder=folder, confidence=_CONFIDENCE))
    except AssetError as error:
        logger.warning(
            "without YuNet's five points every head is taken for upright and frontal: %s", error
        )
        return HeadFinder(open_detector("ssd", folder=folder, confidence=_CONFIDENCE))
