"""Find faces in a picture: OpenCV's Caffe SSD, its newer YuNet, MTCNN, or the old Haar cascade.

`none` looks for no face: the whole picture is what is judged, as with photos of castings.

    detector = open_detector("ssd", folder=Path("face_detector"), confidence=0.5)
    boxes = detector.detect(image)  # (h, w, 3) uint8 BGR -> list[FaceBox]

A new detector is a class with `detect` and one entry in `DETECTORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mask_detector.assets import YUNET_WEIGHTS, provide
from mask_detector.errors import MaskDetectorError
from mask_detector.face_boxes import BoxAdjustment, clean_boxes
from mask_detector.images import scaled
from mask_detector.mtcnn_detector import MtcnnDetector
from mask_detector.ssd.by_shape import SsdByShape
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
        rows = self._rows(image)
        edges = rows[:, :4]
        edges[:, 2:] += edges[:, :2]
        return clean_boxes(
            self.adjustment.apply(edges), rows[:, 14], self._confidence, width, height
        )

    def landmarks(self, image: np.ndarray) -> np.ndarray:
        """Five points of each face, the surest first, `(n, 5, 2)` float64 in pixels.

        They are the eyes, the tip of the nose and the corners of the mouth; of two the one at the
        picture's left comes first where the face is upright.
        """
        return self._rows(image)[:, 4:14].reshape(-1, 5, 2)

    def _rows(self, image: np.ndarray) -> np.ndarray:
        """`(n, 15)` float64: left, top, width, height, five points in pixels of it, score."""
        height, width = image.shape[:2]
        shown = scaled(image, self._longer_side)
        self._network.setInputSize(shown.shape[1::-1])
        rows = self._network.detect(shown)[1]
        if rows is None:
            return np.empty((0, 15))
        rows = rows[np.isfinite(rows).all(axis=1)].astype(float)  # sizes are exponentials
        rows[:, :14] *= (width / shown.shape[1], height / shown.shape[0]) * 7
        return rows


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
        return clean_boxes(boxes, np.ones(len(boxes)), 0.0, width, height)


class WholePicture:
    """Takes each picture as it is for the one thing to judge; it needs no weights.

    Such a box fills the picture, so that no margin can widen it: the classifier is shown what
    it is shown of whole photos in training.
    """

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        height, width = image.shape[:2]
        return [FaceBox(0, 0, width, height, 1.0)]


def _open_ssd(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return SsdByShape(folder, confidence, detect_size)


def _open_ssd_opencv(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return SsdByShape(folder, confidence, detect_size, is_quick=False)


def _open_yunet(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return YunetDetector(provide(YUNET_WEIGHTS, folder), confidence, detect_size)


def _open_mtcnn(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return MtcnnDetector(confidence, detect_size)


def _open_haar(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return HaarDetector()


def _open_none(folder: Path, confidence: float, detect_size: int) -> FaceDetector:
    return WholePicture()


DETECTORS: dict[str, Callable[[Path, float, int], FaceDetector]] = {
    "ssd": _open_ssd,
    "ssd-opencv": _open_ssd_opencv,
    "yunet": _open_yunet,
    "mtcnn": _open_mtcnn,
    "haar": _open_haar,
    "none": _open_none,
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
        detect_size: pixels of the picture that the detector sees: the longer side for YuNet and
            MTCNN; the SSD sees as many as a square of this side has. 0 is the detector's own
            `DETECT_SIZE`. Twice as many show faces half as large and cost four times as much.
            Haar takes none, nor do whole pictures.
        is_adjusted: bring the boxes to those that people draw. False leaves them as they come,
            and lets the SSD see a square and err about large faces, as tutorials do.

    Raises:
        MaskDetectorError: an unknown name, or weights that can't be had.
    """
    if name not in DETECTORS:
        raise MaskDetectorError(f"unknown face detector {name!r}; known: {', '.join(DETECTORS)}")
    detector = DETECTORS[name](folder, confidence, detect_size)
    if not is_adjusted:
        detector.adjustment = BoxAdjustment()
        if isinstance(detector, SsdByShape):
            detector.is_classic = True
    return detector
