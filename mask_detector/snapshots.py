"""Keep a picture of each breach, with all faces blurred, and delete it when its days are over.

    with SnapshotKeeper(Path("breaches"), keep_days=30) as keeper:
        path = keeper.save(annotated, event)  # 20261121T184000.123Z_DOOR_7_without_mask.jpg

Whether it was written days ago is told by the file's own time.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2

from mask_detector.closing import Closing
from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import writing
from mask_detector.events.records import WatchEvent

logger = logging.getLogger(__name__)

_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_QUALITY = 90  # of the JPEG, 0-100
_LONGEST_PART = 80  # bytes of a name's part; the system takes 255 for the whole
_OWN_NAME = re.compile(  # time, source, track, verdict, and a number where two are alike
    r"(\d{8}T\d{6}\.\d{3}Z|\d{6,}\.\d{3}s)_[^_]+_(\d+|none)_.+\.jpg"
)


class SnapshotKeeper(Closing):
    """Writes pictures into a folder and deletes its own old ones there, nothing else.

    Once open it never raises: while the disk is full, or the folder can't be reached, pictures are
    lost and counted. A thread looks for old ones now and then, since months may pass without a
    breach.

    Args:
        folder: where; made if it is not there.
        keep_days: from the writing of a picture until it is deleted.
        is_blurred: make every face unrecognisable.
        tidy_every_s: how often old ones are looked for.

    Raises:
        MaskDetectorError: nothing can be written there.
    """

    def __init__(
        self,
        folder: Path,
        keep_days: float = 30.0,
        *,
        is_blurred: bool = True,
        tidy_every_s: float = _HOUR_S,
    ) -> None:
        self._folder, self._keep_s, self._is_blurred = folder, keep_days * _DAY_S, is_blurred
        self._tidy_every_s = tidy_every_s
        self._lost_count = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass  # it could be made: breaches can be kept there
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tidy_often, name="snapshots", daemon=True)
        self._thread.start()

    def save(self, annotated: AnnotatedFrame, event: WatchEvent) -> Path | None:
        """Keep the picture of a breach; None where it could not be written."""
        picture = annotated.draw(is_blurred=self._is_blurred)
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = _write_new(self._folder / file_name(event), data.tobytes())
        except OSError as error:
            self._lost_count += 1
            if self._lost_count == 1:
                logger.warning("pictures of breaches can't be kept: %s", error)
            return None
        if self._lost_count:
            logger.warning("pictures are kept again; %d were lost", self._lost_count)
            self._lost_count = 0
        return path

    def close(self) -> None:
        """End the looking for old pictures."""
        self._closing.set()
        self._thread.join()

    def _tidy_often(self) -> None:
        while True:
            try:
                self._tidy()
            except OSError as error:  # a folder on a share that is away for a while
                logger.warning("old pictures in %s can't be deleted: %s", self._folder, error)
            if self._closing.wait(self._tidy_every_s):
                return

    def _tidy(self) -> None:
        """Delete what this class has written, once it is too old; one that can't be stops none."""
        oldest_s, failed = time.time() - self._keep_s, None
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not _OWN_NAME.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
                    continue
                try:
                    if entry.stat(follow_symlinks=False).st_mtime < oldest_s:
                        Path(entry.path).unlink()
                except OSError as error:
                    failed = error
        if failed:
            raise failed


def file_name(event: WatchEvent) -> str:
    """Time, source, track and verdict of a breach; of a file the seconds from its beginning."""
    if isinstance(event.time, str):
        at = datetime.fromisoformat(event.time).astimezone(UTC)
        time_text = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"
    else:
        time_text = f"{event.time:010.3f}s"
    track = "none" if event.track is None else str(event.track)
    verdict = _safe(event.verdict, "_")
    return f"{time_text}_{_safe(event.source, '-')}_{track}_{verdict}.jpg"


def _safe(text: str, separator: str) -> str:
    """Text as part of a file's name: letters, digits, dots and the separator; the end of it."""
    words = re.sub(r"[^\w.-]+|_+", separator, text)
    return words.encode()[-_LONGEST_PART:].decode(errors="ignore").strip(f"{separator}.") or "x"


def _write_new(path: Path, data: bytes) -> Path:
    """Write a file under this name or, where that is taken, one with a number; all or nothing."""
    target, number = path, 1
    while True:
        try:
            file = target.open("xb", buffering=0)
            break
        except FileExistsError:
            number += 1
            target = path.with_name(f"{path.stem}_{number}{path.suffix}")
    try:
        with file:
            written = file.write(data)
            if written < len(data):  # a disk that has just become full takes a part
                file.write(data[written:])
    except OSError:
        target.unlink(missing_ok=True)
        raise
    return target
