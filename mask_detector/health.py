"""Whether the watching goes on: numbers for each source, as frames come in and sources change.

Use:
    board = HealthBoard(timeout_s=10)
    for source in sources:
        if source.is_live:
            board.await_source(source.name)
    with HealthServer(board, "8080"):
        watch(sources, judge, [HealthSink(board)], signals=signals)
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mask_detector.drawing import AnnotatedFrame
from mask_detector.labels import printable
from mask_detector.sinks import FrameSink

if TYPE_CHECKING:
    from mask_detector.events.records import SourceChange

_RATE_S = 10.0  # frames per second are those of so many seconds
_LEAST_RATE_S = 1.0  # the first frame alone says nothing about a rate


@dataclass(frozen=True)
class SourceHealth:
    """What is known of a source at one moment."""

    is_live: bool
    is_connected: bool
    is_stalled: bool  # lost, or live and without a frame for longer than it may be
    frames: int  # judged ones
    frames_per_second: float  # of the last 10 s
    last_frame_age_s: float | None  # None before the first frame
    tracks: int  # people followed in the newest frame
    losses: int
    problem: str  # why it is lost; empty while it is not


@dataclass
class _Source:
    is_live: bool
    since_s: float  # when it was first heard of, then when its first frame came
    is_connected: bool = True
    frame_count: int = 0
    newest_s: float | None = None
    times_s: deque[float] = field(default_factory=deque)  # of the frames of the last 10 s
    track_count: int = 0
    loss_count: int = 0
    problem: str = ""

    def forget_frames_before(self, time_s: float) -> None:
        while self.times_s and self.times_s[0] < time_s:
            self.times_s.popleft()


class HealthBoard:
    """Counts for each source what comes out of the judging; any thread may ask.

    Frames count once they are judged and on their way to the sinks: who stalls behind the camera
    is seen, too.
    """

    def __init__(
        self, timeout_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            timeout_s: a live source without a frame for longer than this has stalled.
            clock: seconds that never go back.
        """
        self._timeout_s, self._clock = timeout_s, clock
        self._sources: dict[str, _Source] = {}
        self._lock = threading.Lock()

    def await_source(self, name: str) -> None:
        """Know of a live source before its first frame, which may never come."""
        with self._lock:
            self._source(name, True)

    def frame(self, annotated: AnnotatedFrame) -> None:
        """Count a judged frame; photos are one source, whatever their number."""
        frame, now_s = annotated.frame, self._clock()
        with self._lock:
            source = self._source(frame.stream, frame.utc_s is not None)
            if source.newest_s is None:
                source.since_s = now_s
            source.frame_count += 1
            source.newest_s = now_s
            source.times_s.append(now_s)
            source.forget_frames_before(now_s - _RATE_S)
            source.track_count = sum(face.track_id is not None for face in annotated.faces)

    def source_changed(self, change: SourceChange) -> None:
        """Note that a live source was lost, or is back."""
        with self._lock:
            source = self._source(change.source, True)
            source.is_connected = not change.is_lost
            source.loss_count += change.is_lost
            source.problem = change.reason if change.is_lost else ""
            if change.is_lost:
                source.track_count = 0

    def sources(self) -> dict[str, SourceHealth]:
        """What is known of each source now, by its name."""
        now_s = self._clock()
        with self._lock:
            return {name: self._health(s, now_s) for name, s in self._sources.items()}

    def _source(self, name: str, is_live: bool) -> _Source:
        name = printable(name)  # a file's may hold bytes that no page could carry
        if name not in self._sources:
            self._sources[name] = _Source(is_live, self._clock())
        return self._sources[name]

    def _health(self, source: _Source, now_s: float) -> SourceHealth:
        source.forget_frames_before(now_s - _RATE_S)
        newest_s = source.newest_s
        waited_s = now_s - (source.since_s if newest_s is None else newest_s)
        is_late = source.is_live and waited_s > self._timeout_s
        rate_s = min(_RATE_S, max(_LEAST_RATE_S, now_s - source.since_s))
        return SourceHealth(
            is_live=source.is_live,
            is_connected=source.is_connected,
            is_stalled=is_late or not source.is_connected,
            frames=source.frame_count,
            frames_per_second=round(len(source.times_s) / rate_s, 2),
            last_frame_age_s=None if newest_s is None else round(waited_s, 3),
            tracks=source.track_count,
            losses=source.loss_count,
            problem=source.problem,
        )


class HealthSink(FrameSink):
    """Tells a board of frames, and of sources that change."""

    needs_picture = False

    def __init__(self, board: HealthBoard) -> None:
        self._board = board

    def write(self, annotated: AnnotatedFrame) -> None:
        self._board.frame(annotated)

    def source_changed(self, change: SourceChange) -> None:
        self._board.source_changed(change)
