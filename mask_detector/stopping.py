"""End a long watch when the system or a person asks for it, between two frames.

Use:
    with stop_on_signals() as stop:
        while not stop.is_set():
            ...
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Set an event at SIGTERM, Ctrl-C or when the terminal is closed (SIGHUP).

    Who asks a second time is not kept waiting.

    Raises:
        KeyboardInterrupt: at the second signal.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
