"""Turn faces that are followed into people who are counted: a verdict settles, changes, leaves.

    watch = PeopleWatch()
    for frame, faces in ...:
        events = watch.update(frame, faces)
    events = watch.end(source)

What flickers is not written down: a verdict counts once it has been held for a while.
"""

from __future__ import annotations

from dataclasses import dataclass

from mask_detector.events.records import NOT_SURE_VERDICT, WatchEvent, event_time, face_event
from mask_detector.pace import Pace
from mask_detector.types import LEAST_FRAMES, LOST_S, ROUNDING_S, Face, Frame

_SETTLE_S = 0.5  # for which a sure verdict must be held without a break before it counts


@dataclass
class _Person:
    """A track, as far as it has been seen."""

    face: Face  # as last seen
    first_s: float
    seen_s: float
    frame_count: int = 0
    verdict: str | None = None  # the one that settled
    newest: str | None = None  # of the newest frame; None is not sure
    newest_since_s: float = 0.0


class PeopleWatch:
    """Follows the people before each source by the numbers of their tracks.

    Its clock is the frames' `time_s`. Faces without a number, as those of photos, are left out,
    and so are those that were seen in few frames.
    """

    def __init__(self) -> None:
        self._people: dict[str, dict[int, _Person]] = {}  # of a source, by track
        self._paces: dict[str, Pace] = {}  # of a source that has people
        self._newest_time: dict[str, str | float] = {}  # of a source that has people

    def update(self, frame: Frame, faces: list[Face]) -> list[WatchEvent]:
        """Look at a frame's faces, and say what has happened."""
        events = []
        now_s, source, time = frame.time_s, frame.source, event_time(frame)
        people, pace = self._people.get(source, {}), self._paces.get(source, Pace())
        pace.take(now_s)
        for face in faces:
            if face.track_id is None:
                continue
            person = people.setdefault(face.track_id, _Person(face, now_s, now_s))
            kind = self._see(person, face, now_s)
            if kind:
                events.append(_event(kind, time, source, person))
        for track, person in list(people.items()):
            if now_s - person.seen_s > pace.patience_s(LOST_S) + ROUNDING_S:
                del people[track]
                if self._is_counted(person):
                    events.append(_event("left", time, source, person))
        if people:
            self._people[source], self._newest_time[source] = people, time
            self._paces[source] = pace
        else:  # a source that is photo after photo has a new name each time
            self._forget(source)
        return events

    def end(self, source: str) -> list[WatchEvent]:
        """Let everyone leave a source that is over or lost, at the time of its newest frame."""
        people, time = self._people.get(source, {}), self._newest_time.get(source, 0.0)
        self._forget(source)
        return [_event("left", time, source, p) for p in people.values() if self._is_counted(p)]

    def _see(self, person: _Person, face: Face, now_s: float) -> str:
        """Take a person's newest face; the kind of event that it makes, mostly none."""
        person.face, person.seen_s = face, now_s
        person.frame_count += 1
        newest = face.label if face.is_sure else None
        if newest != person.newest:
            person.newest, person.newest_since_s = newest, now_s
        is_held = now_s - person.newest_since_s >= _SETTLE_S - ROUNDING_S
        if newest in (None, person.verdict) or not is_held or person.frame_count < LEAST_FRAMES:
            return ""
        kind = "changed" if person.verdict else "settled"
        person.verdict = newest
        return kind

    def _is_counted(self, person: _Person) -> bool:
        return person.verdict is not None or person.frame_count >= LEAST_FRAMES

    def _forget(self, source: str) -> None:
        self._people.pop(source, None)
        self._newest_time.pop(source, None)
        self._paces.pop(source, None)


def _event(kind: str, time: str | float, source: str, person: _Person) -> WatchEvent:
    face = person.face
    shown = person.verdict or face.label  # whose probability is told
    return face_event(
        kind,
        time,
        source,
        face,
        verdict=person.verdict or NOT_SURE_VERDICT,
        confidence=face.probabilities[face.class_names.index(shown)],
        seconds_seen=person.seen_s - person.first_s,
    )
