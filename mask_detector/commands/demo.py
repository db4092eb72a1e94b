"""`demo`: the whole program on embedded defaults; the camera where there is one, else a clip."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from mask_detector.commands import video
from mask_detector.commands.shared import WHOLE_PICTURES, add_judging_arguments, open_pipeline
from mask_detector.errors import MaskDetectorError, OptionError, SourceError

HELP = "show the program at work: on the camera if there is one, else on a clip it makes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_judging_arguments(parser, is_live=True)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("output"),
        metavar="DIR",
        help="folder for demo.mp4 and demo.jpg",
    )
    parser.add_argument(
        "--no-camera",
        action="store_true",
        help="make the clip even where there are a camera and a display",
    )


def run(args: argparse.Namespace) -> int:
    if args.detector == WHOLE_PICTURES:
        raise OptionError(
            "the demo shows a person whose face a detector has to find, and --detector none looks "
            "for none; leave it out"
        )
    if not args.no_camera and _has_camera_and_display():
        print("a camera and a display: watching, q in the window ends it")
        parser = argparse.ArgumentParser()
        video.add_arguments(parser)
        args.output = None
        return video.run(parser.parse_args([], args))  # adds the defaults of what is not there
    return _run_on_clip(args)


def _has_camera_and_display() -> bool:
    from mask_detector.display import display_problem
    from mask_detector.sources import open_source

    if display_problem():
        return False
    try:
        with open_source("0") as source:
            next(iter(source))
    except SourceError:
        return False
    return True


def _run_on_clip(args: argparse.Namespace) -> int:
    from mask_detector.demo import FRAMES_PER_PART, PartsSink, write_demo_clip
    from mask_detector.images import write_picture
    from mask_detector.sinks import TallySink, VideoSink
    from mask_detector.sources import open_source
    from mask_detector.watching import Annotator, watch

    pipeline = open_pipeline(args)
    clip, video_path, picture_path = (
        args.output / name for name in ("demo_source.mp4", "demo.mp4", "demo.jpg")
    )
    write_demo_clip(clip)
    tally, parts = TallySink(), PartsSink()
    started = time.monotonic()
    with open_source(str(clip)) as source, VideoSink(video_path, source.fps or 25.0) as saved:
        watch([source], Annotator(pipeline.judge_frame), [tally, parts, saved])
    seconds = time.monotonic() - started
    write_picture(parts.picture, picture_path)
    for what, verdicts in (("bare face", parts.bare), ("mask drawn on", parts.masked)):
        counts = ", ".join(f"{name} {n}" for name, n in verdicts.items())
        print(f"{what}: {FRAMES_PER_PART} frames, {counts or 'no face found'}")
    print(f"saved {video_path} and {picture_path}")
    print(video.summary(tally, seconds))
    expected = Counter({"No Mask": FRAMES_PER_PART}), Counter({"Mask": FRAMES_PER_PART})
    if (parts.bare, parts.masked) != expected:
        raise MaskDetectorError("the demo expected No Mask first and Mask after; see the counts")
    return 0
