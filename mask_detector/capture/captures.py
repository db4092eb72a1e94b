"""Cameras, network streams and video files through OpenCV: how they are opened and read.

    with open_video(Path("clip.mp4"), "clip.mp4") as source:
        for frame in source:
            ...

Whoever opens a capture releases it. OpenCV crashes where that happens while a thread is still
reading, so a live capture belongs to one thread (see `thread.py`) and a file has a lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mask_detector.closing import Closing
from mask_detector.errors import SourceError
from mask_detector.types import Frame

_LEAST_PART_READ = 0.95  # of the frames a video file announces; some announce a few too many
_LONGEST_PICTURE_S = 86_400.0  # that a file's clock is believed to stand still
_RELEASE_WAIT_S = 1.0  # for a read that another thread is in the middle of


class Capture(Protocol):
    """What is needed of `cv2.VideoCapture`."""

    def read(self) -> tuple[bool, np.ndarray | None]: ...

    def get(self, prop: int) -> float: ...

    def release(self) -> None: ...


def open_camera(device: int | str) -> cv2.VideoCapture:
    """Open a camera by its index or device path.

    Raises:
        SourceError: it is not there, or another program has it.
    """
    capture = _opened(device)
    if capture is None:
        raise SourceError(
            f"no camera {device}; plug one in, try another index, or name a video file, photo or "
            f"folder with --source"
        )
    return capture


def open_stream(address: str, shown: str, timeout_s: float) -> cv2.VideoCapture:
    """Open a network address.

    Args:
        address: the address itself.
        shown: how it may be named: without user, password and query.
        timeout_s: how long opening may take, and later reading.

    Raises:
        SourceError: nothing answers, or what does is no video.
    """
    prepare_for_streams()
    milliseconds = max(1, round(timeout_s * 1000))
    options = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        milliseconds,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        milliseconds,
    ]
    capture = _opened(address, cv2.CAP_FFMPEG, options)
    if capture is None:
        raise SourceError(
            f"{shown} can't be opened: nothing answers within {timeout_s:g} s, or what is there is "
            f"no video"
        )
    return capture


def prepare_for_streams() -> None:
    """Choose how OpenCV's FFmpeg reads from the network, unless the user has."""
    # Over UDP, its second choice, packets get lost and pictures turn grey.
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    # Else OpenCV opens one capture at a time, and one dead camera keeps all others waiting;
    # FFmpeg itself has needed no such lock since version 4.
    os.environ.setdefault("OPENCV_FFMPEG_IS_THREAD_SAFE", "1")


def open_video(path: Path, name: str) -> VideoSource:
    """Open a video file.

    Raises:
        SourceError: it is none, or too damaged to be opened.
    """
    capture = _opened(str(path))
    # FFmpeg plays text files as films of a terminal.
    is_text = capture and int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter_fourcc(*"ansi")
    if capture is None or is_text:
        raise SourceError(
            f"{path} is neither a photo nor a video that can be read "
            f"({path.stat().st_size} bytes): damaged, cut off, or another kind of file"
        )
    return VideoSource(capture, name, path)


def frame_rate(capture: Capture) -> float | None:
    """Frames per second, or None where what the capture says of it is impossible."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 0 < fps <= 240 else None


def frame_count(capture: Capture) -> int | None:
    """How many frames it announces; None for what has no end, or doesn't know it."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None


def read_picture(capture: Capture) -> np.ndarray | None:
    """The next picture, `(h, w, 3)` uint8 BGR; None where there is none, for now or for ever."""
    try:
        has_frame, image = capture.read()
    except cv2.error:  # a damaged file may announce pictures larger than the memory
        return None
    return image if has_frame and image is not None and image.size else None


class VideoSource(Closing):
    """A video file, here or on a server: every frame, with the file's clock."""

    is_live = False

    def __init__(self, capture: Capture, name: str, path: Path | None = None) -> None:
        """
        Args:
            capture: already open.
            name: what frames call it.
            path: of the file, where it is one of this machine.
        """
        self._capture, self.name = capture, name
        self.files = [path] if path else []
        self._in_use = threading.Lock()
        self._is_closed = False
        self.fps = frame_rate(capture)
        self.announced_count = frame_count(capture)

    def close(self) -> None:
        """Release the file; whoever iterates is at the end. Any thread may call it, and twice."""
        self._is_closed = True
        if self._in_use.acquire(timeout=_RELEASE_WAIT_S):
            self._capture.release()
            self._in_use.release()

    def __iter__(self) -> Iterator[Frame]:
        index, time_s, began_s = 0, 0.0, 0.0
        while (read := self._read()) is not None:
            image, told_s = read
            if index == 0:
                began_s = told_s
            else:
                time_s = self._next_time(time_s, told_s - began_s, index)
            yield Frame(image, index, time_s, self.name)
            index += 1
        if not self._is_closed:
            self._check_end(index)

    def _read(self) -> tuple[np.ndarray, float] | None:
        """The next picture, and when it is to be shown, in seconds, as the file tells it."""
        with self._in_use:
            image = None if self._is_closed else read_picture(self._capture)
            if image is None:
                return None
            return image, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _next_time(self, last_s: float, told_s: float, index: int) -> float:
        """A frame's time: what the file tells, as phones take pictures at no steady rate.

        Where it tells nothing that could be true, pictures are thought to be equally far apart.
        """
        if last_s < told_s < last_s + _LONGEST_PICTURE_S:
            return told_s
        step_s = 1 / (self.fps or 25.0)
        return max(index * step_s, last_s + step_s)

    def _check_end(self, read_count: int) -> None:
        if read_count == 0:
            raise SourceError(f"video {self.name} opened but gave no frame; the file is damaged")
        if self.announced_count and read_count < self.announced_count * _LEAST_PART_READ:
            raise SourceError(
                f"video {self.name} is damaged: it broke off after {read_count} of "
                f"{self.announced_count} frames"
            )


def _opened(place: int | str, *options: object) -> cv2.VideoCapture | None:
    try:
        capture = cv2.VideoCapture(place, *options)
    except (cv2.error, OverflowError, ValueError):  # an index beyond any camera's
        return None
    return capture if capture.isOpened() else None
