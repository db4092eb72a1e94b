"""The face SSD for pictures of any shape: LiteRT's run where it can be had, else OpenCV's."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from mask_detector.assets import SSD_WEIGHTS, provide_ssd
from mask_detector.errors import ModelError
from mask_detector.face_boxes import without_parts
from mask_detector.ssd.file import find_ssd, has_ssd
from mask_detector.ssd.litert import LiteRtSsdDetector
from mask_detector.ssd.opencv import SsdDetector, check_caffe_reader
from mask_detector.ssd.shapes import seen_shape
from mask_detector.types import FaceBox

logger = logging.getLogger(__name__)


class SsdByShape:
    """Sees each picture in the shape of `ssd.shapes` that is nearest to its own."""

    DETECT_SIZE = 400  # side of a square of as many pixels as the network sees, for photos
    adjustment = SsdDetector.adjustment
    is_classic = False  # as tutorials do it: pictures stretched to a square, OpenCV's run of it

    def __init__(
        self, folder: Path, confidence: float, detect_size: int = 0, *, is_quick: bool = True
    ) -> None:
        """
        Args:
            folder: of the Caffe network, and of what `prepare` has made of it.
            confidence: boxes that score less are dropped, 0-1.
            detect_size: side of the square that has as many pixels as the network sees.
            is_quick: use LiteRT's run where `prepare` has left a sound file for a shape.

        Raises:
            AssetError: the Caffe network can't be had, and `prepare` has left no file.
        """
        self._folder, self._confidence, self._is_quick = folder, confidence, is_quick
        self._side = detect_size or self.DETECT_SIZE
        self._runs: dict[tuple[int, int], SsdDetector | LiteRtSsdDetector] = {}
        self._caffe_paths: tuple[Path, Path] | None = None
        if not is_quick or not has_ssd(folder):  # what is missing is told before the first frame
            self._caffe_paths = provide_ssd(folder)
            check_caffe_reader()

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        boxes = self.run_for(width, height).detect(image)
        return boxes if self.is_classic else without_parts(boxes)

    def run_for(self, width: int, height: int) -> SsdDetector | LiteRtSsdDetector:
        """What looks at pictures of this size; opened when the first one comes."""
        shape = (self._side, self._side)
        if not self.is_classic:
            shape = seen_shape(width, height, self._side)
        if shape not in self._runs:
            self._runs[shape] = self._open(*shape)
            self._runs[shape].adjustment = self.adjustment
        return self._runs[shape]

    def _open(self, width: int, height: int) -> SsdDetector | LiteRtSsdDetector:
        file = None
        if self._is_quick and not self.is_classic:
            file = find_ssd(self._folder, height, width, SSD_WEIGHTS.sha256)
        if file is not None:
            try:
                return LiteRtSsdDetector(file, self._confidence)
            except (ModelError, ImportError) as error:
                logger.warning("%s; OpenCV runs it instead", error)
        if self._caffe_paths is None:  # reading and checking it takes 15 ms, mostly for nothing
            self._caffe_paths = provide_ssd(self._folder)
        return SsdDetector(
            *self._caffe_paths, self._confidence, (width, height), keeps_steps=self.is_classic
        )
