"""End a benchmark as the command line ends: what the user can mend is one line, and exit code 1.

with errors_in_one_line():
    report(args)
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from mask_detector.errors import MaskDetectorError


@contextlib.contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Print an error to standard error, and exit with 1, where one comes out of the block."""
    try:
        yield
    except MaskDetectorError as error:
        sys.exit(f"error: {error}")
