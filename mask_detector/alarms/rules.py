"""Decide when a face without a mask is an alarm: one per breach, not one per flicker.

    rules = AlarmRules(AlarmOptions(after_s=2.0))
    for frame, faces in ...:
        for breach in rules.update(frame, faces):
            if breach.is_alarm:
                send(breach.event)

A breach is a person whose sure verdict has been a bad one for a while. Short gaps neither end it
nor start it anew. Who has raised an alarm raises no other for some time, even as a new track:
people turn round, are hidden by a pillar, go out and come back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mask_detector.errors import OptionError
from mask_detector.events.records import WatchEvent, event_time, face_event
from mask_detector.labels import Meaning, meaning_of
from mask_detector.pace import Pace
from mask_detector.types import ROUNDING_S, Face, FaceBox, Frame

_WORDS = {"missing": Meaning.MISSING, "wrong": Meaning.WRONG}
_LEAST_MEMORY_S = 2.0  # a track that is not seen for so long does not come back


@dataclass(frozen=True)
class AlarmOptions:
    """What is a breach, and how often it is told."""

    alarm_on: frozenset[Meaning | str] = frozenset({Meaning.MISSING})  # and names of classes
    after_s: float = 2.0  # for which the verdict must have been bad
    every_s: float = 60.0  # after an alarm nothing new is told of the same person
    forgive_s: float = 0.5  # of another verdict, or of none, that end no breach
    forgive_frames: int = 3  # nor do so many frames of it, however long they take
    absent_s: float = 3.0  # who is not seen for so long is still in that breach; see `pace`
    reach: float = 1.5  # sides of a face within which a new track may be the same person
    resized: float = 1.6  # up to this ratio of the sides


@dataclass(frozen=True)
class Breach:
    """Someone before a camera whose mask is missing, or worn wrongly."""

    event: WatchEvent  # of the kind "alarm"
    is_alarm: bool  # False while nothing new is told of this person
    is_new: bool = True  # False for one that was given before without an alarm, and is still on


@dataclass
class _Person:
    """A track and those that it has continued."""

    face: Face  # as last seen
    first_s: float  # when its newest track began
    seen_s: float
    bad_since_s: float | None = None  # None: in no breach, nor about to be
    last_bad_s: float = 0.0
    other_frames: int = 0  # since then
    is_told: bool = False  # whether this breach was given
    is_alarmed: bool = False  # and as an alarm
    alarmed_s: float = -math.inf

    def end_breach(self) -> None:
        self.bad_since_s, self.is_told, self.is_alarmed = None, False, False


class AlarmRules:
    """Looks at the faces of every source; its clock is the frames' `time_s`, per source.

    Faces without a track, as those of photos, are left out.
    """

    def __init__(self, options: AlarmOptions | None = None) -> None:
        self.options = options or AlarmOptions()
        self._people: dict[str, dict[int, _Person]] = {}  # of a source, by the newest track
        self._paces: dict[str, Pace] = {}  # of a source that has people

    def update(self, frame: Frame, faces: Sequence[Face]) -> list[Breach]:
        """Look at a frame's faces; the breaches that become one with this frame."""
        people = self._people.pop(frame.source, {})
        pace = self._paces.pop(frame.source, Pace())
        pace.take(frame.time_s)
        absent_s = pace.patience_s(self.options.absent_s)
        seen = {face.track_id: face for face in faces if face.track_id is not None}
        self._recognise(people, seen, frame.time_s)
        breaches = []
        for track, person in people.items():
            if track not in seen:
                self._miss(person, frame.time_s, absent_s)
            elif self._see(person, seen[track], frame.time_s, absent_s):
                breaches.append(self._tell(person, frame))
        kept = {track: p for track, p in people.items() if not self._is_past(p, frame.time_s)}
        if kept:  # a source that is photo after photo has a new name each time
            self._people[frame.source], self._paces[frame.source] = kept, pace
        return breaches

    def _recognise(self, people: dict[int, _Person], seen: dict[int, Face], now_s: float) -> None:
        """Give each new track to someone who has vanished near there, or to a new person."""
        for track, face in seen.items():
            if track in people:
                continue
            vanished = [
                (distance, old)
                for old, person in people.items()
                if old not in seen and (distance := self._distance(person, face.box)) is not None
            ]
            if vanished:
                person = people.pop(min(vanished)[1])
                person.first_s = now_s
            else:
                person = _Person(face, now_s, now_s)
            people[track] = person

    def _distance(self, person: _Person, box: FaceBox) -> float | None:
        """How far a box is from where one who raised an alarm was last, in pixels; None: too far.

        Who comes to that very place while the other is gone is taken for them; if the breach
        lasts, the alarm comes after `every_s`.
        """
        last, options = person.face.box, self.options
        sizes = sorted(math.sqrt(max(1, b.width * b.height)) for b in (last, box))
        distance = math.dist(last.centre, box.centre)
        is_near = distance <= options.reach * math.sqrt(max(1, last.width * last.height))
        is_like = is_near and sizes[1] <= options.resized * sizes[0]
        return distance if is_like and person.alarmed_s > -math.inf else None

    def _see(self, person: _Person, face: Face, now_s: float, absent_s: float) -> bool:
        """Take a person's newest face; True once there is something to tell."""
        if now_s - person.seen_s > absent_s:
            person.end_breach()
        person.face, person.seen_s = face, now_s
        if not self._is_bad(face):
            self._forgive(person, now_s)
            return False
        if person.bad_since_s is None:
            person.bad_since_s = now_s
        person.last_bad_s, person.other_frames = now_s, 0
        if person.is_told:
            return not person.is_alarmed and not self._is_quiet(person, now_s)
        return now_s - person.bad_since_s >= self.options.after_s - ROUNDING_S

    def _miss(self, person: _Person, now_s: float, absent_s: float) -> None:
        if not person.is_told:
            self._forgive(person, now_s)
        elif now_s - person.seen_s > absent_s:
            person.end_breach()

    def _forgive(self, person: _Person, now_s: float) -> None:
        """Count a frame that is not bad, up to where it ends the breach."""
        person.other_frames += 1
        is_long = now_s - person.last_bad_s > self.options.forgive_s + ROUNDING_S
        if is_long and person.other_frames > self.options.forgive_frames:
            person.end_breach()

    def _tell(self, person: _Person, frame: Frame) -> Breach:
        is_new, person.is_told = not person.is_told, True
        is_alarm = not self._is_quiet(person, frame.time_s)
        if is_alarm:
            person.is_alarmed, person.alarmed_s = True, frame.time_s
        face = person.face
        event = face_event(
            "alarm",
            event_time(frame),
            frame.source,
            face,
            verdict=face.label,
            confidence=face.confidence,
            seconds_seen=frame.time_s - person.first_s,
        )
        return Breach(event, is_alarm, is_new)

    def _is_bad(self, face: Face) -> bool:
        kinds = self.options.alarm_on
        # A held verdict may outlast its evidence for a moment: nobody is accused on less.
        is_sure = face.is_sure and face.confidence >= face.least_confidence
        return is_sure and (face.label in kinds or meaning_of(face.label) in kinds)

    def _is_quiet(self, person: _Person, now_s: float) -> bool:
        return now_s - person.alarmed_s < self.options.every_s - ROUNDING_S

    def _is_past(self, person: _Person, now_s: float) -> bool:
        """Whether nothing follows any more from having seen this person."""
        options = self.options
        memory_s = max(_LEAST_MEMORY_S, options.forgive_s, options.absent_s)
        if person.alarmed_s > -math.inf:
            memory_s = max(memory_s, options.every_s)
        return now_s - person.seen_s > memory_s


def read_alarm_on(text: str, class_names: Sequence[str] = ()) -> frozenset[Meaning | str]:
    """Read what raises an alarm: `missing`, `wrong` and names of classes, with commas between.

    Raises:
        MaskDetectorError: a word is neither, or nothing is named.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in _WORDS and word not in class_names:
            known = ", ".join([*_WORDS, *class_names])
            raise OptionError(f"{word!r} can't raise an alarm; expected one of {known}")
    if not words:
        raise OptionError("nothing to raise an alarm on; expected for instance missing,wrong")
    return frozenset(word if word in class_names else _WORDS[word] for word in words)
