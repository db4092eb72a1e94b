"""Photos as a source: one frame each, in order.

for frame in StillSource(photos_in(Path("photos")), "photos"):
    ...
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2

from mask_detector.closing import Closing
from mask_detector.errors import SourceError, UnreadableImageError
from mask_detector.images import read_image
from mask_detector.types import Frame
from mask_detector.wording import counted

logger = logging.getLogger(__name__)

# How films begin: AVI, Matroska, MP4 (whose other brands may be photos).
_FILM = re.compile(rb"(?s)RIFF....AVI |\x1aE\xdf\xa3|....ftyp(iso|mp4|avc|M4V|MSNV|qt)")


class StillSource(Closing):
    """Photos, one frame each; unreadable ones are named and counted."""

    fps = None
    is_live = False

    def __init__(self, paths: list[Path], name: str) -> None:
        self.files, self.name = paths, name
        self._is_closed = False

    def close(self) -> None:
        """Whoever iterates is at the end."""
        self._is_closed = True

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        skipped = 0
        for path in self.files:
            if self._is_closed:
                return
            try:
                image_bgr = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
            except UnreadableImageError as error:
                logger.warning("skipped: %s", error)
                skipped += 1
                continue
            yield Frame(image_bgr, index, float(index), str(path), is_still=True)
            index += 1
        if skipped:
            logger.warning("%s skipped", counted(skipped, "unreadable file"))
        if index == 0:
            raise SourceError(f"{self.name} holds no readable photo")


def photos_in(folder: Path) -> list[Path]:
    """All files below a folder that are not hidden, in order; what they hold is found on reading.

    Raises:
        SourceError: not one file.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )
    if not paths:
        raise SourceError(f"folder {folder} holds no files; expected photos")
    return paths


def absolute(path: Path) -> Path:
    """A path from the root: `..` goes, and unlike with `resolve` links keep their names."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def common_folder(photos: Sequence[Path]) -> Path:
    """The innermost folder that all photos lie below, absolute."""
    return Path(os.path.commonpath([absolute(path.parent) for path in photos]))


def is_photo(path: Path) -> bool:
    """Whether a file begins like a photo; a damaged one does too, and is refused on reading.

    FFmpeg would show what is left of it as a film of one frame.
    """
    try:
        with path.open("rb") as file:
            if _FILM.match(file.read(16)):
                return False  # Pillow would first load all its readers, for a tenth of a second
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return image.format != "MPEG"  # a film, which Pillow knows but can't read
    except Exception:  # Pillow's readers raise struct.error, IndexError and more
        return False
