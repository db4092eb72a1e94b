"""How far apart the frames of a source are, and so how long a face may be out of sight.

A time-lapse camera takes one in two seconds: who is in each of its frames has not left in between.
"""

from __future__ import annotations

from collections import deque
from statistics import median

_LEAST_GAPS, _MOST_GAPS = 3, 5  # the usual one is their median: who was away is not slow
_FRAMES = 2.5  # for which a face may be missing, whatever time they take


class Pace:
    """Takes the time of each frame of one source."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=_MOST_GAPS)
        self._last_s: float | None = None

    def take(self, time_s: float) -> None:
        """Note when the next frame was taken; a clock that is set back says nothing."""
        if self._last_s is not None and time_s > self._last_s:
            self._gaps.append(time_s - self._last_s)
        self._last_s = time_s

    def patience_s(self, least_s: float) -> float:
        """So long, or longer where frames are further apart."""
        if len(self._gaps) < _LEAST_GAPS:
            return least_s
        return max(least_s, _FRAMES * median(self._gaps))
