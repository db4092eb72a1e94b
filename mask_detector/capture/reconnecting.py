"""A camera or stream that is left running: lost, opened anew, back again.

    with LiveSource("door", open_it, LiveOptions(timeout_s=5), on_change=print) as source:
        for frame in source:
            ...

Where no picture comes in time, the capture is given up, and after a while a new one is opened;
each further try waits twice as long. The frames' numbers and times go on. No frame is invented.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from mask_detector.capture.captures import Capture
from mask_detector.capture.thread import CaptureThread, Reading
from mask_detector.closing import Closing
from mask_detector.errors import SourceError
from mask_detector.events.records import SourceChange
from mask_detector.types import Frame
from mask_detector.wording import counted

logger = logging.getLogger(__name__)

_MOST_STUCK = 3  # captures that a dead driver may hold before no more are opened
_PATIENCE_S = 1.0  # for threads to end when a source is closed; a read may last longer
_SPARE_S = 1.0  # beyond the time that OpenCV was given to open: it has more to say about it


@dataclass(frozen=True)
class LiveOptions:
    """How long to wait for a camera, and what to do then."""

    timeout_s: float = 10.0  # without a frame, and the source is lost
    retries: int | None = None  # tries in a row to open it again; None: for ever
    wait: bool = False  # also for a source that is not there at the start
    first_wait_s: float = 1.0  # before the first of these tries; then twice as long each
    longest_wait_s: float = 60.0


DEFAULT_LIVE_OPTIONS = LiveOptions()


class LiveSource(Closing):
    """Iterates the newest frames of a capture that may come and go.

    Between two frames whoever iterates waits; `close`, from any thread, ends that at once.
    """

    is_live = True

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        options: LiveOptions = DEFAULT_LIVE_OPTIONS,
        on_change: Callable[[SourceChange], None] | None = None,
        open_limit_s: float | None = None,
    ) -> None:
        """
        Args:
            name: what frames, events and messages call it.
            open_capture: opens the camera or stream, each time anew; SourceError where it can't.
            options: how long to wait, and how often to try.
            on_change: told of each loss and return, in the thread that iterates.
            open_limit_s: how long opening may take; a little over the timeout by default.
        """
        self.name, self.options = name, options
        self.files: list[Path] = []  # a camera reads none
        self.fps: float | None = None
        self._open_capture = open_capture
        self._on_change = on_change or (lambda change: None)
        self._open_limit_s = open_limit_s or options.timeout_s + _SPARE_S
        self._lock = threading.Lock()  # of the threads, which `close` may find being exchanged
        self._closed = threading.Event()
        self._capture = self._new_capture()
        self._left: list[CaptureThread] = []  # told to end, but still in a read
        self._first_number = 0  # that a frame of this capture would have had if it was its first
        self._frame_count = 0
        self._began_s: float | None = None

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        deadline = time.monotonic() + _PATIENCE_S
        for capture in (*self._left, self._capture):
            capture.join(max(0.0, deadline - time.monotonic()))

    def start(self) -> None:
        """Begin to open it, beside whatever else is going on."""
        self._capture.start()

    def close(self) -> None:
        """End it; whoever iterates is at the end. Any thread may call it, and twice."""
        self._closed.set()
        with self._lock:
            self._capture.stop()

    def wait_until_open(self) -> None:
        """Wait until it is open; where it is not and may come later, that is fine.

        Raises:
            SourceError: it is not there.
        """
        if self._is_open() or self.options.wait or self._closed.is_set():
            return
        self.close()
        raise SourceError(self._why_not())

    @property
    def announced_count(self) -> int | None:
        """How many frames it says it has, once it is open; a camera says nothing."""
        return self._capture.frame_count

    def __iter__(self) -> Iterator[Frame]:
        while (reading := self._next()) is not None:
            yield self._frame(reading)

    def _next(self) -> Reading | None:
        """Wait for a picture, however long the source is lost; None once it is closed."""
        reading = self._take()
        if reading is not None or self._closed.is_set():
            return reading
        if self._began_s is None and not self.options.wait:
            self.close()
            raise SourceError(
                f"camera {self.name} opened but gave no frame; is another program using it?"
            )
        return self._recover(self._why_not())

    def _take(self) -> Reading | None:
        return self._capture.take(self.options.timeout_s) if self._is_open() else None

    def _is_open(self) -> bool:
        self._capture.start()
        is_open = self._capture.wait_until_open(self._open_limit_s)
        self.fps = self._capture.fps or self.fps
        return is_open

    def _why_not(self) -> str:
        if self._capture.error:
            return str(self._capture.error)
        if self._capture.is_over:
            return "it gave no more frames"
        if not self._capture.is_open:
            return f"camera {self.name} could not be opened within {self._open_limit_s:g} s"
        return f"no frame for {self.options.timeout_s:g} s"

    def _recover(self, reason: str) -> Reading | None:
        """Open it anew until it gives a picture; None once it is closed."""
        lost_s, tries, wait_s = time.monotonic(), 0, self.options.first_wait_s
        self._on_change(SourceChange(self.name, True, time.time(), reason))
        if self.options.retries != 0:  # else the error says it all
            logger.warning("camera %s is lost: %s; %s", self.name, reason, self._intention())
        while tries != self.options.retries:
            self._capture.stop()
            if self._closed.wait(wait_s):
                return None
            tries += 1
            reading = self._try_again()
            if reading is not None:
                away = f"after {time.monotonic() - lost_s:.1f} s"
                logger.info("camera %s is back %s", self.name, away)
                self._on_change(SourceChange(self.name, False, time.time(), away))
            if reading is not None or self._closed.is_set():
                return reading
            reason = self._why_not()
            wait_s = min(2 * wait_s, self.options.longest_wait_s)
        self.close()
        raise SourceError(self._last_words(reason, tries))

    def _intention(self) -> str:
        retries = self.options.retries
        limit = "until it is back" if retries is None else counted(retries, "time")
        return f"trying again {limit}"

    def _try_again(self) -> Reading | None:
        begun = dict.fromkeys((*self._left, self._capture))  # no new one: it is there already
        self._left = [capture for capture in begun if not capture.join(0)]
        if len(self._left) >= _MOST_STUCK:
            return None
        capture = self._new_capture()
        with self._lock:
            if self._closed.is_set():
                return None
            self._capture = capture
        self._first_number = self._frame_count
        return self._take()

    def _new_capture(self) -> CaptureThread:
        return CaptureThread(self._open_capture, self.options.timeout_s)

    def _last_words(self, reason: str, tries: int) -> str:
        what = f"{counted(tries, 'try', 'tries')} to open it again failed"
        if self._began_s is None:
            return f"{reason} ({what})" if tries else reason
        lost = f"camera {self.name} gave no more frames after {self._frame_count}"
        return f"{lost} ({what}: {reason})" if tries else lost

    def _frame(self, reading: Reading) -> Frame:
        if self._began_s is None:  # what was read before anyone wanted a frame does not count
            self._began_s = reading.monotonic_s
            self._first_number = -reading.number
        index = self._first_number + reading.number
        self._frame_count = index + 1
        time_s = reading.monotonic_s - self._began_s
        return Frame(reading.image, index, time_s, self.name, utc_s=reading.utc_s)
