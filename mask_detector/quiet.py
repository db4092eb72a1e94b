"""Load TensorFlow without its start-up chatter.

Its C++ side writes a dozen lines to standard error before any log level applies (TensorFlow
2.21); for someone who watches a camera they look like errors.
"""

from __future__ import annotations

import contextlib
import os
import sys
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
    """Drop what libraries write to standard error, below Python's own `sys.stderr` too."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
