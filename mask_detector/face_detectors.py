"""Find faces in a picture: OpenCV's Caffe SSD, or its older Haar cascade.

    detector = open_detector("ssd", folder=Path("face_detector"), confidence=0.5)
    boxes = detector.detect(image)  # (h, w, 3) uint8 BGR -> list[FaceBox]

A new detector is a class with `detect` and one entry in `DETECTORS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mask_detector.assets import SSD_PROTOTXT, SSD_WEIGHTS, provide
from mask_detector.errors import MaskDetectorError
from mask_detector.types import FaceBox


class FaceDetector(Protocol):
    """Anything that finds faces."""

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        """Find the faces of one picture.

        Args:
            image: `(h, w, 3)` uint8 BGR.

        Returns:
            Boxes inside the picture, at least one pixel each way, the surest first.
        """
        ...


class SsdDetector:
    """OpenCV's 300x300 face SSD with a ResNet-10 base, run by OpenCV's DNN module.

    Source: https://github.com/opencv/opencv/tree/4.x/samples/dnn/face_detector
    """

    INPUT_SIZE = (300, 300)
    MEAN_BGR = (104.0, 177.0, 123.0)

    def __init__(self, prototxt: Path, weights: Path, confidence: float) -> None:
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise MaskDetectorError(
                f"OpenCV {cv2.__version__} no longer reads Caffe networks; "
                f'expected a version below 5: pip install "opencv-python<5"'
            )
        # Editions of the file cut off at different scores; here the caller alone decides.
        layers = re.sub(
            r"confidence_threshold:\s*[\d.]+", "confidence_threshold: 0.01", prototxt.read_text()
        )
        self._network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(layers.encode(), np.uint8), np.frombuffer(weights.read_bytes(), np.uint8)
        )
        self._confidence = confidence

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        blob = cv2.dnn.blobFromImage(image, 1.0, self.INPUT_SIZE, self.MEAN_BGR)
        self._network.setInput(blob)
        rows = self._network.forward()[0, 0]  # (n, 7): 0, 1, score, left, top, right, bottom
        height, width = image.shape[:2]
        edges = rows[:, 3:7] * (width, height, width, height)
        return _clean_boxes(edges, rows[:, 2], self._confidence, width, height)


class HaarDetector:
    """The frontal-face Haar cascade that opencv-python carries; for comparison.

    It says yes or no, not how sure it is, so every box scores 1 and no threshold applies.
    Source: Viola and Jones, Rapid object detection using a boosted cascade, CVPR 2001.
    """

    def __init__(self) -> None:
        if not hasattr(cv2, "CascadeClassifier"):
            raise MaskDetectorError(
                f"OpenCV {cv2.__version__} has no Haar cascades; "
                f'expected a version below 5: pip install "opencv-python<5"'
            )
        self._cascade = cv2.CascadeClassifier(
            str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
        )

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24)
        )
        boxes = np.asarray(found, float).reshape(-1, 4)  # left, top, width, height; () if none
        boxes[:, 2:] += boxes[:, :2]
        height, width = image.shape[:2]
        return _clean_boxes(boxes, np.ones(len(boxes)), 0.0, width, height)


def _clean_boxes(
    edges: np.ndarray, scores: np.ndarray, confidence: float, width: int, height: int
) -> list[FaceBox]:
    """Keep sure, finite boxes, clipped to the picture; `edges` is `(n, 4)` in pixels."""
    boxes = []
    for row, score in zip(edges, scores, strict=True):
        if not (score >= confidence and np.isfinite(row).all()):
            continue
        left, top, right, bottom = (int(value) for value in np.rint(row))
        left, right = max(0, left), min(width, right)
        top, bottom = max(0, top), min(height, bottom)
        if left < right and top < bottom:
            boxes.append(FaceBox(left, top, right, bottom, float(score)))
    return sorted(boxes, key=lambda box: -box.score)


def _open_ssd(folder: Path, confidence: float) -> FaceDetector:
    return SsdDetector(provide(SSD_PROTOTXT, folder), provide(SSD_WEIGHTS, folder), confidence)


def _open_haar(folder: Path, confidence: float) -> FaceDetector:
    return HaarDetector()


DETECTORS: dict[str, Callable[[Path, float], FaceDetector]] = {
    "ssd": _open_ssd,
    "haar": _open_haar,
}


def open_detector(name: str, *, folder: Path, confidence: float) -> FaceDetector:
    """Open a detector by its short name.

    Args:
        name: a key of `DETECTORS`.
        folder: where its weights lie, or are put on first use.
        confidence: boxes that score less are dropped, 0-1.

    Raises:
        MaskDetectorError: an unknown name, or weights that can't be had.
    """
    if name not in DETECTORS:
        raise MaskDetectorError(f"unknown face detector {name!r}; known: {', '.join(DETECTORS)}")
    return DETECTORS[name](folder, confidence)
