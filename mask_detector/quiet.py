"""Load TensorFlow without its start-up chatter.

Its C++ side writes a dozen lines to standard error before any log level applies (TensorFlow
2.21); for someone who watches a camera they look like errors.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator


def load_tensorflow() -> None:
    """Import TensorFlow and Keras; what they raise is raised, what they chat about is dropped."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with standard_error_dropped():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and says so at length where none is


@contextlib.contextmanager
def standard_error_dropped() -> Iterator[None]:
    """Drop what libraries write to standard error, below Python's own `sys.stderr` too.

    It is the process's own, so while several threads want it dropped it stays so until the last.
    """
    _standard_error.drop()
    try:
        yield
    finally:
        _standard_error.give_back()


class _StandardError:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes = 0  # to have it dropped
        self._kept = -1  # descriptor of what it was

    def drop(self) -> None:
        with self._lock:
            self._wishes += 1
            if self._wishes > 1:
                return
            sys.stderr.flush()
            self._kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)

    def give_back(self) -> None:
        with self._lock:
            self._wishes -= 1
            if not self._wishes:
                os.dup2(self._kept, 2)
                os.close(self._kept)


_standard_error = _StandardError()
