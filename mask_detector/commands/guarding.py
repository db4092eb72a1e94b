"""Options of a camera that is left running: what is kept, who is told, and how it is asked."""

from __future__ import annotations

import argparse
import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import positive
from mask_detector.commands.shared import DEFAULT_CONFIDENCES, open_face_detector, used_detect_size
from mask_detector.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from mask_detector.alarms.rules import AlarmRules
    from mask_detector.face_detectors import FaceDetector
    from mask_detector.sinks import FrameSink
    from mask_detector.sources import FrameSource
    from mask_detector.types import FaceBox


def add_guard_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of events, alarms, snapshots and the health page."""
    kept = parser.add_argument_group("what is kept")
    kept.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="write a line for each person (.jsonl or .csv): when their verdict settles, changes "
        "and when they leave; for each alarm, and each source lost and come back. No picture",
    )
    kept.add_argument(
        "--events-size",
        type=positive,
        default=10.0,
        metavar="MB",
        help="a larger file is put aside as FILE.1, and the ten newest of these are kept",
    )
    kept.add_argument(
        "--summary",
        type=positive,
        metavar="MINUTES",
        help="print every so many minutes how many people came and what they wore, by source",
    )
    kept.add_argument(
        "--snapshots",
        type=Path,
        metavar="DIR",
        help="keep a picture of each breach there, all faces blurred",
    )
    kept.add_argument(
        "--keep-days", type=positive, default=30.0, metavar="DAYS", help="then delete snapshots"
    )
    kept.add_argument(
        "--no-blur", action="store_true", help="do not blur faces in snapshots; see your law first"
    )
    alarms = parser.add_argument_group("alarms")
    alarms.add_argument(
        "--alarm",
        action="append",
        metavar="ADDRESS",
        help="raise alarms: sound, sound:FILE.wav, or an address of the apprise library, such as "
        "mailto://user:password@host, mqtt://host/topic, json://host/path (a webhook), "
        "tgram://token/chat; may be given several times",
    )
    alarms.add_argument(
        "--alarm-on",
        default="missing",
        metavar="A,B",
        help="what a breach is: missing (no mask), wrong (worn wrongly), or names of classes",
    )
    alarms.add_argument(
        "--alarm-after",
        type=positive,
        default=2.0,
        metavar="SECONDS",
        help="how long somebody must be seen so; less is quicker, and alarms more for nothing",
    )
    alarms.add_argument(
        "--alarm-every",
        type=positive,
        default=60.0,
        metavar="SECONDS",
        help="after an alarm the same person raises no other for so long",
    )
    parser.add_argument(
        "--health",
        metavar="[HOST:]PORT",
        help="answer http://HOST:PORT/healthz and /metrics (Prometheus); only this machine can "
        "ask unless HOST is another address, such as 0.0.0.0",
    )


def open_guard(
    args: argparse.Namespace,
    sources: Sequence[FrameSource],
    class_names: Sequence[str],
    stack: contextlib.ExitStack,
) -> list[FrameSink]:
    """Open what the options ask for; the stack closes it, the guard first.

    Args:
        args: see `add_guard_arguments`.
        sources: that will be watched.
        class_names: of the model.
        stack: takes what has to be closed.

    Raises:
        MaskDetectorError: a file, folder or address that can't be had.
    """
    sinks: list[FrameSink] = []
    listeners, sender, keeper = [], None, None
    if args.health:
        sinks.append(_open_health(args, sources, stack))
    if args.events:
        from mask_detector.events.log import EventLog

        log = stack.enter_context(EventLog(args.events, int(args.events_size * 1e6)))
        listeners.append(log.write)
    if args.summary:
        from mask_detector.summaries import SummarySink

        summaries = stack.enter_context(SummarySink(args.summary, print))
        listeners.append(summaries.add)
        sinks.append(summaries)
    if args.alarm:
        from mask_detector.alarms.sending import AlarmSender

        sender = stack.enter_context(AlarmSender(args.alarm))
    if args.snapshots:
        from mask_detector.snapshots import SnapshotKeeper

        keeper = SnapshotKeeper(args.snapshots, args.keep_days, is_blurred=not args.no_blur)
        stack.enter_context(keeper)
    if listeners or sender or keeper:
        from mask_detector.guard import GuardSink

        find_all = None if args.no_blur else _finder_of_all(args)
        rules = alarm_rules(args, class_names)
        guard = GuardSink(listeners, rules, sender, keeper, find_all)
        sinks.insert(0, stack.enter_context(guard))
    return sinks


def followers_of(args: argparse.Namespace) -> list[str]:
    """The options given that need people to be followed."""
    return [f"--{name}" for name in ("events", "summary", "alarm", "snapshots") if vars(args)[name]]


def check_followed(args: argparse.Namespace, sources: Sequence[FrameSource]) -> None:
    """Refuse to watch over photos: in them nobody stays, comes or goes.

    Raises:
        OptionError: all sources are photos, and an option speaks of people over time.
    """
    from mask_detector.sources import StillSource

    named = followers_of(args)
    if named and sources and all(isinstance(source, StillSource) for source in sources):
        raise OptionError(
            f"{', '.join(named)}: photos show nobody over time, so that there is nothing to "
            f"tell; leave it out, or see `image --json`"
        )


def _finder_of_all(args: argparse.Namespace) -> Callable[[np.ndarray], list[FaceBox]]:
    """Seek faces in four times the pixels and at half the score: some are none, and blurred."""
    size = used_detect_size(args, args.detect_size)

    @functools.cache
    def detector() -> FaceDetector:  # there may never be a breach to open it for
        return open_face_detector(args, DEFAULT_CONFIDENCES[args.detector] / 2, 2 * size)

    return lambda image: detector().detect(image)


def _open_health(
    args: argparse.Namespace, sources: Sequence[FrameSource], stack: contextlib.ExitStack
) -> FrameSink:
    from mask_detector.health import HealthBoard, HealthSink
    from mask_detector.health_server import HealthServer

    board = HealthBoard(args.timeout)
    for source in sources:
        if source.is_live:
            board.await_source(source.name)
    stack.enter_context(HealthServer(board, args.health))
    return HealthSink(board)


def alarm_rules(args: argparse.Namespace, class_names: Sequence[str]) -> AlarmRules:
    """When to raise an alarm.

    Raises:
        OptionError: on nothing that the model tells apart.
    """
    from mask_detector.alarms.rules import AlarmOptions, AlarmRules, read_alarm_on
    from mask_detector.labels import meaning_of

    alarm_on = read_alarm_on(args.alarm_on, class_names)
    is_of_use = any(name in alarm_on or meaning_of(name) in alarm_on for name in class_names)
    if (args.alarm or args.snapshots) and not is_of_use:
        raise OptionError(
            f"--alarm-on {args.alarm_on} would never raise an alarm, for the model tells apart "
            f"{', '.join(class_names)}; name some of these, as in --alarm-on {class_names[0]}"
        )
    return AlarmRules(AlarmOptions(alarm_on, args.alarm_after, args.alarm_every))
