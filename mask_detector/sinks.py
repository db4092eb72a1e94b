"""Where annotated frames go: a video file, a picture, a tally; `window.py` has the window.

Use:
    with VideoSink(Path("out.mp4"), fps=25) as sink:
        sink.write(AnnotatedFrame(frame, faces))
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.capture.captures import open_video
from mask_detector.capture.stills import absolute
from mask_detector.closing import Closing
from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import MaskDetectorError, SourceError, writing
from mask_detector.images import write_picture
from mask_detector.labels import NOT_SURE
from mask_detector.mosaic import letterbox
from mask_detector.types import LEAST_FRAMES

if TYPE_CHECKING:
    from mask_detector.events.records import SourceChange

VIDEO_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

_LEAST_PART_KEPT = 0.9  # of a film's frames, by what it says itself, which may be off by a few


class FrameSink(Closing):
    """Takes frames with their faces; a context manager that lets go of everything on the way out.

    `wants_stop` turns true when the person watching has had enough; while `is_held` no next frame
    is written; `needs_picture` says that the boxes must be drawn.
    """

    wants_stop = False
    is_held = False
    needs_picture = True

    def write(self, annotated: AnnotatedFrame) -> None:
        raise NotImplementedError

    @property
    def saved(self) -> tuple[Path, ...]:
        """The files and folders that it has put pictures into."""
        return ()

    def source_changed(self, change: SourceChange) -> None:
        """Hear that a live source was lost, or is back."""

    def idle(self) -> None:
        """Do what is due apart from frames; called after each, and while none comes."""

    def close(self) -> None:
        """Finish files, close windows."""


class TallySink(FrameSink):
    """Counts frames, people, and faces per class; those without a sure verdict by themselves.

    People are counted by their tracks, once seen in `LEAST_FRAMES`.
    """

    needs_picture = False
    _MOST_TRACKS = 1000  # remembered per source

    def __init__(self) -> None:
        self.frame_count = 0
        self.people_count = 0
        self.face_counts: Counter[str] = Counter()
        self._given: dict[str, int] = {}  # frames that each live or filmed source has given
        self._taken: Counter[str] = Counter()  # and those of them that came here
        self._seen: dict[str, Counter[int]] = {}  # frames that each of its newest tracks was in

    def write(self, annotated: AnnotatedFrame) -> None:
        frame, faces = annotated.frame, annotated.faces
        self.frame_count += 1
        if not frame.is_still:
            self._given[frame.source] = frame.index + 1
            self._taken[frame.source] += 1
        self.face_counts.update(face.label if face.is_sure else NOT_SURE for face in faces)
        seen = self._seen.setdefault(frame.source, Counter())
        seen.update(face.track_id for face in faces if face.track_id is not None)
        self.people_count += sum(
            seen[face.track_id] == LEAST_FRAMES for face in faces if face.track_id is not None
        )
        while len(seen) > self._MOST_TRACKS:
            del seen[min(seen)]  # the oldest: a camera may be watched for months

    @property
    def dropped_count(self) -> int:
        """Frames that live sources gave and nobody had time for."""
        return sum(self._given.values()) - self._taken.total()


class VideoSink(FrameSink):
    """Writes annotated frames as a video; photos of other sizes are fitted into the first's.

    The file keeps the frames' clock: where a camera gives frames faster than they are judged, the
    last one stands a little longer instead of the video running too fast. Of a longer gap, while
    a camera was lost, ten seconds are kept.
    """

    _LONGEST_STAND_S = 10.0

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)  # width, height
        self._last: np.ndarray | None = None  # the picture that was written last
        self._begin_s = 0.0
        self._written_count = 0

    def write(self, annotated: AnnotatedFrame) -> None:
        time_s = annotated.frame.time_s
        if self._writer is None:
            self._open(annotated.picture)
            self._begin_s = time_s
        self._fill_up_to(time_s)
        self._last = letterbox(annotated.picture, self._size)
        self._writer.write(self._last)
        self._written_count += 1

    def _fill_up_to(self, time_s: float) -> None:
        """Let the last picture stand until now."""
        missing = round((time_s - self._begin_s) * self._fps) - self._written_count
        most = round(self._LONGEST_STAND_S * self._fps)
        if missing > most:
            self._begin_s += (missing - most) / self._fps
            missing = most
        for _ in range(missing):
            self._writer.write(self._last)
            self._written_count += 1

    @property
    def saved(self) -> tuple[Path, ...]:
        return (self._path,) if self._written_count else ()

    def _open(self, image: np.ndarray) -> None:
        self._size = (image.shape[1], image.shape[0])
        codec = cv2.VideoWriter_fourcc(*VIDEO_CODECS[self._path.suffix.lower()])
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = cv2.VideoWriter(str(self._path), codec, self._fps, self._size)
        if not self._writer.isOpened():
            raise MaskDetectorError(f"{self._path} can't be written as a video")

    def close(self) -> None:
        """Finish the file.

        Raises:
            MaskDetectorError: it is not whole; OpenCV does not say so when a disk is full.
        """
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        try:
            with open_video(self._path, self._path.name) as film:
                kept_count = film.announced_count or 0
        except SourceError:
            kept_count = 0
        if kept_count < _LEAST_PART_KEPT * self._written_count:
            written_count, self._written_count = self._written_count, 0
            raise MaskDetectorError(
                f"{self._path} can't be written: it holds {kept_count} of {written_count} frames; "
                f"is the disk full?"
            )


class SinkPerStream(FrameSink):
    """Hands the frames of each stream to a sink of their own, opened when the first one comes."""

    def __init__(self, open_sink: Callable[[str], FrameSink]) -> None:
        """
        Args:
            open_sink: makes the sink of a stream, of which it is told the name.
        """
        self._open_sink = open_sink
        self._sinks: dict[str, FrameSink] = {}

    def write(self, annotated: AnnotatedFrame) -> None:
        stream = annotated.frame.stream
        if stream not in self._sinks:
            self._sinks[stream] = self._open_sink(stream)
        self._sinks[stream].write(annotated)

    @property
    def saved(self) -> tuple[Path, ...]:
        return tuple(path for sink in self._sinks.values() for path in sink.saved)

    def close(self) -> None:
        with contextlib.ExitStack() as stack:  # all, though one of them can't be finished
            for sink in self._sinks.values():
                stack.callback(sink.close)


class PictureSink(FrameSink):
    """Writes annotated frames as pictures: one file, or one per photo below a folder."""

    def __init__(self, path: Path, below: Path | None = None) -> None:
        """
        Args:
            path: the picture to write; with `below`, the folder to write into.
            below: the folder, as an absolute path, whose photos are copied with their
                subfolders.
        """
        self._path, self._below = path, below
        self._is_written = False

    def target_of(self, source: str) -> Path:
        """Where the annotated copy of a photo goes."""
        if self._below is None:
            return self._path
        target = self._path / absolute(Path(source)).relative_to(self._below)
        if target.suffix.lower() not in PICTURE_SUFFIXES:
            target = target.with_name(target.name + ".png")
        return target

    def write(self, annotated: AnnotatedFrame) -> None:
        write_picture(annotated.picture, self.target_of(annotated.frame.source))
        self._is_written = True

    @property
    def saved(self) -> tuple[Path, ...]:
        return (self._path,) if self._is_written else ()
