"""One thread that opens a live capture, reads it without a break and releases it.

Nobody else touches the capture: a read may hang in a driver or wait for a dead server, and OpenCV
crashes where a capture is released meanwhile. Whoever no longer wants it tells the thread to end,
and goes on; the thread does so when its read returns.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mask_detector.capture.captures import Capture, frame_count, frame_rate, read_picture
from mask_detector.errors import SourceError

_MOST_PATIENCE_S = 2.0  # with reads that fail; webcams give nothing at first, and skip frames
_FAILED_READ_WAIT_S = 0.01  # less than a frame lasts, or a stream would be read too slowly
_SLOW_READ_S = 0.003  # a failing read that took longer has waited for something that came


@dataclass(frozen=True)
class Reading:
    """A picture, and when it was read."""

    image: np.ndarray  # (h, w, 3) uint8 BGR
    number: int  # among those of this capture, counting those that nobody took
    monotonic_s: float
    utc_s: float  # seconds since 1970


class CaptureThread:
    """Keeps the newest picture of a capture until it is taken.

    `error` says why it could not be opened. `fps` and `frame_count` are known once it `is_open`;
    once it `is_over` there will be no more pictures than those that were read.
    """

    def __init__(self, open_capture: Callable[[], Capture], patience_s: float) -> None:
        """
        Args:
            open_capture: opens what is then read; raises SourceError where it can't.
            patience_s: how long reads may fail before the capture is at its end, at most 2; of a
                stream whose pictures arrive but can't be decoded the next may be whole again.
        """
        self._open_capture = open_capture
        self._patience_s = min(patience_s, _MOST_PATIENCE_S)
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._newest: Reading | None = None
        self._read_count = 0
        self.is_open = self.is_over = False
        self.error: SourceError | None = None
        self.fps: float | None = None
        self.frame_count: int | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to open and to read, where that has not begun and is still wanted."""
        with self._changed:
            if self._thread.ident is None and not self._stopped.is_set():
                self._thread.start()

    def stop(self) -> None:
        """Tell it to end; whoever waits for a picture wakes up without one."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for its end; False where it is still in the middle of a read."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def wait_until_open(self, timeout_s: float) -> bool:
        """False where opening failed, took longer, or is not wanted any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.is_open or self.is_over or self._stopped.is_set(), timeout_s
            )
            return self.is_open

    def take(self, timeout_s: float) -> Reading | None:
        """The newest picture that was not taken yet; None where none comes in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest or self.is_over or self._stopped.is_set(), timeout_s
            )
            reading, self._newest = self._newest, None
            return None if self._stopped.is_set() else reading

    def _run(self) -> None:
        try:
            capture = self._open_capture()
            try:
                self._note_open(capture)
                self._read(capture)
            finally:
                capture.release()
        except SourceError as error:
            self.error = error
        except Exception as error:  # its words may hold an address with a password
            self.error = SourceError(f"OpenCV failed with {type(error).__name__}")
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def _note_open(self, capture: Capture) -> None:
        self.fps, self.frame_count = frame_rate(capture), frame_count(capture)
        with self._changed:
            self.is_open = True
            self._changed.notify_all()

    def _read(self, capture: Capture) -> None:
        last_sign = time.monotonic()  # of life
        while not self._stopped.is_set():
            asked = time.monotonic()
            image = read_picture(capture)
            now = time.monotonic()
            if image is not None:
                self._offer(image, now)
            if image is not None or now - asked > _SLOW_READ_S:
                last_sign = now
            elif now - last_sign > self._patience_s:
                return
            if image is None:
                self._stopped.wait(_FAILED_READ_WAIT_S)

    def _offer(self, image: np.ndarray, now: float) -> None:
        with self._changed:
            self._newest = Reading(image, self._read_count, now, time.time())
            self._read_count += 1
            self._changed.notify_all()
