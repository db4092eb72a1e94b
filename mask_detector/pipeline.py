"""The live loop: frame -> faces -> verdicts -> sinks.

Use:
    pipeline = Pipeline(detector, classifier)
    judge = TrackingPipeline(pipeline)
    with open_source("clip.mp4") as source, VideoSink(Path("out.mp4"), fps=25) as sink:
        watch([source], judge, [sink])

`watching.py` has the loop.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.images import cut_out
from mask_detector.profiling import NO_PROFILE, Profile
from mask_detector.tracking import FaceTracker, TrackingOptions
from mask_detector.types import LEAST_FACE_SIDE, LEAST_FACE_VISIBLE, Face, FaceBox, Frame

if TYPE_CHECKING:
    from mask_detector.face_detectors import FaceDetector
    from mask_detector.mask_classifiers import MaskClassifier


class Pipeline:
    """Finds the faces of a picture and says of each what it wears.

    One that is too small or cut off by the picture's edge gets probabilities, but no sure verdict.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: MaskClassifier,
        margin: float | None = None,
        *,
        least_side: int = LEAST_FACE_SIDE,
        profile: Profile = NO_PROFILE,
    ) -> None:
        """
        Args:
            detector: what finds the faces.
            classifier: what judges them.
            margin: how far a crop reaches beyond its box, as a fraction of the box per side; None
                takes what the model was trained with.
            least_side: of a face that can be judged: its shorter side in pixels.
            profile: what measures the work.
        """
        self.detector, self.classifier, self.profile = detector, classifier, profile
        self.margin = classifier.card.crop_margin if margin is None else margin
        self.least_confidence = classifier.card.least_confidence
        self._least_side = least_side

    def __call__(self, image: np.ndarray) -> list[Face]:
        """Judge every face of one picture, `(h, w, 3)` uint8 BGR, the surest face first."""
        return self.judge(image, self.detect(image))

    def judge_frame(self, frame: Frame) -> list[Face]:
        """Judge every face of a frame by itself, whatever came before."""
        return self(frame.image)

    def detect(self, image: np.ndarray) -> list[FaceBox]:
        """Find the faces of a picture."""
        with self.profile.stage("detect"):
            return self.detector.detect(image)

    def judge(self, image: np.ndarray, boxes: list[FaceBox]) -> list[Face]:
        """Say what each of these faces of a picture wears, in the order of the boxes."""
        names, least = self.classifier.card.class_names, self.least_confidence
        return [
            Face(box, tuple(row.tolist()), names, None, least, is_clear=self.is_clear(box))
            for box, row in zip(boxes, self.classify(image, boxes), strict=True)
        ]

    def is_clear(self, box: FaceBox) -> bool:
        """Whether a face is large and whole enough for a verdict."""
        is_large = min(box.width, box.height) >= self._least_side
        return is_large and box.visible >= LEAST_FACE_VISIBLE

    def classify(self, image: np.ndarray, boxes: list[FaceBox]) -> np.ndarray:
        """Probabilities `(n, classes)` float32 of these faces of a picture."""
        card = self.classifier.card
        with self.profile.stage("classify"):
            crops = np.empty((len(boxes), card.image_size, card.image_size, 3), np.uint8)
            for crop, box in zip(crops, boxes, strict=True):
                crop_bgr = cut_out(image, box, self.margin, card.image_size)
                cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB, dst=crop)
            return self.classifier.predict(crops)


class WholePicturePipeline:
    """Judges each whole frame by itself; every frame of a film or camera is its track 1.

    Pieces on a belt change from frame to frame, so no verdict is smoothed or held. As one track
    they are seen by what follows tracks: events and alarms.
    """

    TRACK_ID = 1

    def __init__(self, pipeline: Pipeline) -> None:
        """
        Args:
            pipeline: with `face_detectors.WholePicture` as its detector.
        """
        self.pipeline = pipeline

    def __call__(self, frame: Frame) -> list[Face]:
        """Judge the next frame of a source."""
        faces = self.pipeline(frame.image)
        if frame.is_still:
            return faces
        return [dataclasses.replace(face, track_id=self.TRACK_ID) for face in faces]


class TrackingPipeline:
    """Follows faces from frame to frame, and classifies those of which something new is to learn.

    Each source has a tracker of its own. Photos have nothing to do with each other and are judged
    one by one.
    """

    def __init__(self, pipeline: Pipeline, options: TrackingOptions | None = None) -> None:
        self.pipeline = pipeline
        self._options = options or TrackingOptions()
        self._trackers: dict[str, FaceTracker] = {}  # by the name of the source

    def __call__(self, frame: Frame) -> list[Face]:
        """Judge every face of the next frame of a source."""
        if frame.is_still:
            return self.pipeline(frame.image)
        boxes = self.pipeline.detect(frame.image)
        with self.pipeline.profile.stage("track"):
            tracks = self._tracker_of(frame.source).update(boxes, frame.time_s)
            due = [track for track in tracks if track.is_due]
        verdicts = self.pipeline.classify(frame.image, [track.box for track in due])
        for track, probabilities in zip(due, verdicts, strict=True):
            track.observe(probabilities)
        return [track.face(is_clear=self.pipeline.is_clear(track.box)) for track in tracks]

    def _tracker_of(self, source: str) -> FaceTracker:
        if source not in self._trackers:
            names = self.pipeline.classifier.card.class_names
            least = self.pipeline.least_confidence
            self._trackers[source] = FaceTracker(names, least, self._options)
        return self._trackers[source]
