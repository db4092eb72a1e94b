"""End a process although a camera's driver or TensorFlow still holds one of its threads.

sys.exit(code_once_threads_allow(main()))
"""

from __future__ import annotations

import logging
import os
import sys
import threading

STOPPED = 130  # the exit code after Ctrl-C
_THREAD_NAMES = {"capture", "prefetcher"}  # of those that read from cameras and servers


def code_once_threads_allow(code: int) -> int:
    """Give the exit code back; where threads can't be waited for, end the process here and now.

    Python (before 3.14) ends a thread that returns from C++ while the interpreter shuts down in
    such a way that the whole process aborts, after all went well. And a training that was stopped
    in the middle of an epoch has TensorFlow wait for threads that wait for Python: for ever, now
    and then.
    """
    reads = any(thread.name in _THREAD_NAMES for thread in threading.enumerate())
    trained = code == STOPPED and "tensorflow" in sys.modules
    if not reads and not trained:
        return code
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
