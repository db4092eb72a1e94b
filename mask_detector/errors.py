"""What can go wrong, in words for the person at the command line.

Each message says what was received, what was expected and how to mend it; `cli.py` prints it
as one line and exits with the error's code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class MaskDetectorError(Exception):
    """Anything the user can mend; the command line prints it without a traceback."""

    exit_code = 1


class OptionError(MaskDetectorError):
    """An option that makes no sense, by itself or beside another: trying again is of no use."""

    exit_code = 2


class UnreadableImageError(MaskDetectorError):
    """A file that holds no picture we can decode."""


class DatasetError(MaskDetectorError):
    """A folder of photos from which no classifier can be trained."""


class ModelError(MaskDetectorError):
    """A model file that is missing, damaged, or does not say what its outputs mean."""


class SourceError(MaskDetectorError):
    """A camera, video or picture that gives no frame."""


class AssetError(MaskDetectorError):
    """A file that must be fetched once (detector weights, data set) and could not be."""


def first_line(error: Exception) -> str:
    """What an error of some library begins with, short enough to be part of our own line."""
    return (str(error).splitlines() or [repr(error)])[0][:200]


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around the writing of a file: what the system says becomes one line that names it."""
    try:
        yield
    except OSError as error:
        raise MaskDetectorError(f"{path} can't be written: {error}") from error
