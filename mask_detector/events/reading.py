"""Read events back, with the files that were put aside, and past damaged lines.

for files in events_files([Path("events.jsonl")]):  # oldest first
    for file in files:
        for event in read_events(file):  # None for a damaged line
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mask_detector.errors import MaskDetectorError
from mask_detector.events.lines import format_of, log_of, part_number
from mask_detector.events.records import WatchEvent


def events_files(paths: Sequence[Path]) -> list[list[Path]]:
    """Find the files of each log, its oldest part first; none twice, however it was named.

    Args:
        paths: of logs, with all their parts, or of parts.

    Raises:
        MaskDetectorError: one is not there, or is no events file by its name.
    """
    logs: dict[Path, dict[Path, Path]] = {}  # by absolute names
    for path in paths:
        format_of(path)
        number = part_number(path)
        with _reading(path):
            named = {path} if number else {path, *_parts(path)}
            found = {file.absolute(): file for file in named if file.is_file()}
        if not found:
            raise MaskDetectorError(f"there is no events file {path}")
        logs.setdefault(log_of(path).absolute(), {}).update(found)
    return [sorted(files.values(), key=part_number, reverse=True) for files in logs.values()]


def read_events(path: Path) -> Iterator[WatchEvent | None]:
    """Give a file's events in the order they were written; None for a line that is damaged.

    Raises:
        MaskDetectorError: the file can't be read.
    """
    form = format_of(path)
    header = form.header.strip()
    with _reading(path), path.open("rb") as file:
        for line in file:
            text = line.strip(b"\r\n\0")  # zeros: a power cut leaves them
            if text not in (b"", header):
                yield form.decode(text)


def _parts(path: Path) -> Iterator[Path]:
    """The files of a log that were put aside."""
    if path.parent.is_dir():
        for file in path.parent.iterdir():
            number = part_number(file)
            if number and file.name == f"{path.name}.{number}":
                yield file


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MaskDetectorError(f"{path} can't be read: {error}") from error
