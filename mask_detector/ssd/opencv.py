"""The face SSD run by OpenCV's DNN module: what LiteRT's run of it is measured against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mask_detector.errors import MaskDetectorError
from mask_detector.face_boxes import BoxAdjustment, clean_boxes
from mask_detector.types import FaceBox


@dataclass(frozen=True)
class RawAnswer:
    """What the network says of one picture before boxes are made of it."""

    offsets: np.ndarray  # (priors, 4) how a box lies to its prior box
    logits: np.ndarray  # (priors,) of being a face
    priors: np.ndarray  # (priors, 4) left, top, right, bottom as fractions of the picture
    variances: np.ndarray  # (4,) what offsets are multiplied by


class SsdDetector:
    """OpenCV's face SSD with a ResNet-10 base, run by OpenCV's DNN module.

    It was trained on 300x300 pixels but is convolutional throughout: more pixels show it smaller
    faces, and they may be a rectangle (see `by_shape.py`).
    Source: https://github.com/opencv/opencv/tree/4.x/samples/dnn/face_detector
    """

    NATIVE_SIZE = 300  # side of the square input in pixels that it was trained on
    MEAN_BGR = (104.0, 177.0, 123.0)
    LEAST_SCORE = 0.01  # boxes that score less are not even compared
    adjustment = BoxAdjustment(dy=0.051, width=0.944, height=0.909)

    def __init__(
        self,
        prototxt: Path,
        weights: Path,
        confidence: float,
        size: tuple[int, int] = (NATIVE_SIZE, NATIVE_SIZE),
        *,
        keeps_steps: bool = False,
    ) -> None:
        """
        Args:
            prototxt: the Caffe description.
            weights: the `.caffemodel`.
            confidence: boxes that score less are dropped, 0-1.
            size: width and height, in pixels, to which pictures are stretched.
            keeps_steps: spread the boxes as the description says, as tutorials do: a face that
                fills the picture is then found half beside itself, or twice.

        Raises:
            MaskDetectorError: this OpenCV does not read Caffe networks.
        """
        check_caffe_reader()
        # Editions of the file cut off at different scores; here the caller alone decides.
        layers = re.sub(
            r"confidence_threshold:\s*[\d.]+",
            f"confidence_threshold: {self.LEAST_SCORE}",
            prototxt.read_text(),
        )
        if not keeps_steps:
            # The description lays the two coarsest grids of boxes, for the largest faces, in steps
            # of 100 and 300 pixels, but they have five cells a side, of 60 pixels at its own size.
            # Without these lines OpenCV spreads each grid over the picture, as it should be.
            layers = re.sub(r"\bstep:\s*(100|300)\b", "", layers)
        self._size = size
        self._network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(layers.encode(), np.uint8), np.frombuffer(weights.read_bytes(), np.uint8)
        )
        self._confidence = confidence

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        self._show(image)
        rows = self._network.forward()[0, 0]  # (n, 7): 0, 1, score, left, top, right, bottom
        height, width = image.shape[:2]
        edges = self.adjustment.apply(rows[:, 3:7] * (width, height, width, height))
        return clean_boxes(edges, rows[:, 2], self._confidence, width, height)

    def raw_answer(self, image: np.ndarray) -> RawAnswer:
        """What the network says of a picture, for another run of it to be compared."""
        self._show(image)
        offsets, scores, priors = self._network.forward(["mbox_loc", "mbox_conf", "mbox_priorbox"])
        background, face = scores.reshape(-1, 2).T
        return RawAnswer(
            offsets.reshape(-1, 4),
            face - background,
            priors[0, 0].reshape(-1, 4),
            priors[0, 1].reshape(-1, 4)[0],
        )

    def _show(self, image: np.ndarray) -> None:
        blob = cv2.dnn.blobFromImage(image, 1.0, self._size, self.MEAN_BGR)
        self._network.setInput(blob)


def check_caffe_reader() -> None:
    """See that OpenCV can read the face detector's network.

    Raises:
        MaskDetectorError: this OpenCV does not read Caffe networks.
    """
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise MaskDetectorError(
            f"OpenCV {cv2.__version__} no longer reads Caffe networks; "
            f'expected a version below 5: pip install "opencv-python<5"'
        )
