"""What happens before a camera, in words that are kept: a verdict settles, a camera is lost.

event = WatchEvent("settled", time=event_time(frame), source=frame.source, track=7, ...)
line = json.dumps(event.to_dict())
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from mask_detector.types import Face, Frame

NOT_SURE_VERDICT = "not_sure"  # stands where a class name would
KINDS = ("settled", "changed", "left", "alarm", "lost", "returned")


@dataclass(frozen=True)
class WatchEvent:
    """One line of an events file."""

    event: str  # one of KINDS
    time: str | float  # of a camera ISO 8601 with zone, UTC; of a file seconds since it began
    source: str  # its name
    track: int | None = None  # number of the person within the source and run
    verdict: str = ""  # class name, or NOT_SURE_VERDICT
    confidence: float | None = None  # 0-1
    box: tuple[int, int, int, int] | None = None  # left, top, right, bottom in pixels
    seconds_seen: float | None = None  # since the track began
    message: str = ""  # why a source was lost

    def to_dict(self) -> dict[str, Any]:
        """Every field, in this order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class SourceChange:
    """A live source was lost, or is back."""

    source: str  # its name, without user and password
    is_lost: bool
    utc_s: float  # seconds since 1970
    reason: str  # why it is lost, or for how long it was


def face_event(
    kind: str, frame_time: str | float, source: str, face: Face, **told: Any
) -> WatchEvent:
    """An event about somebody, as their newest face shows them.

    Args:
        kind: one of KINDS.
        frame_time: see `event_time`.
        source: where they are.
        face: with its track.
        told: verdict, confidence and seconds seen, which may be those of more than this face.
    """
    box = tuple(int(edge) for edge in face.box.edges)  # JSON knows no numpy
    told["confidence"] = round(float(told["confidence"]), 4)
    told["seconds_seen"] = round(told["seconds_seen"], 3)
    return WatchEvent(kind, frame_time, source, track=face.track_id, box=box, **told)


def event_time(frame: Frame) -> str | float:
    """When a frame was taken: the file's clock of a file, the wall's of a camera."""
    return round(frame.time_s, 3) if frame.utc_s is None else utc_text(frame.utc_s)


def utc_text(utc_s: float) -> str:
    """Seconds since 1970 as `2026-11-21T18:40:00.123+00:00`."""
    return datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="milliseconds")
