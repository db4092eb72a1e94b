"""`benchmark`: the usual tutorial's loop against ours, in turn, on the same frames."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.commands import video
from mask_detector.commands.argument_types import detect_size, list_of, up_to
from mask_detector.commands.shared import LIVE_SSD_SIZE, add_face_argument, open_pipeline
from mask_detector.errors import OptionError, writing

if TYPE_CHECKING:
    from mask_detector.benchmark.child import Side, Start
    from mask_detector.benchmark.frames import Cutout
    from mask_detector.benchmark.measuring import Plan, Result

HELP = "measure frames per second, start-up and memory against the usual tutorial's loop"

# The sides and, for ours, the options that `video` is given.
SIDES: dict[str, list[str]] = {"classic": [], "tracks": [], "every frame": ["--every-frame"]}
_LEAST_SIDE, _MOST_SIDE, _MOST_FACES = 120, 4096, 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        default=Path("models/mask_detector.keras"),
        help="the classifier of both, a .keras file; ours may run what was exported from it",
    )
    add_face_argument(parser)
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="DIR",
        help="photos to take the faces from, best portraits (default: the portraits that "
        "matplotlib and scikit-image ship)",
    )
    parser.add_argument(
        "--sizes", type=list_of(_size), default="640x480,1280x720", help="of the frames"
    )
    parser.add_argument(
        "--faces",
        type=list_of(up_to(_MOST_FACES)),
        default="1,2,5,10",
        help="in each frame",
    )
    parser.add_argument(
        "--rounds",
        type=up_to(1000),
        default=5,
        help="turns of each side, for each size and faces",
    )
    parser.add_argument(
        "--frames",
        type=up_to(100_000),
        default=30,
        help="of the classic loop in a round; ours, which is soon through, goes over them 5 times",
    )
    parser.add_argument(
        "--starts",
        type=up_to(100),
        default=3,
        help="how often each side's start is measured",
    )
    parser.add_argument(
        "--detect-size",
        type=detect_size,
        default=LIVE_SSD_SIZE,
        metavar="PIXELS",
        help="how large our detector sees the picture, as in `video` (the classic one: 300)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the figures")
    parser.add_argument("--child", help=argparse.SUPPRESS)  # one side, in its own process


def run(args: argparse.Namespace) -> int:
    if args.child:
        return _run_child(args.child)
    from mask_detector.benchmark.machine import Machine
    from mask_detector.benchmark.report import as_dict, as_text

    _check_plot(args.plot)
    plan, starts = _plan(args), _starts(args)
    cutouts = _cutouts(args)
    machine = Machine.look(
        Path(starts[0].model), Path(starts[0].face_folder), args.detect_size or LIVE_SSD_SIZE
    )
    result = _measure(plan, starts, cutouts)
    if args.json:
        print(json.dumps(as_dict(machine, plan, result), indent=1))
    else:
        print(as_text(machine, plan, result))
    if args.plot:
        from mask_detector.benchmark.plot import plot_result

        with writing(args.plot):
            plot_result(result, machine.title, args.plot)
    return 0


def _measure(plan: Plan, starts: list[Start], cutouts: list[Cutout]) -> Result:
    from tqdm import tqdm

    from mask_detector.benchmark.measuring import measure

    steps = plan.steps(len(starts))
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=steps, unit="turn", disable=None, leave=False) as bar,
    ):

        def progress(what: str) -> None:
            bar.set_postfix_str(what, refresh=False)
            bar.update()

        return measure(plan, cutouts, starts, Path(folder), progress)


def _check_plot(path: Path | None) -> None:
    """Say what is wrong now, not after minutes of work."""
    if path and (path.suffix.lower() != ".png" or not path.parent.is_dir()):
        raise OptionError(f"--plot {path}: expected a name ending in .png in a folder that "
                                f"is there")  # fmt: skip


def _run_child(text: str) -> int:
    from mask_detector.benchmark.child import Start, serve

    start, frames = Start.from_text(text)
    serve(lambda: _open_side(start), frames)
    return 0


def _open_side(start: Start) -> Side:
    from mask_detector.benchmark.child import OurSide
    from mask_detector.profiling import Profile

    if start.side == "classic":
        from mask_detector.benchmark.classic_loop import open_classic_loop

        return open_classic_loop(Path(start.model), Path(start.face_folder))
    parser = argparse.ArgumentParser()
    video.add_arguments(parser)
    options = ["--model", start.model, "--face", start.face_folder, *SIDES[start.side]]
    args = parser.parse_args([*options, "--detect-size", str(start.detect_size)])
    return OurSide(video.judge_of(args, open_pipeline(args, Profile())))


def _plan(args: argparse.Namespace) -> Plan:
    from mask_detector.benchmark.frames import Case
    from mask_detector.benchmark.measuring import Plan

    cases = tuple(Case(*size, face_count) for size in args.sizes for face_count in args.faces)
    return Plan(cases, args.rounds, args.frames, args.starts)


def _starts(args: argparse.Namespace) -> list[Start]:
    from mask_detector.assets import face_folder, find_file
    from mask_detector.benchmark.child import Start
    from mask_detector.model_file import kind_of

    model, folder = find_file(args.model).resolve(), face_folder(args.face).resolve()
    if kind_of(model) != "keras":
        raise OptionError(
            f"--model {args.model}: the classic loop runs .keras files; name the one that this "
            f"was exported from"
        )
    return [Start(side, str(model), str(folder), args.detect_size) for side in SIDES]


def _cutouts(args: argparse.Namespace) -> list[Cutout]:
    from mask_detector.assets import face_folder
    from mask_detector.benchmark.frames import cut_out_heads, photos_below, portraits
    from mask_detector.face_detectors import open_detector

    detector = open_detector("ssd", folder=face_folder(args.face), confidence=0.5)
    return cut_out_heads(photos_below(args.photos) if args.photos else portraits(), detector)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not all(n.isdecimal() and _LEAST_SIDE <= int(n) <= _MOST_SIDE for n in (width, height)):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected WIDTHxHEIGHT, each from {_LEAST_SIDE} to {_MOST_SIDE}"
        )
    return int(width), int(height)
