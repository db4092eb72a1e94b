"""`video`: watch cameras or play files, box every face, show, save and report the result."""

from __future__ import annotations

import argparse
import contextlib
import logging
import queue
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.argument_types import positive
from mask_detector.commands.guarding import (
    add_guard_arguments,
    check_followed,
    followers_of,
    open_guard,
)
from mask_detector.commands.outputs import output_sinks, streams_of
from mask_detector.commands.shared import (
    WHOLE_PICTURES,
    add_judging_arguments,
    check_blurring,
    open_pipeline,
)
from mask_detector.errors import OptionError
from mask_detector.wording import counted

if TYPE_CHECKING:
    from mask_detector.pipeline import Pipeline
    from mask_detector.profiling import Profile
    from mask_detector.sinks import FrameSink, TallySink
    from mask_detector.sources import FrameSource, LiveOptions
    from mask_detector.types import Face, Frame

HELP = (
    "watch a camera or a video and box every face: green with a mask, red without; with --detector "
    "none judge each whole frame by itself, as of a camera over a belt, and raise alarms on classes"
)

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a TOML file of options, as in: width = 640; what stands on the command line wins. "
        "Paths in it are relative to the working folder",
    )
    parser.add_argument(
        "-s",
        "--source",
        action="append",
        metavar="[NAME=]SOURCE",
        help="camera index or device, network address, video file, photo, folder or pattern of "
        "photos, or a .txt file with one of these per line; may be given several times "
        "(default: 0)",
    )
    live = parser.add_argument_group("cameras and network addresses")
    live.add_argument(
        "--timeout",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="a source without a frame for so long is lost, and opened again",
    )
    live.add_argument(
        "--retries",
        type=int,
        metavar="N",
        help="give a lost source up after so many tries in a row (default: never)",
    )
    live.add_argument(
        "--wait", action="store_true", help="wait for a source that is not there at the start"
    )
    add_judging_arguments(parser, is_live=True)
    parser.add_argument(
        "--width",
        type=int,
        default=0,
        help="scale frames to this many pixels across first; less is faster to draw and save, 0 "
        "leaves them as they are",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="save the annotated video (.mp4, .avi, .mkv, .mov), of several sources one for each, "
        "with its name; or for a photo the annotated picture (.jpg, .png)",
    )
    parser.add_argument("--no-display", action="store_true", help="open no window")
    parser.add_argument("--blur", action="store_true", help="blur faces in window and output, too")
    calmness = parser.add_mutually_exclusive_group()
    calmness.add_argument(
        "--every-frame",
        action="store_true",
        help="classify each face in each frame, not only when it is new, unclear or has moved, and "
        "every tenth frame",
    )
    calmness.add_argument(
        "--no-tracks",
        action="store_true",
        help="judge each frame by itself: no face is followed, no verdict smoothed",
    )
    parser.add_argument("--show-ids", action="store_true", help="number the people in the picture")
    parser.add_argument(
        "--profile", action="store_true", help="print at the end what each stage of a frame takes"
    )
    add_guard_arguments(parser)


def run(args: argparse.Namespace) -> int:
    check_options(args)
    with contextlib.suppress(KeyboardInterrupt):  # to end a watch is no failure, however early
        _run(args)
    return 0


def _run(args: argparse.Namespace) -> None:
    from mask_detector.profiling import NO_PROFILE, Profile
    from mask_detector.sinks import TallySink
    from mask_detector.sources import open_sources
    from mask_detector.stopping import stop_on_signals
    from mask_detector.watching import Annotator, Signals, watch

    tally, profile = TallySink(), Profile() if args.profile else NO_PROFILE
    changes = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        opened = open_sources(args.source or ["0"], live_options(args), changes.put)
        sources = [stack.enter_context(source) for source in opened]
        check_followed(args, sources)
        sinks = [tally, *(stack.enter_context(sink) for sink in output_sinks(args, sources))]
        pipeline, windows = _open_pipeline_and_windows(args, profile, sources)
        sinks += [stack.enter_context(window) for window in windows]
        sinks += open_guard(args, sources, pipeline.classifier.card.class_names, stack)
        judge = judge_of(args, pipeline)
        annotate = Annotator(judge, with_ids=args.show_ids, is_blurred=args.blur)
        stop = stack.enter_context(stop_on_signals())
        signals = Signals(stop, changes)
        started = time.monotonic()
        try:
            watch(sources, annotate, sinks, width=args.width, profile=profile, signals=signals)
        finally:
            seconds = time.monotonic() - started
            try:
                stack.close()  # files are complete before anyone reads that they are
            finally:
                if tally.frame_count:
                    for path in (path for sink in sinks for path in sink.saved):
                        print(f"saved {path}")
                    print(summary(tally, seconds, is_whole=args.detector == WHOLE_PICTURES))
                    if args.profile:
                        print(profile.table())


def check_options(args: argparse.Namespace) -> None:
    """Refuse what argparse can't.

    Raises:
        MaskDetectorError: an option out of range, or two that can't go together.
    """
    if args.width and not 16 <= args.width <= 16384:
        raise OptionError(f"--width {args.width} is out of range: expected 16 to 16384, or 0")
    if args.retries is not None and args.retries < 0:
        raise OptionError(f"--retries {args.retries}: expected 0 or more")
    check_blurring(args)
    if args.detector == WHOLE_PICTURES:
        _check_whole_pictures(args)
    if args.no_tracks and followers_of(args):
        raise OptionError(
            "--no-tracks follows nobody, so that there are no people to count; leave it out with "
            "--events, --summary, --alarm and --snapshots"
        )


def _check_whole_pictures(args: argparse.Namespace) -> None:
    if args.summary:
        raise OptionError(
            "--summary counts people, whom --detector none looks for none of; leave it out (the "
            "last line says how many frames each class had)"
        )
    if args.snapshots and not args.no_blur:
        raise OptionError(
            "--detector none looks for no faces, so that snapshots would be blurred whole; add "
            "--no-blur, or leave out --snapshots"
        )


def live_options(args: argparse.Namespace) -> LiveOptions:
    """How long to wait for cameras, and how often to try."""
    from mask_detector.sources import LiveOptions

    return LiveOptions(timeout_s=args.timeout, retries=args.retries, wait=args.wait)


def summary(tally: TallySink, seconds: float, *, is_whole: bool = False) -> str:
    """`414 frames, 1210 faces (Mask 800, No Mask 410), 12.3 frames/s, 3 people`.

    Whole frames hold neither faces nor people: `414 frames (def_front 14, ok_front 400), ...`.
    """
    from mask_detector.labels import display_name

    counts = ", ".join(f"{display_name(name)} {n}" for name, n in sorted(tally.face_counts.items()))
    faces = "" if is_whole else f", {counted(tally.face_counts.total(), 'face')}"
    people = 0 if is_whole else tally.people_count
    dropped = tally.dropped_count
    return (
        f"{counted(tally.frame_count, 'frame')}{faces}{f' ({counts})' if counts else ''}, "
        f"{tally.frame_count / max(seconds, 1e-9):.1f} frames/s"
        + (f", {counted(people, 'person', 'people')}" if people else "")
        + (f", {counted(dropped, 'frame')} dropped" if dropped else "")
    )


def _open_pipeline_and_windows(
    args: argparse.Namespace, profile: Profile, sources: Sequence[FrameSource]
) -> tuple[Pipeline, list[FrameSink]]:
    """Load the models; a child process tries the display meanwhile."""
    if args.no_display:
        return open_pipeline(args, profile), []
    from concurrent.futures import ThreadPoolExecutor

    from mask_detector.display import display_problem
    from mask_detector.window import WindowSink

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(display_problem)
        pipeline = open_pipeline(args, profile)
        problem = asked.result()
    if problem:
        logger.info("%s; going on without a window", problem)
    return pipeline, [] if problem else [WindowSink(list(streams_of(sources)))]


def judge_of(args: argparse.Namespace, pipeline: Pipeline) -> Callable[[Frame], list[Face]]:
    """Follow faces, unless the options say otherwise; a whole picture is no face."""
    from mask_detector.pipeline import TrackingPipeline, WholePicturePipeline
    from mask_detector.tracking import TrackingOptions

    if args.no_tracks:
        return pipeline.judge_frame
    if args.detector == WHOLE_PICTURES:
        return WholePicturePipeline(pipeline)
    return TrackingPipeline(pipeline, TrackingOptions(every=1) if args.every_frame else None)
