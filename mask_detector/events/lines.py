"""How an event stands in a file: one line of JSON, or one of CSV.

    form = format_of(Path("events.jsonl"))
    line = form.encode(event)
    event = form.decode(line)

A line is a line: no text in it breaks it, so that a damaged one spoils no other.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mask_detector.errors import OptionError
from mask_detector.events.records import KINDS, WatchEvent
from mask_detector.labels import printable
from mask_detector.types import EDGES

_COLUMNS = ("event", "time", "source", "track", "verdict", "confidence", *EDGES,
            "seconds_seen", "message")  # fmt: skip
_PART = re.compile(r"\.(\d+)$")  # of a file that was put aside: events.jsonl.3
_YEARS = range(1970, 9999)  # in which any zone's clock can tell the time


@dataclass(frozen=True)
class LineFormat:
    """A way to write events, each as a line of UTF-8 that ends in a line feed."""

    header: bytes  # the first line of each file; may be empty
    beginning: bytes  # of each file, by which one that holds something else is known
    encode: Callable[[WatchEvent], bytes]
    values_of: Callable[[bytes], dict[str, Any]]  # a line as a WatchEvent's fields, not checked

    def decode(self, line: bytes) -> WatchEvent | None:
        """Read a line; None where it is damaged."""
        try:
            return _checked(self.values_of(line))
        except (ValueError, TypeError, OverflowError, RecursionError, csv.Error):
            return None


def format_of(path: Path) -> LineFormat:
    """Choose by the name; `events.jsonl.3`, a part that was put aside, is a `.jsonl`.

    Raises:
        MaskDetectorError: no name of an events file.
    """
    suffix = log_of(path).suffix.lower()
    if suffix not in FORMATS:
        raise OptionError(
            f"{path}: expected the name of an events file, ending in {' or '.join(FORMATS)}"
        )
    return FORMATS[suffix]


def log_of(path: Path) -> Path:
    """`events.jsonl` for `events.jsonl.3` and for itself."""
    return Path(_PART.sub("", str(path)))


def part_number(path: Path) -> int:
    """3 for `events.jsonl.3`; 0 for the file that is written to."""
    match = _PART.search(path.name)
    return int(match[1]) if match else 0


def _to_json(event: WatchEvent) -> bytes:
    values = {name: _one_line(value) for name, value in event.to_dict().items()}
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _from_json(line: bytes) -> dict[str, Any]:
    values = dict(json.loads(line))
    box = values.get("box")
    return values | {"box": box if box is None else tuple(box)}


def _to_csv(event: WatchEvent) -> bytes:
    values = event.to_dict()
    values |= dict(zip(EDGES, event.box or (None,) * 4, strict=True))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(_one_line(values[name]) for name in _COLUMNS)
    return text.getvalue().encode()


def _from_csv(line: bytes) -> dict[str, Any]:
    # Each line by itself: a stray quotation mark would swallow all that follow.
    (row,) = csv.reader([line.decode().rstrip("\r\n")], strict=True)
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in (*EDGES, "track", "confidence", "seconds_seen"):
        number = int if name in (*EDGES, "track") else float
        values[name] = number(values[name]) if values[name] else None
    box = tuple(values[side] for side in EDGES)
    values["box"] = None if box == (None,) * 4 else box
    if values["time"].replace(".", "", 1).isdecimal():
        values["time"] = float(values["time"])
    return values


def _one_line(value: Any) -> Any:
    """A text without line breaks and bytes that are not UTF-8, anything else as it is.

    JSON could carry line breaks, CSV not line by line: both write the same.
    """
    return " ".join(printable(value).splitlines()) if isinstance(value, str) else value


def _checked(values: dict[str, Any]) -> WatchEvent:
    """An event of what a line says; what later versions add is left out."""
    event = WatchEvent(**{n: values[n] for n in WatchEvent.__dataclass_fields__ if n in values})
    texts = (event.source, event.verdict, event.message)
    box = () if event.box is None else event.box
    if not (
        event.event in KINDS
        and _is_time(event.time)
        and all(isinstance(text, str) for text in texts)
        and (event.track is None or _is_whole(event.track))
        and all(n is None or _is_number(n) for n in (event.confidence, event.seconds_seen))
        and (event.box is None or (len(box) == 4 and all(map(_is_whole, box))))
    ):
        raise ValueError("not an event")
    return event


def _is_time(value: Any) -> bool:
    """Seconds since a file began, or a moment that names its zone."""
    if not isinstance(value, str):
        return _is_number(value) and value >= 0
    moment = datetime.fromisoformat(value)
    return moment.tzinfo is not None and moment.year in _YEARS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CSV_HEADER = (",".join(_COLUMNS) + "\n").encode()
FORMATS = {
    ".jsonl": LineFormat(b"", b'{"event": "', _to_json, _from_json),
    ".csv": LineFormat(_CSV_HEADER, _CSV_HEADER, _to_csv, _from_csv),
}
