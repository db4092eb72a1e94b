"""Count people by what they wore: each once, by the last verdict that settled.

counter = PeopleCounter()
for event in events:
    counter.add(event)
counter.take("door").percent  # since the last time
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from mask_detector.events.records import NOT_SURE_VERDICT, WatchEvent
from mask_detector.labels import NOT_SURE, Meaning, display_name, meaning_of
from mask_detector.wording import counted


@dataclass(frozen=True)
class Compliance:
    """How many people wore their mask."""

    people: int
    with_mask: int
    without_mask: int
    worn_wrongly: int
    not_sure: int
    others: dict[str, int] = field(default_factory=dict)  # of classes that are not about masks

    @classmethod
    def of(cls, verdicts: Iterable[str]) -> Compliance:
        """Count verdicts, one of each person."""
        counts = Counter(verdicts)
        meanings = Counter[Meaning]()
        others = {}
        for verdict, count in sorted(counts.items()):
            if meaning_of(verdict) is not Meaning.OTHER:
                meanings[meaning_of(verdict)] += count
            elif verdict != NOT_SURE_VERDICT:
                others[verdict] = count
        return cls(
            counts.total(),
            with_mask=meanings[Meaning.COMPLIANT],
            without_mask=meanings[Meaning.MISSING],
            worn_wrongly=meanings[Meaning.WRONG],
            not_sure=counts[NOT_SURE_VERDICT],
            others=others,
        )

    def __add__(self, other: Compliance) -> Compliance:
        return Compliance(
            self.people + other.people,
            with_mask=self.with_mask + other.with_mask,
            without_mask=self.without_mask + other.without_mask,
            worn_wrongly=self.worn_wrongly + other.worn_wrongly,
            not_sure=self.not_sure + other.not_sure,
            others=dict(Counter(self.others) + Counter(other.others)),
        )

    @property
    def percent(self) -> float | None:
        """Of those who could be judged, how many wore it as they should."""
        judged = self.with_mask + self.without_mask + self.worn_wrongly
        return 100 * self.with_mask / judged if judged else None

    @property
    def percent_text(self) -> str:
        """`91.3 %`; a dash where nobody could be judged."""
        return "-" if self.percent is None else f"{self.percent:.1f} %"

    @property
    def counts(self) -> dict[str, int]:
        """People by the words for their verdict, as shown."""
        return {
            Meaning.COMPLIANT.value: self.with_mask,
            Meaning.MISSING.value: self.without_mask,
            Meaning.WRONG.value: self.worn_wrongly,
            NOT_SURE: self.not_sure,
        } | {display_name(name): count for name, count in self.others.items()}

    def text(self) -> str:
        """`12 people: Mask 8, No Mask 3, Mask worn wrongly 1; compliance 66.7 %`."""
        counts = ", ".join(f"{words} {count}" for words, count in self.counts.items() if count)
        return (
            counted(self.people, "person", "people")
            + (f": {counts}" if counts else "")
            + (f"; compliance {self.percent_text}" if self.percent is not None else "")
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"percent": self.percent}


@dataclass
class Person:
    """Someone who was before a source, from when on, and what they wore at last."""

    source: str
    time: str | float  # of the event they were first counted at
    verdict: str


class PeopleCounter:
    """Makes people of events, in the order they were written; those of one log.

    Tracks are numbered anew in each run of the program, and a run that is killed says of nobody
    that they left: a verdict settles once for each person, so that a second time is another's.
    """

    def __init__(self) -> None:
        self.people: list[Person] = []  # those counted since they were last taken
        self._present: dict[tuple[str, int], Person] = {}  # by source and track

    def add(self, event: WatchEvent) -> None:
        """Take in an event; those that tell nothing of a person change nothing."""
        if event.track is None or event.event not in ("settled", "changed", "left"):
            return
        key = event.source, event.track
        person = self._present.get(key)
        # Nobody leaves without the verdict that settled: this one never had any.
        is_unsettled = event.event == "left" and event.verdict == NOT_SURE_VERDICT
        if person is None or event.event == "settled" or is_unsettled:
            person = Person(event.source, event.time, event.verdict)
            self.people.append(person)
            self._present[key] = person
        person.verdict = event.verdict
        if event.event == "left":
            del self._present[key]

    def take(self, source: str) -> Compliance:
        """Count the people of a source that nobody has taken yet, by their latest verdict."""
        taken = [person for person in self.people if person.source == source]
        self.people = [person for person in self.people if person.source != source]
        return Compliance.of(person.verdict for person in taken)
