"""Keep events in a file, line by line, whatever happens to the program or the disk.

    with EventLog(Path("events.jsonl")) as log:
        log.write(event)

A line reaches the system as soon as it is written, so that a kill loses at most that line. A file
that has grown too large is put aside as `events.jsonl.1`, older ones as `.2`, `.3` ...
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import math
import os
import threading
from pathlib import Path

from mask_detector.closing import Closing
from mask_detector.errors import MaskDetectorError, writing
from mask_detector.events.lines import LineFormat, format_of
from mask_detector.events.records import WatchEvent

logger = logging.getLogger(__name__)

_BLOCK = 65536  # bytes that are read at once where a file's last line is looked for


class EventLog(Closing):
    """Writes events as JSON (`.jsonl`) or CSV (`.csv`); any thread may write.

    Once open it never raises: while the disk is full, or the file can't be reached, events are
    counted as lost and the file is tried again with each.

    Args:
        path: the file; what stands in it is kept.
        max_bytes: a line that would make it larger begins a new file.
        backups: how many files to keep beside it, at least 1.

    Raises:
        MaskDetectorError: it can't be written, holds something else, or is in use.
    """

    def __init__(self, path: Path, max_bytes: int = 10_000_000, backups: int = 10) -> None:
        self._path, self._backups = path, backups
        self._max_bytes: float = max_bytes
        self._format = format_of(path)
        self._lock = threading.Lock()
        self._is_closed = False
        self._lost_count = 0
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: io.FileIO | None = _open(path, self._format)

    def write(self, event: WatchEvent) -> None:
        """Append an event."""
        line = self._format.encode(event)
        with self._lock:
            if self._is_closed:
                return
            try:
                self._append(line)
            except (OSError, MaskDetectorError) as error:
                self._let_go()  # the file may have been on a disk that is gone: open it anew
                self._count_lost(error)
                return
            if self._lost_count:
                logger.warning(
                    "events are written to %s again; %d were lost", self._path, self._lost_count
                )
                self._lost_count = 0

    def close(self) -> None:
        """Close the file; later events are dropped."""
        with self._lock:
            self._is_closed = True
            self._let_go()
            if self._lost_count:
                logger.warning("%d events are not in %s", self._lost_count, self._path)
                self._lost_count = 0

    def _append(self, line: bytes) -> None:
        if self._file is None or self._is_elsewhere(self._file):
            self._reopen()
        size = _size(self._file)
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            size = _size(self._file)
        data = line if size else self._format.header + line
        try:
            written = self._file.write(data)
            if written < len(data):  # a disk that has just become full takes a part
                self._file.write(data[written:])
        except OSError:
            self._file.truncate(size)
            raise

    def _is_elsewhere(self, file: io.FileIO) -> bool:
        """Someone has moved or deleted the file; nobody would find what is written to it."""
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True

    def _rotate(self) -> None:
        """Put the file aside, and begin a new one; the oldest of the others goes."""
        self._let_go()
        paths = [self._path, *(_part(self._path, n + 1) for n in range(self._backups))]
        try:
            for newer, older in reversed(list(itertools.pairwise(paths))):
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(older)
        except OSError as error:  # a folder that nothing may be renamed in
            logger.warning("%s can't be put aside and grows on: %s", self._path, error)
            self._max_bytes = math.inf
        self._reopen()

    def _reopen(self) -> None:
        self._let_go()
        self._file = _open(self._path, self._format)

    def _let_go(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # a disk that is gone
                file.close()

    def _count_lost(self, error: Exception) -> None:
        self._lost_count += 1
        if self._lost_count == 1:
            logger.warning(
                "events can't be written to %s: %s; the watching goes on, and they will be as soon "
                "as it is possible",
                self._path,
                error,
            )


def _part(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _size(file: io.FileIO) -> int:
    return os.fstat(file.fileno()).st_size


def _open(path: Path, form: LineFormat) -> io.FileIO:
    """Open a file to append to, after its last whole line.

    Raises:
        OSError: it can't be opened.
        MaskDetectorError: another program writes to it, or it holds something else.
    """
    file = io.FileIO(path, "a+")  # each write is one of the system's, always at the end
    try:
        _claim(file, path)
        file.seek(0)
        head = file.read(len(form.beginning)).lstrip(b"\0")  # zeros: a power cut leaves them
        if not form.beginning.startswith(head):
            raise MaskDetectorError(
                f"{path} holds something other than events; name a file of their own"
            )
        _cut_half_line(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _claim(file: io.FileIO, path: Path) -> None:
    """Keep others out until the file is closed, also by a kill."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise MaskDetectorError(
            f"{path} is being written by another run of this program; give each a file of its own"
        ) from error
    except OSError:  # a file system without locks
        return


def _cut_half_line(file: io.FileIO, path: Path) -> None:
    """Cut off what was being written when the program was killed or the power failed."""
    size = end = _size(file)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        file.truncate(end)
        logger.warning("%s ended in half a line: %d bytes cut off", path, size - end)
