"""The live loop: frame -> faces -> verdicts -> sinks.

Use:
    pipeline = Pipeline(detector, classifier)
    with open_source("clip.mp4") as source, VideoSink(Path("out.mp4"), fps=25) as sink:
        watch(source, pipeline, [sink])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import cv2
import imutils
import numpy as np

from mask_detector.calibration import NOT_SURE_THRESHOLD
from mask_detector.face_detectors import FaceDetector
from mask_detector.images import crop_face, fit
from mask_detector.mask_classifiers import MaskClassifier
from mask_detector.sinks import FrameSink
from mask_detector.types import Face, FaceBox, Frame


class Pipeline:
    """Finds the faces of a picture and says of each what it wears.

    `margin` is how far a crop reaches beyond its box, as a fraction of the box per side; the
    model's card knows the one that it was trained with.
    """

    def __init__(
        self, detector: FaceDetector, classifier: MaskClassifier, margin: float | None = None
    ) -> None:
        self.detector, self.classifier = detector, classifier
        self.margin = classifier.card.crop_margin if margin is None else margin

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Judge every face of one picture, `(h, w, 3)` uint8 BGR, the surest face first."""
        return self.judge(image, self.detector.detect(image))

    def judge(self, image: np.ndarray, boxes: list[FaceBox]) -> list[Face]:
        """Say what each of these faces of a picture wears, in the order of the boxes."""
        probabilities = self.classifier.predict(self._crops(image, boxes))
        names = self.classifier.card.class_names
        least = self.classifier.card.thresholds.get(NOT_SURE_THRESHOLD, 0.0)
        return [
            Face(box, tuple(float(p) for p in row), names, least_confidence=least)
            for box, row in zip(boxes, probabilities, strict=True)
        ]

    def _crops(self, image: np.ndarray, boxes: list[FaceBox]) -> np.ndarray:
        card = self.classifier.card
        crops = np.empty((len(boxes), card.image_size, card.image_size, 3), np.uint8)
        for index, box in enumerate(boxes):
            crop_bgr = fit(crop_face(image, box, self.margin), card.image_size)
            crops[index] = cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB)
        return crops


def watch(
    source: Iterable[Frame], pipeline: Pipeline, sinks: list[FrameSink], *, width: int = 0
) -> None:
    """Judge every frame of a source and hand it to the sinks, until one has had enough.

    Args:
        source: the frames.
        pipeline: what judges them.
        sinks: what takes them, in this order.
        width: scale each frame to this many pixels across first; 0 leaves it as it is.
    """
    for original in source:
        frame = _scaled(original, width)
        faces = pipeline(frame.image)
        for sink in sinks:
            sink.write(frame, faces)
        if any(sink.wants_stop for sink in sinks):
            break


def _scaled(frame: Frame, width: int) -> Frame:
    if width in (0, frame.image.shape[1]):
        return frame
    return dataclasses.replace(frame, image=imutils.resize(frame.image, width=width))
