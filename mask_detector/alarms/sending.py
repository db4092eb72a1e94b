"""Send alarms beside the watching: a dead server costs no frame, and no alarm.

    with AlarmSender(["sound", "json://localhost:8080/alarm"]) as sender:
        sender.send(event, picture)

Each address has a thread and a queue of its own, so that none waits for another.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from mask_detector.alarms.addresses import Alarm, AlarmAddress, open_address
from mask_detector.closing import Closing
from mask_detector.errors import MaskDetectorError
from mask_detector.events.records import WatchEvent, utc_text

logger = logging.getLogger(__name__)

_PATIENCE_S = 5.0  # at the end, for what is still to be sent
_BARE_TRY = 3  # every so many tries go without the picture, in case it is what is refused


class AlarmSender(Closing):
    """Takes alarms and sees to it that they arrive; a context manager.

    What fails is tried again with back-off, in order, until it arrives. Sounds are not: they are
    for the moment.

    Args:
        addresses: `sound`, `sound:FILE` or any address that apprise knows.
        queue_size: alarms that wait for an address, at most; the oldest give way.
        first_wait_s: after the first failure; twice as long after each that follows.
        longest_wait_s: between two tries.

    Raises:
        MaskDetectorError: nothing that alarms can be sent to.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        queue_size: int = 100,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 60.0,
    ) -> None:
        opened = [open_address(text) for text in dict.fromkeys(addresses)]
        for number, address in enumerate(opened):
            if any(address.name == other.name for other in opened[:number]):
                address.name += f" ({number + 1})"  # two web hooks of one server
        waits_s = first_wait_s, longest_wait_s
        self._outboxes = [_Outbox(address, queue_size, waits_s) for address in opened]

    def send(self, event: WatchEvent, picture: Path | None = None) -> None:
        """Hand an alarm over to every address; returns at once."""
        for outbox in self._outboxes:
            outbox.put(Alarm(event, picture))

    def close(self, patience_s: float = _PATIENCE_S) -> None:
        """Try once more to send what is left, for so long, and say what did not arrive."""
        end_s = time.monotonic() + patience_s
        for outbox in self._outboxes:
            outbox.begin_to_close()
        for outbox in self._outboxes:
            outbox.close(max(0.0, end_s - time.monotonic()))


def check(text: str) -> str | None:
    """Send a test message to an address, and wait for it: what is wrong, None where all is well."""
    message = "This is a test. Alarms arrive here."
    test = WatchEvent("test", utc_text(time.time()), "test", message=message)
    try:
        address = open_address(text)
    except MaskDetectorError as error:
        return str(error)
    with contextlib.closing(address):
        return address.deliver(Alarm(test))


class _Outbox:
    """The queue of one address, and the thread that empties it."""

    def __init__(
        self, address: AlarmAddress, queue_size: int, waits_s: tuple[float, float]
    ) -> None:
        self._address = address
        self._first_wait_s, self._longest_wait_s = waits_s
        self._queue_size = 1 if address.is_momentary else queue_size
        self._waiting: deque[Alarm] = deque()  # the first is being sent, and stays until it is
        self._changed = threading.Condition()
        self._is_closing = False
        self._try_count = self._dropped_count = 0  # since an alarm last arrived
        self._thread = threading.Thread(target=self._work, name="alarms", daemon=True)
        self._thread.start()

    def put(self, alarm: Alarm) -> None:
        """Add an alarm to the queue."""
        with self._changed:
            if self._is_closing:
                return
            self._waiting.append(alarm)
            if len(self._waiting) > self._queue_size:
                self._waiting.popleft()
                self._count_dropped()
            self._changed.notify_all()

    def begin_to_close(self) -> None:
        """Take no more alarms, and send the rest without waiting between tries."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def close(self, patience_s: float) -> None:
        """Wait until the rest has been tried, and say how much of it has not arrived."""
        self._thread.join(patience_s)
        with self._changed:
            count = len(self._waiting) + self._dropped_count
        if count and not self._address.is_momentary:
            logger.warning("alarms that have not reached %s: %d", self._address.name, count)

    def _work(self) -> None:
        with contextlib.closing(self._address):
            self._empty_queue()

    def _empty_queue(self) -> None:
        wait_s = self._first_wait_s
        while alarm := self._next():
            is_last_try = self._is_closing
            self._try_count += 1
            problem = self._address.deliver(self._bared(alarm))
            if problem is None:
                self._confirm(alarm)
                wait_s = self._first_wait_s
                continue
            self._complain(problem)
            if self._address.is_momentary:
                self._remove(alarm)
            elif is_last_try:
                return
            else:
                self._pause(wait_s)
                wait_s = min(2 * wait_s, self._longest_wait_s)

    def _next(self) -> Alarm | None:
        """Wait for the oldest alarm; None once there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closing)
            return self._waiting[0] if self._waiting else None

    def _bared(self, alarm: Alarm) -> Alarm:
        return Alarm(alarm.event) if self._try_count % _BARE_TRY == 0 else alarm

    def _pause(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, timeout=wait_s)

    def _confirm(self, alarm: Alarm) -> None:
        with self._changed:
            if not self._remove(alarm) and self._dropped_count:
                self._dropped_count -= 1  # it was dropped while it was on its way, and arrived
            try_count, self._try_count = self._try_count, 0
            if try_count == 1 and (self._waiting or not self._dropped_count):
                return
            dropped_count, self._dropped_count = self._dropped_count, 0
        dropped = f"; dropped meanwhile: {dropped_count}" if dropped_count else ""
        logger.warning("alarms reach %s again%s", self._address.name, dropped)

    def _remove(self, alarm: Alarm) -> bool:
        """Take a tried alarm out of the queue; False where it had to give way meanwhile."""
        with self._changed:
            is_first = bool(self._waiting) and self._waiting[0] is alarm
            if is_first:
                self._waiting.popleft()
            return is_first

    def _complain(self, problem: str) -> None:
        if self._try_count == 1:
            again = "" if self._address.is_momentary else "; they wait, and are tried again"
            logger.warning("alarms do not reach %s: %s%s", self._address.name, problem, again)

    def _count_dropped(self) -> None:
        if self._address.is_momentary:
            return
        self._dropped_count += 1
        if self._dropped_count == 1:
            logger.warning(
                "more than %d alarms wait for %s: the oldest are dropped",
                self._queue_size,
                self._address.name,
            )
