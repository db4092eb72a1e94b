"""Iterate ahead in a thread, so that whoever takes the items seldom waits for them.

Use:
    frames = Prefetcher(camera, newest_only=True)
    judged = Prefetcher(map(judge, frames))
    with judged, frames:  # left from right to left
        for faces in judged:
            ...

Several sources take turns:
    with Interleaver([Prefetcher(camera, newest_only=True), Prefetcher(film)]) as frames:
        for frame in frames:
            ...

Threads pay although Python runs one at a time: decoding, networks and drawing are C++ that lets
others run meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

_PATIENCE_S = 2.0  # for the thread to end; a dead camera may keep it in its driver for ever


class Prefetcher(Generic[Item]):
    """Gives the items of an iterable in their order, fetched by a thread.

    What the iterable raises is raised here, after the items that came before it. The thread
    starts with the first item asked for. Leaving the context ends it, and wakes whoever waits for
    an item: for them the items are at an end.
    """

    def __init__(self, items: Iterable[Item], *, depth: int = 2, newest_only: bool = False) -> None:
        """
        Args:
            items: what to iterate; nobody else may from now on.
            depth: how many items are fetched before they are asked for, at most.
            newest_only: for live sources: fetch without a break, and let an item that nobody
                has taken give way to the next.
        """
        self._items = items
        self._depth, self._newest_only = depth, newest_only
        self._waiting: deque[Item] = deque(maxlen=1 if newest_only else None)
        self._changed = threading.Condition()
        self._is_at_end = self._is_closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fetch, name="prefetcher", daemon=True)

    def _fetch(self) -> None:
        try:
            items = iter(self._items)
            while self._wait_for_room():
                item = next(items)
                with self._changed:
                    self._waiting.append(item)
                    self._changed.notify_all()
        except StopIteration:
            pass
        except BaseException as error:  # the thread that takes the items raises it
            self._error = error
        with self._changed:
            self._is_at_end = True
            self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        """Wait until an item is wanted; False once none is any more."""
        with self._changed:
            if not self._newest_only:
                self._changed.wait_for(lambda: self._is_closed or len(self._waiting) < self._depth)
            return not self._is_closed

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        self._start()
        with self._changed:
            self._changed.wait_for(self._is_ready)
            return self._take()

    def or_none_after(self, patience_s: float) -> Iterator[Item | None]:
        """The items, and None whenever none has come for so long: something else may be due."""
        self._start()
        while True:
            with self._changed:
                is_ready = self._changed.wait_for(self._is_ready, patience_s)
                try:
                    item = self._take() if is_ready else None
                except StopIteration:
                    return
            yield item

    def _start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _is_ready(self) -> bool:
        """Whether `_take` has something to say; both under the lock."""
        return self._is_closed or self._is_at_end or bool(self._waiting)

    def _take(self) -> Item:
        if self._waiting and not self._is_closed:
            self._changed.notify_all()
            return self._waiting.popleft()
        error, self._error = self._error, None
        if error is not None and not self._is_closed:
            raise error
        raise StopIteration

    def _cancel(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()
        if self._thread.ident is None:
            return
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            logger.warning("a thread is still busy after %.0f s; it is left to itself", _PATIENCE_S)


class Interleaver(Generic[Item]):
    """Takes turns at several prefetchers; one that has nothing yet is passed over.

    One that fails does not stop the others: what it raised is raised when they are at their end.
    """

    def __init__(self, parts: Sequence[Prefetcher[Item]]) -> None:
        """
        Args:
            parts: prefetchers of which no item has been asked for; nobody else may from now on.
        """
        self._parts, self._running = parts, list(parts)
        self._changed = threading.Condition()
        for part in parts:
            part._changed = self._changed  # who waits for any of them waits once
        self._first_error: Exception | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        for part in self._parts:
            part._start()
        with self._changed:
            while self._running:
                self._changed.wait_for(lambda: any(part._is_ready() for part in self._running))
                part = next(part for part in self._running if part._is_ready())
                self._running.remove(part)
                try:
                    item = part._take()
                except StopIteration:
                    continue
                except Exception as error:
                    self._keep(error)
                    continue
                self._running.append(part)  # the last to be asked again
                return item
        error, self._first_error = self._first_error, None
        raise error or StopIteration

    def _keep(self, error: Exception) -> None:
        if self._first_error is None:
            self._first_error = error
        if self._running:
            logger.warning("%s; the other sources go on", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in self._parts:
            part._cancel()  # all at once: a thread may take a while to end
        for part in self._parts:
            part.__exit__(kind, error, trace)
