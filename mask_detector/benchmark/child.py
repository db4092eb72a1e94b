"""One side of the benchmark in a process of its own, so that start-up and memory are its alone.

It judges one frame, then waits: each line on standard input asks for a round, each line on
standard output answers one, both JSON. It ends with its standard input.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from mask_detector.benchmark.frame_file import FrameFile
from mask_detector.drawing import AnnotatedFrame
from mask_detector.pipeline import TrackingPipeline
from mask_detector.profiling import Profile
from mask_detector.sinks import FrameSink
from mask_detector.types import Frame
from mask_detector.watching import Annotator, watch


@dataclass(frozen=True)
class Start:
    """What a side's process is started with; it travels as one argument."""

    side: str  # a key of `commands.benchmark.SIDES`
    model: str
    face_folder: str
    detect_size: int

    def to_text(self, frames: FrameFile) -> str:
        values = asdict(self) | {"frames": asdict(frames) | {"path": str(frames.path)}}
        return json.dumps(values)

    @classmethod
    def from_text(cls, text: str) -> tuple[Start, FrameFile]:
        values: dict[str, Any] = json.loads(text)
        frames = values.pop("frames")
        return cls(**values), FrameFile(**frames | {"path": Path(frames["path"])})


@dataclass(frozen=True)
class Round:
    """What one side did in one go over some frames."""

    loop: str  # what ran, in words
    frame_count: int
    seconds: float
    stage_seconds: dict[str, float]  # by profiling.STAGES, over all frames
    frames_by_faces: dict[int, int]  # faces found -> in how many frames
    verdicts: dict[str, int]  # class name -> faces
    peak_mb: float | None  # of the process so far

    @classmethod
    def from_json(cls, line: str) -> Round:
        values = json.loads(line)
        values["frames_by_faces"] = {int(n): f for n, f in values["frames_by_faces"].items()}
        return cls(**values)


class Side(Protocol):
    """A loop to measure: `classic_loop.ClassicLoop` or `OurSide`."""

    description: str

    def run(self, frames: Iterable[Frame], profile: Profile) -> list[list[str]]:
        """Judge frames and draw on them; the class names of every frame's faces."""
        ...


class OurSide:
    """`watching.watch`, as the verb `video` calls it; pictures are drawn, and go nowhere."""

    def __init__(self, judge: TrackingPipeline) -> None:
        self._judge = judge
        detector, classifier = judge.pipeline.detector, judge.pipeline.classifier
        names = (type(part).__name__ for part in (detector, classifier))
        self.description = f"{', '.join(names)} ({classifier.card.number_format})"

    def run(self, frames: Iterable[Frame], profile: Profile) -> list[list[str]]:
        self._judge.pipeline.profile = profile
        sink = _NamesSink()
        watch([frames], Annotator(self._judge), [sink], profile=profile)
        return sink.names


class _NamesSink(FrameSink):
    def __init__(self) -> None:
        self.names: list[list[str]] = []

    def write(self, annotated: AnnotatedFrame) -> None:
        self.names.append([face.label for face in annotated.faces])


def serve(open_side: Callable[[], Side], frames: FrameFile) -> None:
    """Answer requests on standard input until it ends.

    A request is an object with `begin` and `count`: which frames to judge.
    """
    answers = _private_standard_output()
    side = open_side()
    _answer(answers, side, frames, begin=0, count=1)
    for line in sys.stdin:
        _answer(answers, side, frames, **json.loads(line))


def _answer(answers: TextIO, side: Side, frames: FrameFile, begin: int, count: int) -> None:
    profile = Profile()
    started = time.perf_counter()
    names = side.run(frames.frames(begin, count), profile)
    seconds = time.perf_counter() - started
    result = Round(
        loop=side.description,
        frame_count=count,
        seconds=seconds,
        stage_seconds=profile.totals_s,
        frames_by_faces=dict(Counter(map(len, names))),
        verdicts=dict(Counter(itertools.chain(*names))),
        peak_mb=peak_memory_mb(),
    )
    answers.write(json.dumps(asdict(result)) + "\n")
    answers.flush()


def _private_standard_output() -> TextIO:
    """Keep standard output for answers; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def peak_memory_mb() -> float | None:
    """The most memory that this process ever had in use, in 10^6 bytes; None where unknown.

    Linux's `ru_maxrss` begins with what the parent had when it started the process, so the
    process' own high-water mark is read there.
    """
    status = Path("/proc/self/status")
    kilobytes = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    if kilobytes:
        return int(kilobytes[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
