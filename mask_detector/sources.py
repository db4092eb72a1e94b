"""Where frames come from: a camera, a network stream, a video file, a photo, a folder of photos.

    with open_source("0") as source:
        for frame in source:
            ...

A source gives real frames until it ends; what keeps it from doing so is a `SourceError`.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np

from mask_detector.errors import SourceError, UnreadableImageError
from mask_detector.images import read_image
from mask_detector.types import Frame

logger = logging.getLogger(__name__)

_CAMERA_TRIES = 20  # reads; many webcams give nothing at first, and skip a frame now and then
_CAMERA_WAIT_S = 0.1
_STREAM_TIMEOUT_MS = 10_000
_LEAST_PART_READ = 0.95  # of the frames a video file announces; some announce a few too many
_RELEASE_WAIT_S = 1.0  # for a read that another thread is in the middle of

# How films begin: AVI, Matroska, MP4 (whose other brands may be photos).
_FILM = re.compile(rb"(?s)RIFF....AVI |\x1aE\xdf\xa3|....ftyp(iso|mp4|avc|M4V|MSNV|qt)")


class FrameSource(Protocol):
    """Iterates `Frame`s, in any thread, and is a context manager.

    `fps` is None where there is no clock. A live source does not wait: what is not taken in time
    is over.
    """

    fps: float | None
    is_live: bool

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class CaptureSource:
    """A camera, a stream or a video file, through OpenCV; released on every way out."""

    def __init__(self, capture: cv2.VideoCapture, name: str, *, is_live: bool) -> None:
        self._capture, self._name, self.is_live = capture, name, is_live
        self._in_use = threading.Lock()
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= 240 else None
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._announced = int(count) if not is_live and 0 < count < 1e9 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # OpenCV crashes where a capture goes while a thread still waits for its frame.
        if self._in_use.acquire(timeout=_RELEASE_WAIT_S):
            self._capture.release()
            self._in_use.release()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        started = time.monotonic()
        while True:
            image = self._read()
            if image is None:
                break
            time_s = time.monotonic() - started if self.is_live else index / (self.fps or 25.0)
            yield Frame(image, index, time_s, self._name)
            index += 1
        self._check_end(index)

    def _read(self) -> np.ndarray | None:
        tries = _CAMERA_TRIES if self.is_live else 1
        for attempt in range(tries):
            with self._in_use:
                has_frame, image = self._capture.read()
            if has_frame and image is not None and image.size:
                return image
            if attempt + 1 < tries:
                time.sleep(_CAMERA_WAIT_S)
        return None

    def _check_end(self, read_count: int) -> None:
        if read_count == 0:
            kind = "camera" if self.is_live else "video"
            raise SourceError(
                f"{kind} {self._name} opened but gave no frame; "
                + ("is another program using it?" if self.is_live else "the file is damaged")
            )
        if self.is_live:
            raise SourceError(f"camera {self._name} gave no more frames after {read_count}")
        if self._announced and read_count < self._announced * _LEAST_PART_READ:
            raise SourceError(
                f"video {self._name} is damaged: it broke off after {read_count} of "
                f"{self._announced} frames"
            )


class StillSource:
    """Photos, one frame each; unreadable ones are named and counted."""

    fps = None
    is_live = False

    def __init__(self, paths: list[Path], name: str) -> None:
        self._paths, self._name = paths, name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        skipped = 0
        for path in self._paths:
            try:
                image_bgr = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
            except UnreadableImageError as error:
                logger.warning("skipped: %s", error)
                skipped += 1
                continue
            yield Frame(image_bgr, index, float(index), str(path), is_still=True)
            index += 1
        if skipped:
            logger.warning("%d unreadable files skipped", skipped)
        if index == 0:
            raise SourceError(f"{self._name} holds no readable photo")


def open_source(text: str) -> FrameSource:
    """Open what a person named.

    Args:
        text: a camera index (`0`) or device (`/dev/video0`), an address (`rtsp://...`), a video
            file, a photo, or a folder of photos.

    Raises:
        SourceError: it is not there, or can't be opened.
    """
    if text.isdigit():
        return _open_camera(int(text), text)
    if "://" in text:
        return _open_stream(text)
    path = Path(text).expanduser()
    if not path.exists():
        raise SourceError(
            f"no source {text}: expected a camera index such as 0, an address such as "
            f"rtsp://host/path, a video file, a photo, or a folder of photos"
        )
    if path.is_dir():
        return StillSource(photos_in(path), text)
    if path.is_char_device():
        return _open_camera(str(path), text)
    if _is_photo(path):
        return StillSource([path], text)
    return _open_video(path)


def photos_in(folder: Path) -> list[Path]:
    """All files below a folder that are not hidden, in order; what they hold is found on reading.

    Raises:
        SourceError: not one file.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    if not paths:
        raise SourceError(f"folder {folder} holds no files; expected photos")
    return paths


def _open_camera(device: int | str, name: str) -> CaptureSource:
    capture = cv2.VideoCapture(device)
    if not capture.isOpened():
        raise SourceError(
            f"no camera {name}; plug one in, try another index, or name a video file, photo or "
            f"folder with --source"
        )
    return CaptureSource(capture, name, is_live=True)


def _open_stream(address: str) -> CaptureSource:
    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        _STREAM_TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        _STREAM_TIMEOUT_MS,
    ]
    # User and password are nobody's business, before the host or in the query.
    shown = re.sub(r"://.*@", "://", address).split("?")[0]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        raise SourceError(f"nothing answers at {shown} within {_STREAM_TIMEOUT_MS / 1000:.0f} s")
    return CaptureSource(capture, shown, is_live=True)


def _open_video(path: Path) -> CaptureSource:
    capture = cv2.VideoCapture(str(path))
    # FFmpeg plays text files as films of a terminal.
    is_text = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter_fourcc(*"ansi")
    if is_text or not capture.isOpened():
        raise SourceError(
            f"{path} is neither a photo nor a video that can be read "
            f"({path.stat().st_size} bytes): damaged, cut off, or another kind of file"
        )
    return CaptureSource(capture, str(path), is_live=False)


def _is_photo(path: Path) -> bool:
    """Whether a file begins like a photo; a damaged one does too, and is refused on reading.

    FFmpeg would show what is left of it as a film of one frame.
    """
    try:
        with path.open("rb") as file:
            if _FILM.match(file.read(16)):
                return False  # Pillow would first load all its readers, for a tenth of a second
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return image.format != "MPEG"  # a film, which Pillow knows but can't read
    except Exception:  # Pillow's readers raise struct.error, IndexError and more
        return False
