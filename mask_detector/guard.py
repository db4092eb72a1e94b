"""Watch over people instead of pictures: who came, what they wore, whether to raise an alarm.

with GuardSink(listeners=[log.write], alarm_rules=AlarmRules(), keeper=keeper) as guard:
    watch(sources, annotate, [guard])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mask_detector.drawing import AnnotatedFrame
from mask_detector.events.records import SourceChange, WatchEvent, utc_text
from mask_detector.people import PeopleWatch
from mask_detector.sinks import FrameSink
from mask_detector.types import FaceBox

if TYPE_CHECKING:
    from mask_detector.alarms.rules import AlarmRules
    from mask_detector.alarms.sending import AlarmSender
    from mask_detector.snapshots import SnapshotKeeper


class GuardSink(FrameSink):
    """Makes events of frames and tells them to whoever listens; sends alarms, keeps snapshots."""

    needs_picture = False

    def __init__(
        self,
        listeners: Sequence[Callable[[WatchEvent], None]] = (),
        alarm_rules: AlarmRules | None = None,
        sender: AlarmSender | None = None,
        keeper: SnapshotKeeper | None = None,
        find_all: Callable[[np.ndarray], list[FaceBox]] | None = None,
    ) -> None:
        """
        Args:
            listeners: what is called with each event, in the order of its time.
            alarm_rules: what counts as a breach; None raises no alarm.
            sender: what brings alarms to people.
            keeper: what keeps a picture of each breach.
            find_all: seeks faces of a picture more thoroughly than there is time for in every
                frame; whoever it finds is blurred in what is kept, too.
        """
        self._listeners, self._rules = listeners, alarm_rules
        self._sender, self._keeper, self._find_all = sender, keeper, find_all
        self._people = PeopleWatch()
        self._sources: set[str] = set()

    def write(self, annotated: AnnotatedFrame) -> None:
        frame, faces = annotated.frame, annotated.faces
        if frame.is_still:
            return  # nobody comes or goes in a photo
        self._sources.add(frame.source)
        self._tell(self._people.update(frame, faces))
        for breach in self._rules.update(frame, faces) if self._rules else ():
            picture = self._keep(annotated, breach.event) if breach.is_new else None
            if breach.is_alarm:
                self._tell([breach.event])
                if self._sender:
                    self._sender.send(breach.event, picture)

    def source_changed(self, change: SourceChange) -> None:
        if change.is_lost:
            self._tell(self._people.end(change.source))
        kind, time = "lost" if change.is_lost else "returned", utc_text(change.utc_s)
        self._tell([WatchEvent(kind, time, change.source, message=change.reason)])

    def close(self) -> None:
        for source in sorted(self._sources):
            self._tell(self._people.end(source))

    def _keep(self, annotated: AnnotatedFrame, event: WatchEvent) -> Path | None:
        if self._keeper is None:
            return None
        if self._find_all is not None:
            more = self._find_all(annotated.frame.image)
            annotated = dataclasses.replace(annotated, missed=(*annotated.missed, *more))
        return self._keeper.save(annotated, event)

    def _tell(self, events: Iterable[WatchEvent]) -> None:
        for event in events:
            for listen in self._listeners:
                listen(event)
