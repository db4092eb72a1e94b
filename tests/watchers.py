"""What tests of the live loop share: a camera at the border, sinks that keep what they get."""

import contextlib
import time

import cv2
import numpy as np

from mask_detector.sinks import FrameSink
from mask_detector.sources import LiveOptions, LiveSource
from mask_detector.types import Frame
from mask_detector.watching import Annotator, watch

PICTURE = np.full((120, 160, 3), 90, np.uint8)


def frames_of(image, count, is_still=False):
    return [Frame(image, index, index / 25, "clip", is_still) for index in range(count)]


def watch_one(source, judge, sinks, *, with_ids=False, **options):
    watch([source], Annotator(judge, with_ids=with_ids), sinks, **options)


def judge_none(frame):
    return []


class Watcher(FrameSink):
    """Keeps what it is given; has had enough after `patience` frames."""

    needs_picture = False

    def __init__(self, patience=10**9):
        self.given, self._patience = [], patience

    def write(self, annotated):
        self.given.append(annotated)
        self.wants_stop = len(self.given) >= self._patience

    @property
    def frames(self):
        return [annotated.frame for annotated in self.given]

    @property
    def indices(self):
        return [frame.index for frame in self.frames]


class Webcam:
    """A camera at the border, through which OpenCV gives a frame every `period_s`."""

    def __init__(self, period_s=0.002, count=10**9):
        self.read_count, self.release_count = 0, 0
        self._period_s, self._count = period_s, count

    def get(self, prop):
        return 30.0 if prop == cv2.CAP_PROP_FPS else -1.0

    def read(self):
        time.sleep(self._period_s)
        if self.read_count >= self._count or self.release_count:
            return False, None
        self.read_count += 1
        return True, PICTURE

    def release(self):
        self.release_count += 1


@contextlib.contextmanager
def camera_7(webcam, **options):
    with LiveSource("7", lambda: webcam, LiveOptions(retries=0, **options)) as source:
        source.start()
        yield source
