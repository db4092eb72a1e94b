"""Paths that begin with `~`, as people give them."""

from __future__ import annotations

from pathlib import Path

from mask_detector.errors import MaskDetectorError


def expanded(given: str | Path) -> Path:
    """The path with `~` and `~name` replaced by a home.

    Raises:
        MaskDetectorError: nobody of that name has one.
    """
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise MaskDetectorError(f"{given} can't be looked at: {error}") from error
