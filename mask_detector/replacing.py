"""Write a file whole or not at all: who is killed in the middle leaves what was there before.

with replacing(path) as partial:
    partial.write_bytes(data)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it takes its place in the end, and is gone if that fails.

    Raises:
        OSError: it can't be written, or can't take the place.
    """
    partial = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):  # a folder that never was holds no part either
            partial.unlink()
