"""`video`: watch a camera or play a file, box every face, show and save the result."""

from __future__ import annotations

import argparse
import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands.shared import add_judging_arguments, open_pipeline
from mask_detector.errors import MaskDetectorError

if TYPE_CHECKING:
    from mask_detector.sinks import FrameSink, TallySink
    from mask_detector.sources import FrameSource

HELP = "watch a camera or a video and box every face: green with a mask, red without"

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-s",
        "--source",
        default="0",
        help="camera index, network address, video file, photo, or folder of photos",
    )
    add_judging_arguments(parser)
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


def run(args: argparse.Namespace) -> int:
    from mask_detector.pipeline import watch
    from mask_detector.sinks import TallySink
    from mask_detector.sources import open_source

    if args.width and not 16 <= args.width <= 16384:
        raise MaskDetectorError(f"--width {args.width} is out of range: expected 16 to 16384, or 0")
    tally = TallySink()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(args.source))
        sinks = [tally, *_output_sinks(args, source)]
        pipeline = open_pipeline(args)
        if not args.no_display:
            sinks += _window_sinks()
        for sink in sinks:
            stack.enter_context(sink)
        started = time.monotonic()
        try:
            with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how a watch without a
                watch(source, pipeline, sinks, width=args.width)  # window ends
        finally:
            seconds = time.monotonic() - started
            stack.close()  # files are complete before anyone reads that they are
            if tally.frame_count:
                if args.output:
                    print(f"saved {args.output}")
                print(summary(tally, seconds))
    return 0


def summary(tally: TallySink, seconds: float) -> str:
    """`414 frames, 1210 faces (Mask 800, No Mask 410), 12.3 frames/s`."""
    from mask_detector.labels import display_name

    counts = ", ".join(f"{display_name(name)} {n}" for name, n in sorted(tally.face_counts.items()))
    total = tally.face_counts.total()
    return (
        f"{tally.frame_count} frames, {total} faces{f' ({counts})' if counts else ''}, "
        f"{tally.frame_count / max(seconds, 1e-9):.1f} frames/s"
    )


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


def _window_sinks() -> list[FrameSink]:
    from mask_detector.sinks import WindowSink, display_problem

    problem = display_problem()
    if problem:
        logger.info("%s; going on without a window", problem)
        return []
    return [WindowSink()]
