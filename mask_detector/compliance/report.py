"""Sum up what cameras and files saw, by hour, day and source.

    report = WatchReport()
    for files in events_files(paths):
        for event in ...:
            report.add(event)
        report.end_log()
    rows = report.hours()

Hours and days are those of the machine's zone, also over a change to summer time; those of a file
are of its own clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

from mask_detector.compliance.counting import Compliance, PeopleCounter
from mask_detector.events.records import WatchEvent

Moment = datetime | float  # with its zone; of a file seconds since it began
Start = datetime | date | int | None  # of an hour, a day, an hour of a file; None is all the time


@dataclass(frozen=True)
class Row:
    """What a source saw in some time."""

    source: str
    start: Start
    compliance: Compliance
    alarms: int

    def to_dict(self) -> dict[str, Any]:
        start = self.start.isoformat() if isinstance(self.start, date) else self.start
        return {
            "source": self.source,
            "start": start,
            **self.compliance.to_dict(),
            "alarms": self.alarms,
        }


@dataclass
class Absence:
    """How often a source was lost, and for how long."""

    source: str
    count: int = 0
    seconds: float = 0.0  # of those that ended
    unended: int = 0  # whose end was not written: it is still away, or the program was killed


class WatchReport:
    """Takes events one by one, of any number of logs, and tells what they add up to.

    Args:
        zone: whose hours to use; the machine's by default.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._counter = PeopleCounter()
        self._people: list[tuple[str, Moment, str]] = []  # source, when first counted, verdict
        self._alarms: list[tuple[str, Moment]] = []
        self._absences: dict[str, Absence] = {}
        self._lost_since: dict[str, Moment] = {}
        self._zone_names: set[tuple[timedelta, str]] = set()
        self.event_count = 0
        self.damaged_count = 0  # lines
        self.first: datetime | None = None  # event of a camera, by its time
        self.last: datetime | None = None

    def add(self, event: WatchEvent | None) -> None:
        """Take in an event, in the order of writing; None stands for a damaged line."""
        if event is None:
            self.damaged_count += 1
            return
        self.event_count += 1
        self._counter.add(event)
        moment = self._moment(event.time)
        if isinstance(moment, datetime):
            self.first, self.last = (
                min(self.first or moment, moment),
                max(self.last or moment, moment),
            )
            self._zone_names.add((moment.utcoffset(), moment.tzname()))
        if event.event == "alarm":
            self._alarms.append((event.source, moment))
        else:
            self._note_absence(event, moment)

    def end_log(self) -> None:
        """Close a log: the tracks of the next are other people's, whatever their sources' names."""
        for person in self._counter.people:
            self._people.append((person.source, self._moment(person.time), person.verdict))
        self._counter = PeopleCounter()
        for source in list(self._lost_since):
            self._end_absence(source, None)

    def local(self, moment: datetime) -> datetime:
        """A moment in the report's zone, with that hour's own distance from UTC.

        Moments of one `ZoneInfo` compare by what their clocks show, and hours that come twice
        would be one.
        """
        there = moment.astimezone(self._zone)
        return there.replace(tzinfo=timezone(there.utcoffset(), there.tzname()))

    def hours(self) -> list[Row]:
        """What cameras saw in each hour that had people or alarms."""
        return self._rows(lambda time: time.replace(minute=0, second=0, microsecond=0), datetime)

    def file_hours(self) -> list[Row]:
        """What files showed in each hour of their own clocks."""
        return self._rows(lambda time: int(time // 3600), float)

    def days(self) -> list[Row]:
        """What cameras saw on each day."""
        return self._rows(lambda time: time.date(), datetime)

    def sources(self) -> list[Row]:
        """What each source saw."""
        return self._rows(lambda time: None)

    def total(self) -> Row:
        """What all sources saw; the name is left empty."""
        compliance = Compliance.of(verdict for _, _, verdict in self._people)
        return Row("", None, compliance, len(self._alarms))

    def absences(self) -> list[Absence]:
        """Of each source that was lost."""
        return [self._absences[source] for source in sorted(self._absences)]

    def zone_names(self) -> list[str]:
        """Whose hours these are: `CET (UTC+01:00)`; several over a change to summer time."""
        return [f"{name} ({_offset(offset)})" for offset, name in sorted(self._zone_names)]

    def to_dict(self) -> dict[str, Any]:
        return {
            "events": self.event_count,
            "damaged_lines": self.damaged_count,
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "zone": self.zone_names(),
            "total": self.total().to_dict(),
            "sources": [row.to_dict() for row in self.sources()],
            "days": [row.to_dict() for row in self.days()],
            "hours": [row.to_dict() for row in self.hours()],
            "file_hours": [row.to_dict() for row in self.file_hours()],
            "absences": [vars(absence) for absence in self.absences()],
        }

    def _moment(self, time: str | float) -> Moment:
        if isinstance(time, str):
            return self.local(datetime.fromisoformat(time))
        return float(time)

    def _note_absence(self, event: WatchEvent, moment: Moment) -> None:
        source = event.source
        if event.event == "lost":
            self._end_absence(source, None)
            self._absences.setdefault(source, Absence(source)).count += 1
            self._lost_since[source] = moment
        elif event.event == "returned":
            self._end_absence(source, moment)
        elif event.event == "settled":  # a later run sees somebody: nobody wrote that it is back
            self._end_absence(source, None)

    def _end_absence(self, source: str, moment: Moment | None) -> None:
        since = self._lost_since.pop(source, None)
        if since is None:
            return
        if isinstance(since, datetime) and isinstance(moment, datetime):
            seconds = (moment - since).total_seconds()
            self._absences[source].seconds += max(0.0, seconds)  # the clock may be set back
        else:
            self._absences[source].unended += 1

    def _rows(
        self, start_of: Callable[[Any], Start], kind: type | tuple[type, ...] = (datetime, float)
    ) -> list[Row]:
        """Sum up moments of one kind by source and what they are the start of, in order."""
        verdicts: defaultdict[tuple[Any, str], list[str]] = defaultdict(list)
        for source, moment, verdict in self._people:
            if isinstance(moment, kind):
                verdicts[start_of(moment), source].append(verdict)
        alarms = Counter(
            (start_of(moment), source)
            for source, moment in self._alarms
            if isinstance(moment, kind)
        )
        keys: dict[tuple[Any, str], Any] = {**verdicts, **alarms}
        in_order = sorted(keys, key=lambda key: key[1:] if key[0] is None else key)
        return [
            Row(source, start, Compliance.of(verdicts[start, source]), alarms[start, source])
            for start, source in in_order
        ]


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
