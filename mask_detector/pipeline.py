"""The live loop: frame -> faces -> verdicts -> sinks.

Use:
    pipeline = Pipeline(detector, classifier)
    judge = TrackingPipeline(pipeline, FaceTracker(classifier.card.class_names))
    with open_source("clip.mp4") as source, VideoSink(Path("out.mp4"), fps=25) as sink:
        watch(source, judge, [sink])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.calibration import NOT_SURE_THRESHOLD
from mask_detector.drawing import AnnotatedFrame
from mask_detector.images import cut_out
from mask_detector.prefetching import Prefetcher
from mask_detector.profiling import NO_PROFILE, Profile
from mask_detector.types import Face, FaceBox, Frame

if TYPE_CHECKING:
    from mask_detector.face_detectors import FaceDetector
    from mask_detector.mask_classifiers import MaskClassifier
    from mask_detector.sinks import FrameSink
    from mask_detector.tracking import FaceTracker


class Pipeline:
    """Finds the faces of a picture and says of each what it wears.

    `margin` is how far a crop reaches beyond its box, as a fraction of the box per side; the
    model's card knows the one that it was trained with.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: MaskClassifier,
        margin: float | None = None,
        profile: Profile = NO_PROFILE,
    ) -> None:
        self.detector, self.classifier, self.profile = detector, classifier, profile
        self.margin = classifier.card.crop_margin if margin is None else margin

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
        names = self.classifier.card.class_names
        least = self.classifier.card.thresholds.get(NOT_SURE_THRESHOLD, 0.0)
        return [
            Face(box, tuple(row.tolist()), names, least_confidence=least)
            for box, row in zip(boxes, self.classify(image, boxes), strict=True)
        ]

    def classify(self, image: np.ndarray, boxes: list[FaceBox]) -> np.ndarray:
        """Probabilities `(n, classes)` float32 of these faces of a picture."""
        card = self.classifier.card
        with self.profile.stage("classify"):
            crops = np.empty((len(boxes), card.image_size, card.image_size, 3), np.uint8)
            for crop, box in zip(crops, boxes, strict=True):
                crop_bgr = cut_out(image, box, self.margin, card.image_size)
                cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB, dst=crop)
            return self.classifier.predict(crops)


class TrackingPipeline:
    """Follows faces from frame to frame, and classifies those of which something new is to learn.

    Photos have nothing to do with each other and are judged one by one.
    """

    def __init__(self, pipeline: Pipeline, tracker: FaceTracker) -> None:
        self.pipeline, self.tracker = pipeline, tracker

    def __call__(self, frame: Frame) -> list[Face]:
        """Judge every face of the next frame of a source."""
        if frame.is_still:
            return self.pipeline(frame.image)
        boxes = self.pipeline.detect(frame.image)
        with self.pipeline.profile.stage("track"):
            tracks = self.tracker.update(boxes, frame.time_s)
            due = [track for track in tracks if track.is_due]
        verdicts = self.pipeline.classify(frame.image, [track.box for track in due])
        for track, probabilities in zip(due, verdicts, strict=True):
            track.observe(probabilities)
        return [track.face() for track in tracks]


def watch(
    source: Iterable[Frame],
    judge: Callable[[Frame], list[Face]],
    sinks: list[FrameSink],
    *,
    width: int = 0,
    profile: Profile = NO_PROFILE,
    with_ids: bool = False,
) -> None:
    """Judge the frames of a source and hand them to the sinks, until one has had enough.

    Reading and judging have a thread each; the sinks are served by the caller's, because windows
    belong to the main thread. A file gives every frame, a live source the newest.

    Args:
        source: the frames.
        judge: what finds and judges their faces.
        sinks: what takes them, in this order.
        width: scale each frame to this many pixels across first; 0 leaves it as it is.
        profile: what measures the stages that run here; a pipeline has its own.
        with_ids: number the tracks in the picture.
    """
    is_drawn = any(sink.needs_picture for sink in sinks)
    is_live = getattr(source, "is_live", False)
    frames = Prefetcher(profile.timed("capture", _scaled(source, width)), newest_only=is_live)
    judged = Prefetcher((AnnotatedFrame(f, judge(f), with_ids) for f in frames), depth=1)
    with judged, frames:  # frames ends first, since judging may be waiting for one
        for annotated in judged:
            if is_drawn:
                with profile.stage("draw"):
                    _ = annotated.picture
            with profile.stage("write"):
                for sink in sinks:
                    sink.write(annotated)
            if any(sink.wants_stop for sink in sinks):
                break


def _scaled(frames: Iterable[Frame], width: int) -> Iterator[Frame]:
    for frame in frames:
        if width in (0, frame.image.shape[1]):
            yield frame
        else:
            import imutils

            yield dataclasses.replace(frame, image=imutils.resize(frame.image, width=width))
