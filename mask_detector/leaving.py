"""End a process although a camera's driver still holds one of its threads.

sys.exit(code_once_threads_allow(main()))
"""

from __future__ import annotations

import logging
import os
import sys
import threading

_THREAD_NAMES = {"capture", "prefetcher"}  # of those that read from cameras and servers


def code_once_threads_allow(code: int) -> int:
    """Give the exit code back; where a read still hangs, end the process with it here and now.

    Python (before 3.14) ends a thread that returns from C++ while the interpreter shuts down in
    such a way that the whole process aborts, after all went well.
    """
    if not any(thread.name in _THREAD_NAMES for thread in threading.enumerate()):
        return code
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
