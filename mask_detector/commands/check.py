"""`check`: try everything that `video` would need with these options, and say what to mend."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mask_detector.commands import video
from mask_detector.commands.guarding import alarm_rules, check_followed, followers_of
from mask_detector.commands.outputs import output_sinks
from mask_detector.commands.shared import (
    LIVE_SSD_SIZE,
    WHOLE_PICTURES,
    open_classifier,
    open_face_detector,
    used_detect_size,
)
from mask_detector.errors import MaskDetectorError
from mask_detector.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from mask_detector.sources import FrameSource, LiveOptions

HELP = "try cameras, display, model, alarms and all else that `video` needs with these options"

Trial = Callable[[], str]  # says what was found; raises where it does not work
_MOST_AT_ONCE = 32
_USUAL_SIZE = (640, 480)  # of a camera's frames, where none of the sources has given one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    video.add_arguments(parser)
    parser.add_argument(
        "--no-alarms", action="store_true", help="send no test message to the alarm addresses"
    )


def run(args: argparse.Namespace) -> int:
    failure_count = 0
    for is_fine, line in _findings(args):
        print(f"{'ok   ' if is_fine else 'FAIL '} {line}")
        failure_count += not is_fine
    return 1 if failure_count else 0


class _Seen(NamedTuple):
    """Of the sources that could be opened."""

    sources: list[FrameSource]  # closed again
    frames: list[np.ndarray]  # the first of each, (h, w, 3) uint8 BGR


def _findings(args: argparse.Namespace) -> Iterator[tuple[bool, str]]:
    """Whether each thing works, and a line about it, as soon as it is known."""
    seen = _Seen([], [])
    yield _try("options", lambda: _options(args))
    yield from _sources(args, seen)
    if followers_of(args):
        yield _try("people", lambda: _people(args, seen.sources))
    if not args.no_display:
        yield _try("display", _display)
    yield _try("model", lambda: _model(args))
    yield _try("face detector", lambda: _face_detector(args, seen.frames))
    if args.alarm and not args.no_alarms:
        yield from _try_at_once("alarm", [lambda text=text: _alarm(text) for text in args.alarm])
    if args.events:
        yield _try("events", lambda: _events(args.events))
    if args.snapshots:
        yield _try("snapshots", lambda: _place(args.snapshots, is_folder=True))
    if args.output:
        yield _try("output", lambda: _output(args, seen.sources))
    if args.health:
        yield _try("health", lambda: _health(args.health))


def _try(what: str, trial: Trial) -> tuple[bool, str]:
    try:
        return True, f"{what} {trial()}"
    except MaskDetectorError as error:
        reason = str(error)
    except ImportError as error:
        reason = f"{error}; install what is missing with: pip install -r requirements.txt"
    except Exception as error:  # whatever it is, the other things are still to be tried
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return False, f"{what}: {reason}"


def _try_at_once(what: str, trials: Sequence[Trial]) -> Iterator[tuple[bool, str]]:
    """Try things that may take long to say that they are not there."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        yield from pool.map(lambda trial: _try(what, trial), trials)


def _options(args: argparse.Namespace) -> str:
    video.check_options(args)
    return f"of {args.config}: go together" if args.config else "go together"


def _sources(args: argparse.Namespace, seen: _Seen) -> Iterator[tuple[bool, str]]:
    """Try each source by itself, so that one that is dead hides no other."""
    from mask_detector.sources import LiveOptions, source_texts

    try:
        texts = source_texts(args.source or ["0"])
    except MaskDetectorError as error:
        yield False, f"source: {error}"
        return
    live = LiveOptions(timeout_s=args.timeout)
    yield from _try_at_once(
        "source", [lambda text=text: _source(text, live, seen) for text in texts]
    )


def _people(args: argparse.Namespace, sources: Sequence[FrameSource]) -> str:
    check_followed(args, sources)
    return "are followed from frame to frame"


def _source(text: str, live: LiveOptions, seen: _Seen) -> str:
    """Open what a text names, and look at a frame; a pattern may name several videos."""
    from mask_detector.sources import open_sources

    found = []
    with contextlib.ExitStack() as stack:
        for source in [stack.enter_context(source) for source in open_sources([text], live)]:
            frame = next(iter(source))
            seen.sources.append(source)
            seen.frames.append(frame.image)
            height, width = frame.image.shape[:2]
            rate = f" at {source.fps:g} frames/s" if source.fps else ""
            found.append(f"{source.name}: {width}x{height}{rate}")
    return "; ".join(found)


def _display() -> str:
    from mask_detector.display import display_problem

    if problem := display_problem():
        raise MaskDetectorError(f"{problem}; add --no-display to watch without a window")
    return "shows windows"


def _model(args: argparse.Namespace) -> str:
    from mask_detector.assets import find_file
    from mask_detector.engines import fastest_sibling
    from mask_detector.labels import display_name
    from mask_detector.model_file import kind_of

    path = fastest_sibling(find_file(args.model), args.engine)
    card = open_classifier(argparse.Namespace(**{**vars(args), "model": path, "engine": ""})).card
    alarm_rules(args, card.class_names)
    runners = {"tflite": f"LiteRT, {card.number_format}", "onnx": "ONNX Runtime"}
    engine = runners.get(kind_of(path), "Keras")
    names = ", ".join(display_name(name) for name in card.class_names)
    return f"{path}: run by {engine}; tells apart: {names}"


def _face_detector(args: argparse.Namespace, frames: Sequence[np.ndarray]) -> str:
    """Look for faces in the first frame there is, else in a grey one."""
    import numpy as np

    from mask_detector.ssd.by_shape import SsdByShape
    from mask_detector.ssd.litert import LiteRtSsdDetector

    detector = open_face_detector(args, args.confidence, args.detect_size)
    width, height = _USUAL_SIZE
    image = frames[0] if frames else np.full((height, width, 3), 128, np.uint8)
    if args.detector == WHOLE_PICTURES:
        return "none: whole frames are judged"
    count = len(detector.detect(image))
    height, width = image.shape[:2]
    found = f"{counted(count, 'face')} in a frame of {width}x{height}"
    if not isinstance(detector, SsdByShape):
        return f"{args.detector}: {found}"
    if isinstance(detector.run_for(width, height), LiteRtSsdDetector):
        return f"{args.detector}: run by LiteRT; {found}"
    advice = ""
    if args.detector != "ssd-opencv":
        advice = f" (`{_prepare_command(args, width, height)}` builds one that is quicker)"
    return f"{args.detector}: run by OpenCV{advice}; {found}"


def _prepare_command(args: argparse.Namespace, width: int, height: int) -> str:
    """What builds the quick run of the SSD that frames of this size are seen by."""
    from mask_detector.ssd.shapes import LIVE_ASPECTS, seen_shape, shape_of

    size = used_detect_size(args, args.detect_size)
    is_usual = seen_shape(width, height, size) in [shape_of(a, size) for a in LIVE_ASPECTS]
    return (
        "python -m mask_detector prepare"
        + ("" if size == LIVE_SSD_SIZE else f" --detect-size {size}")
        + ("" if is_usual else " --every-shape")
    )


def _alarm(text: str) -> str:
    """Send a test message, and wait until it has arrived."""
    from mask_detector.alarms.addresses import open_address
    from mask_detector.alarms.sending import check

    with contextlib.closing(open_address(text)) as address:
        name = address.name  # fit to be shown, which the text is not
    if problem := check(text):
        raise MaskDetectorError(f"{name}: {problem}; mend the address or its server")
    return f"{name}: a test was sent"


def _output(args: argparse.Namespace, sources: Sequence[FrameSource]) -> str:
    output_sinks(args, sources)  # opens nothing before the first frame
    return _place(args.output)


def _events(path: Path) -> str:
    from mask_detector.events.lines import format_of

    format_of(path)  # the name of a file that events can be written to
    return _place(path)


def _place(path: Path, *, is_folder: bool = False) -> str:
    """Whether a file, or files in a folder, can be written; nothing is left there."""
    import shutil
    import tempfile

    place = path.absolute()
    try:
        if place.exists() and not is_folder:
            place.open("ab").close()
        else:
            place = next(parent for parent in (place, *place.parents) if parent.exists())
            tempfile.TemporaryFile(dir=place).close()
        free_gb = shutil.disk_usage(place).free / 1e9
    except OSError as error:
        raise MaskDetectorError(
            f"{path} can't be written: {place}: {error.strerror}; choose another place, or give "
            f"this user the right to write there"
        ) from error
    return f"{path}: can be written, {free_gb:.1f} GB are free"


def _health(address: str) -> str:
    from mask_detector.health import HealthBoard
    from mask_detector.health_server import HealthServer

    with HealthServer(HealthBoard(), address) as server:
        return f"page {server.url}/healthz can be answered"
