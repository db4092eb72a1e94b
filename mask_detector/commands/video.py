"""`video`: watch a camera or play a file, box every face, show and save the result."""

from __future__ import annotations

import argparse
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.shared import (
    LIVE_SSD_SIZE,
    add_judging_arguments,
    open_pipeline,
)
from mask_detector.errors import MaskDetectorError

if TYPE_CHECKING:
    from mask_detector.profiling import Profile
    from mask_detector.sinks import FrameSink, TallySink
    from mask_detector.sources import FrameSource
    from mask_detector.types import Face, Frame

HELP = "watch a camera or a video and box every face: green with a mask, red without"

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s",
        "--source",
        default="0",
        help="camera index, network address, video file, photo, or folder of photos",
    )
    add_judging_arguments(parser, ssd_size=LIVE_SSD_SIZE)
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
        help="save the annotated video (.mp4, .avi, .mkv, .mov), or for a photo the annotated "
        "picture (.jpg, .png)",
    )
    parser.add_argument("--no-display", action="store_true", help="open no window")
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


def run(args: argparse.Namespace) -> int:
    from mask_detector.pipeline import watch
    from mask_detector.profiling import NO_PROFILE, Profile
    from mask_detector.sinks import TallySink
    from mask_detector.sources import open_source

    if args.width and not 16 <= args.width <= 16384:
        raise MaskDetectorError(f"--width {args.width} is out of range: expected 16 to 16384, or 0")
    tally, profile = TallySink(), Profile() if args.profile else NO_PROFILE
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(args.source))
        sinks = [tally, *_output_sinks(args, source)]
        judge, windows = _open_judge_and_windows(args, profile)
        sinks += windows
        for sink in sinks:
            stack.enter_context(sink)
        options = {"width": args.width, "profile": profile, "with_ids": args.show_ids}
        started = time.monotonic()
        try:
            with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how a watch without a
                watch(source, judge, sinks, **options)  # window ends
        finally:
            seconds = time.monotonic() - started
            stack.close()  # files are complete before anyone reads that they are
            if tally.frame_count:
                if args.output:
                    print(f"saved {args.output}")
                print(summary(tally, seconds))
                if args.profile:
                    print(profile.table())
    return 0


def summary(tally: TallySink, seconds: float) -> str:
    """`414 frames, 1210 faces (Mask 800, No Mask 410), 12.3 frames/s, 3 people`."""
    from mask_detector.labels import display_name

    counts = ", ".join(f"{display_name(name)} {n}" for name, n in sorted(tally.face_counts.items()))
    total, people = tally.face_counts.total(), tally.people_count
    return (
        f"{tally.frame_count} frames, {total} faces{f' ({counts})' if counts else ''}, "
        f"{tally.frame_count / max(seconds, 1e-9):.1f} frames/s"
        + (f", {people} {'person' if people == 1 else 'people'}" if people else "")
        + (f", {tally.dropped_count} frames dropped" if tally.dropped_count else "")
    )


def _open_judge_and_windows(
    args: argparse.Namespace, profile: Profile
) -> tuple[Callable[[Frame], list[Face]], list[FrameSink]]:
    """Load the models; a child process tries the display meanwhile."""
    if args.no_display:
        return open_judge(args, profile), []
    from concurrent.futures import ThreadPoolExecutor

    from mask_detector.display import display_problem
    from mask_detector.sinks import WindowSink

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(display_problem)
        judge = open_judge(args, profile)
        problem = asked.result()
    if problem:
        logger.info("%s; going on without a window", problem)
    return judge, [] if problem else [WindowSink()]


def open_judge(args: argparse.Namespace, profile: Profile) -> Callable[[Frame], list[Face]]:
    """Load the models, and follow faces with them unless the options say otherwise."""
    from mask_detector.calibration import NOT_SURE_THRESHOLD
    from mask_detector.pipeline import TrackingPipeline
    from mask_detector.tracking import FaceTracker, TrackingOptions

    pipeline = open_pipeline(args, profile)
    if args.no_tracks:
        return pipeline.judge_frame
    card = pipeline.classifier.card
    options = TrackingOptions(every=1) if args.every_frame else TrackingOptions()
    least = card.thresholds.get(NOT_SURE_THRESHOLD, 0.0)
    return TrackingPipeline(pipeline, FaceTracker(card.class_names, least, 0.0, options))


def _output_sinks(args: argparse.Namespace, source: FrameSource) -> list[FrameSink]:
    from mask_detector.sinks import PICTURE_SUFFIXES, VIDEO_CODECS, PictureSink, VideoSink
    from mask_detector.sources import StillSource

    if args.output is None:
        return []
    if args.output.exists() and Path(args.source).exists() and args.output.samefile(args.source):
        raise MaskDetectorError(f"--output {args.output} is the source itself; choose another name")
    suffix = args.output.suffix.lower()
    is_still = isinstance(source, StillSource)
    if suffix in VIDEO_CODECS:
        return [VideoSink(args.output, source.fps or (1.0 if is_still else 25.0))]
    if suffix in PICTURE_SUFFIXES and Path(args.source).is_file() and is_still:
        return [PictureSink(args.output)]
    raise MaskDetectorError(
        f"--output {args.output} ends in {suffix or 'nothing'}; expected a video "
        f"({', '.join(VIDEO_CODECS)}), or for one photo a picture ({', '.join(PICTURE_SUFFIXES)})"
    )
