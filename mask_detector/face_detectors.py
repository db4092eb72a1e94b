"""Find faces in a picture: OpenCV's Caffe SSD, its newer YuNet, or its older Haar cascade.

    detector = open_detector("ssd", folder=Path("face_detector"), confidence=0.5)
    boxes = detector.detect(image)  # (h, w, 3) uint8 BGR -> list[FaceBox]

A new detector is a class with `detect` and one entry in `DETECTORS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mask_detector.assets import SSD_PROTOTXT, SSD_WEIGHTS, YUNET_WEIGHTS, provide
from mask_detector.errors import MaskDetectorError
from mask_detector.types import FaceBox


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
    """OpenCV's face SSD with a ResNet-10 base, run by OpenCV's DNN module.

    It was trained on 300x300 pixels but is convolutional throughout: a larger square shows it
    smaller faces. The picture is stretched to the square.
    Source: https://github.com/opencv/opencv/tree/4.x/samples/dnn/face_detector
    """

    NATIVE_SIZE = 300  # side of the square input in pixels that it was trained on
    DETECT_SIZE = 400
    MEAN_BGR = (104.0, 177.0, 123.0)
    adjustment = BoxAdjustment(dy=0.051, width=0.944, height=0.909)

    def __init__(
        self, prototxt: Path, weights: Path, confidence: float, detect_size: int = 0
    ) -> None:
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise MaskDetectorError(
                f"OpenCV {cv2.__version__} no longer reads Caffe networks; "
                f'expected a version below 5: pip install "opencv-python<5"'
            )
        # Editions of the file cut off at different scores; here the caller alone decides.
        layers = re.sub(
            r"confidence_threshold:\s*[\d.]+", "confidence_threshold: 0.01", prototxt.read_text()
        )
        self._side = detect_size or self.DETECT_SIZE
        if self._side != self.NATIVE_SIZE:
            # The two coarsest grids of boxes are spread over 300 pixels by hand. Without these
            # lines OpenCV spreads them over the whole input; with them large faces are found
            # once more beside themselves.
            layers = re.sub(r"\bstep:\s*(100|300)\b", "", layers)
        self._network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(layers.encode(), np.uint8), np.frombuffer(weights.read_bytes(), np.uint8)
        )
        self._confidence = confidence

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        blob = cv2.dnn.blobFromImage(image, 1.0, (self._side, self._side), self.MEAN_BGR)
        self._network.setInput(blob)
        rows = self._network.forward()[0, 0]  # (n, 7): 0, 1, score, left, top, right, bottom
        height, width = image.shape[:2]
        edges = self.adjustment.apply(rows[:, 3:7] * (width, height, width, height))
        return _clean_boxes(edges, rows[:, 2], self._confidence, width, height)


class YunetDetector:
    """YuNet, a face network of 75,856 weights that sees faces from about 10 pixels up.

    The picture is scaled, its shape kept, until its longer side has `detect_size` pixels.
    Source: Wu, Peng and Yu, YuNet: A Tiny Millisecond-level Face Detector, 2023,
    https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet
    """

    DETECT_SIZE = 640  # longer side of what the network sees, in pixels
    NMS_IOU = 0.3  # of boxes that overlap more than this, the surest stays
    MOST_BOXES = 5000
    adjustment = BoxAdjustment(dy=0.045, width=1.02, height=0.97)

    def __init__(self, weights: Path, confidence: float, detect_size: int = 0) -> None:
        if not hasattr(cv2, "FaceDetectorYN"):
            raise MaskDetectorError(
                f"OpenCV {cv2.__version__} has no FaceDetectorYN; "
                f'expected version 4.9 to 4.x: pip install "opencv-python>=4.9,<5"'
            )
        # From memory: OpenCV can't open a path that is not in the system's own letters.
        self._network = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(weights.read_bytes(), np.uint8),
            np.empty(0, np.uint8),
            (self.DETECT_SIZE, self.DETECT_SIZE),
            confidence,
            self.NMS_IOU,
            self.MOST_BOXES,
        )
        self._confidence = confidence
        self._longer_side = detect_size or self.DETECT_SIZE

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        factor = self._longer_side / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        self._network.setInputSize(size)
        rows = self._network.detect(cv2.resize(image, size, interpolation=interpolation))[1]
        if rows is None:
            return []
        rows = rows[np.isfinite(rows).all(axis=1)]  # sizes are exponentials, which overflow
        edges = rows[:, :4].astype(float)  # (n, 15): left, top, width, height, eyes ..., score
        edges[:, 2:] += edges[:, :2]
        edges *= (width / size[0], height / size[1]) * 2
        return _clean_boxes(
            self.adjustment.apply(edges), rows[:, 14], self._confidence, width, height
        )


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


def _open_ssd(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    prototxt, weights = provide(SSD_PROTOTXT, folder), provide(SSD_WEIGHTS, folder)
    return SsdDetector(prototxt, weights, confidence, detect_size)


def _open_yunet(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return YunetDetector(provide(YUNET_WEIGHTS, folder), confidence, detect_size)


def _open_haar(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return HaarDetector()


DETECTORS: dict[str, Callable[[Path, float, int], FaceDetector]] = {
    "ssd": _open_ssd,
    "yunet": _open_yunet,
    "haar": _open_haar,
}


def open_detector(
    name: str,
    *,
    folder: Path,
    confidence: float,
    detect_size: int = 0,
    is_adjusted: bool = True,
) -> FaceDetector:
    """Open a detector by its short name.

    Args:
        name: a key of `DETECTORS`.
        folder: where its weights lie, or are put on first use.
        confidence: boxes that score less are dropped, 0-1.
        detect_size: pixels of the picture that the detector sees: the side of the SSD's square,
            the longer side for YuNet; 0 is the detector's own `DETECT_SIZE`. Twice as many
            pixels show faces half as large and cost four times as much. Haar takes none.
        is_adjusted: bring the boxes to those that people draw; False leaves them as they come.

    Raises:
        MaskDetectorError: an unknown name, or weights that can't be had.
    """
    if name not in DETECTORS:
        raise MaskDetectorError(f"unknown face detector {name!r}; known: {', '.join(DETECTORS)}")
    detector = DETECTORS[name](folder, confidence, detect_size)
    if not is_adjusted:
        detector.adjustment = BoxAdjustment()
    return detector
