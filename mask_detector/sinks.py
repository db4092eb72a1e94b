"""Where annotated frames go: a window, a video file, a picture, a tally.

Use:
    with VideoSink(Path("out.mp4"), fps=25) as sink:
        sink.write(AnnotatedFrame(frame, faces))
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import MaskDetectorError, writing
from mask_detector.labels import NOT_SURE

VIDEO_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


class FrameSink:
    """Takes frames with their faces; a context manager that lets go of everything on the way out.

    `wants_stop` turns true when the person watching has had enough; `needs_picture` says that the
    boxes must be drawn.
    """

    wants_stop = False
    needs_picture = True

    def write(self, annotated: AnnotatedFrame) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Finish files, close windows."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class TallySink(FrameSink):
    """Counts frames, people, and faces per class; those without a sure verdict by themselves.

    People are counted by their tracks, once seen in `LEAST_FRAMES`: what a detector takes for a
    face by mistake is mostly gone by then.
    """

    needs_picture = False
    LEAST_FRAMES = 5

    def __init__(self) -> None:
        self.frame_count = 0
        self.dropped_count = 0  # frames that a live source gave and nobody had time for
        self.face_counts: Counter[str] = Counter()
        self._seen: Counter[int] = Counter()  # frames that each track was seen in

    def write(self, annotated: AnnotatedFrame) -> None:
        faces = annotated.faces
        self.frame_count += 1
        self.dropped_count = annotated.frame.index + 1 - self.frame_count
        self.face_counts.update(face.label if face.is_sure else NOT_SURE for face in faces)
        self._seen.update(face.track_id for face in faces if face.track_id is not None)

    @property
    def people_count(self) -> int:
        return sum(count >= self.LEAST_FRAMES for count in self._seen.values())


class VideoSink(FrameSink):
    """Writes annotated frames as a video; photos of other sizes are fitted into the first's.

    The file keeps the frames' clock: where a camera gives frames faster than they are judged, the
    last one stands a little longer instead of the video running too fast.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)  # width, height
        self._begin_s = 0.0
        self._written_count = 0

    def write(self, annotated: AnnotatedFrame) -> None:
        time_s = annotated.frame.time_s
        if self._writer is None:
            self._open(annotated.picture)
            self._begin_s = time_s
        picture = _letterbox(annotated.picture, self._size)
        due_count = round((time_s - self._begin_s) * self._fps) + 1
        for _ in range(max(1, due_count - self._written_count)):
            self._writer.write(picture)
            self._written_count += 1

    def _open(self, image: np.ndarray) -> None:
        self._size = (image.shape[1], image.shape[0])
        codec = cv2.VideoWriter_fourcc(*VIDEO_CODECS[self._path.suffix.lower()])
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = cv2.VideoWriter(str(self._path), codec, self._fps, self._size)
        if not self._writer.isOpened():
            raise MaskDetectorError(f"{self._path} can't be written as a video")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None


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

    def target_of(self, source: str) -> Path:
        """Where the annotated copy of a photo goes."""
        if self._below is None:
            return self._path
        # abspath, not resolve: `..` goes, links stay under the name they have.
        target = self._path / Path(os.path.abspath(source)).relative_to(self._below)  # noqa: PTH100
        if target.suffix.lower() not in PICTURE_SUFFIXES:
            target = target.with_name(target.name + ".png")
        return target

    def write(self, annotated: AnnotatedFrame) -> None:
        target = self.target_of(annotated.frame.source)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            is_encoded, data = cv2.imencode(target.suffix, annotated.picture)
            if not is_encoded:
                raise OSError("OpenCV can't encode it")
            target.write_bytes(data)  # not imwrite: it takes no name that is not plain text


class WindowSink(FrameSink):
    """Shows annotated frames in a window; `q`, Esc or closing the window ends it.

    Open it only after `display_problem()` has answered None: without a display OpenCV aborts the
    whole process.
    """

    TITLE = "mask detector (q ends)"
    _END_KEYS = (ord("q"), ord("Q"), 27)

    def __init__(self) -> None:
        # GUI_NORMAL: without the toolbar, which would only take room from the picture
        cv2.namedWindow(
            self.TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        )
        self._is_sized = False

    def write(self, annotated: AnnotatedFrame) -> None:
        picture, is_still = annotated.picture, annotated.frame.is_still
        if not self._is_sized:
            cv2.resizeWindow(self.TITLE, picture.shape[1], picture.shape[0])
            self._is_sized = True
        cv2.imshow(self.TITLE, picture)
        while True:
            key = cv2.waitKey(50 if is_still else 1) & 0xFF
            if key in self._END_KEYS or not self._is_open():
                self.wants_stop = True
                return
            if not is_still or key != 0xFF:  # a photo stays until a key is pressed
                return

    def _is_open(self) -> bool:
        try:
            return cv2.getWindowProperty(self.TITLE, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False

    def close(self) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # lets the window system do it


def _letterbox(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit an image into width and height, black around it; unchanged where it fits already."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    fitted = (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    resized = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA)
    canvas[top : top + fitted[1], left : left + fitted[0]] = resized
    return canvas
