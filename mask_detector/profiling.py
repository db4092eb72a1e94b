"""Measure what each stage of the live loop takes.

Use:
    profile = Profile()
    with profile.stage("detect"):
        boxes = detector.detect(image)
    print(profile.table())
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

# A frame's way through the loop; a table lists them in this order.
STAGES = ("capture", "detect", "track", "classify", "draw", "write")


class Profile:
    """Keeps the wall-clock time of each pass through each stage, of the last `MOST_PASSES`.

    Stages run in several threads, `capture` in one for each source; where they overlap, the sum
    of the stages is more than what a frame takes.
    """

    MOST_PASSES = 10_000  # a camera may be watched for days

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {
            name: deque(maxlen=self.MOST_PASSES) for name in STAGES
        }
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(STAGES, 0.0)  # of all passes, forgotten ones too

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Around one pass of a frame through a stage; a pass that fails is not counted."""
        return self._measured(name)

    @contextlib.contextmanager
    def _measured(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._add(name, time.perf_counter() - started)

    def _add(self, name: str, seconds: float) -> None:
        with self._lock:
            self._seconds[name].append(seconds)
            self._totals[name] += seconds

    def timed(self, name: str, items: Iterable[Item]) -> Iterable[Item]:
        """The same items; the time that each takes to come is counted as a pass."""
        started = time.perf_counter()
        for item in items:
            self._add(name, time.perf_counter() - started)
            yield item
            started = time.perf_counter()

    @property
    def milliseconds(self) -> dict[str, tuple[float, float]]:
        """Median and 95th percentile of each stage that was passed through."""
        return {
            name: tuple(np.percentile(np.array(seconds) * 1000, (50, 95)).tolist())
            for name, seconds in self._seconds.items()
            if seconds
        }

    @property
    def totals_s(self) -> dict[str, float]:
        """Seconds of each stage that was passed through, all its passes together."""
        return {name: total for name, total in self._totals.items() if self._seconds[name]}

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of the time of all stages together, 0-1."""
        totals = self.totals_s
        whole = sum(totals.values()) or 1.0
        return {name: total / whole for name, total in totals.items()}

    def table(self) -> str:
        """Lines for people, one per stage."""
        lines = ["stage      median ms    95 % ms  share"]
        shares = self.shares
        for name, (median, high) in self.milliseconds.items():
            lines.append(f"{name:<9} {median:>10.2f} {high:>10.2f} {shares[name]:>6.0%}")
        return "\n".join(lines)


class NoProfile(Profile):
    """Stands where nobody asked for a profile, and costs next to nothing."""

    _NOTHING = contextlib.nullcontext()

    def stage(self, name: str) -> AbstractContextManager[None]:
        return self._NOTHING

    def timed(self, name: str, items: Iterable[Item]) -> Iterable[Item]:
        return items


NO_PROFILE = NoProfile()
