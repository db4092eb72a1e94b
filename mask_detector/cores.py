"""How many processor cores there are to work with."""

from __future__ import annotations

import os


def core_count() -> int:
    """How many cores this process may use: a container or `taskset` may leave it few of many."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
