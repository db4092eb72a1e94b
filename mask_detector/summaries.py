"""Say now and then how many people came, and how many of them wore their mask.

summaries = SummarySink(minutes=15, say=print)
guard = GuardSink(listeners=[summaries.add])
watch(sources, annotate, [guard, summaries])
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mask_detector.compliance.counting import PeopleCounter
from mask_detector.drawing import AnnotatedFrame
from mask_detector.events.records import WatchEvent
from mask_detector.sinks import FrameSink
from mask_detector.types import Frame

logger = logging.getLogger(__name__)


class SummarySink(FrameSink):
    """Sums up each source by its own clock, and what is left at the end.

    A source that gives no frames has nothing to sum up; its next frame is late and says so.
    """

    needs_picture = False

    def __init__(self, minutes: float, say: Callable[[str], None]) -> None:
        """
        Args:
            minutes: between two summaries of a source.
            say: takes each as a line; that it can't is told once.
        """
        self._period_s, self._say = 60 * minutes, say
        self._is_unheard = False
        self._counter = PeopleCounter()
        self._begun: dict[str, tuple[float, str]] = {}  # when a source's period began
        self._newest: dict[str, str] = {}  # when its newest frame was taken

    def add(self, event: WatchEvent) -> None:
        """Count the people of whom events tell."""
        self._counter.add(event)

    def write(self, annotated: AnnotatedFrame) -> None:
        frame = annotated.frame
        if frame.is_still:
            return
        self._newest[frame.source] = _clock(frame)
        begun_s, _ = self._begun.setdefault(frame.source, (frame.time_s, _clock(frame)))
        if frame.time_s - begun_s >= self._period_s:
            self._sum_up(frame.source)
            self._begun[frame.source] = frame.time_s, _clock(frame)

    def close(self) -> None:
        for source in self._begun:
            self._sum_up(source)

    def _sum_up(self, source: str) -> None:
        (_, begin), end = self._begun[source], self._newest[source]
        try:
            self._say(f"{source}, {begin} to {end}: {self._counter.take(source).text()}")
        except OSError as error:  # a full disk, or nobody who listens
            if not self._is_unheard:
                logger.warning("summaries can't be written: %s; the watching goes on", error)
            self._is_unheard = True


def _clock(frame: Frame) -> str:
    """`18:40:02 UTC` of a camera, `0:12:30` of a file."""
    if frame.utc_s is None:
        return str(timedelta(seconds=int(frame.time_s)))
    return f"{datetime.fromtimestamp(frame.utc_s, UTC):%H:%M:%S} UTC"
