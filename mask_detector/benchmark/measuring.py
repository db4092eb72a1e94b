"""Measure the classic loop and ours in turn: the same frames, the same machine, the same minutes.

Every side has a process of its own; in each round every side goes once over the frames, one after
the other, so that whatever else the machine does meets all of them.

Use:
    with tempfile.TemporaryDirectory() as folder:
        result = measure(plan, cutouts, starts, Path(folder), progress)
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mask_detector.benchmark.child import Round, Start
from mask_detector.benchmark.frame_file import FrameFile
from mask_detector.benchmark.frames import Case, Cutout, compose
from mask_detector.benchmark.process import Process

CLASSIC = "classic"
OUR_TURNS = 5  # times that ours goes over a round's frames; at its speed one is soon over
FRAMES_PER_SECOND, START, MEMORY = "frames_per_second", "start_to_first_verdict_s", "peak_memory_mb"


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    cases: tuple[Case, ...]
    rounds: int
    frame_count: int  # of the classic loop in each round
    start_count: int  # times that every side is started to its first verdict

    def steps(self, side_count: int) -> int:
        """How often `progress` will be called."""
        return side_count * (self.start_count + len(self.cases) * (1 + self.rounds))


@dataclass(frozen=True)
class Spread:
    """The middle of several measurements, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


def part(ratio: float, digits: int = 0) -> str:
    """A ratio as people say it: `1/12` below a half, else `0.9`."""
    return f"1/{1 / ratio:.{digits}f}" if ratio < 0.5 else f"{ratio:.1f}"


@dataclass(frozen=True)
class Comparison:
    """One figure of both sides; `ratio` is ours to the classic one's, round by round."""

    what: str  # FRAMES_PER_SECOND, START or MEMORY
    variant: str  # which of ours
    case: Case | None  # None for what does not depend on one
    classic: Spread
    ours: Spread
    ratio: Spread

    @classmethod
    def of(
        cls,
        what: str,
        variant: str,
        case: Case | None,
        classic: Sequence[float],
        ours: Sequence[float],
    ) -> Comparison:
        """Compare measurements of the same rounds, in their order."""
        ratios = [mine / theirs for mine, theirs in zip(ours, classic, strict=True)]
        return cls(what, variant, case, *map(Spread.of, (classic, ours, ratios)))


@dataclass(frozen=True)
class Work:
    """What one side did with the frames of one case, all rounds together."""

    side: str
    loop: str  # what ran, in words
    case: Case
    stage_ms: dict[str, float]  # per frame, on average
    frames_by_faces: dict[int, int]  # faces found -> in how many frames
    verdicts: dict[str, int]  # class name -> faces

    @classmethod
    def of(cls, side: str, case: Case, rounds: Sequence[Round]) -> Work:
        """Add rounds up."""
        seconds, found, verdicts = Counter(), Counter(), Counter()
        for one in rounds:
            seconds.update(one.stage_seconds)
            found.update(one.frames_by_faces)
            verdicts.update(one.verdicts)
        total = sum(one.frame_count for one in rounds)
        stage_ms = {name: 1000 * spent / total for name, spent in seconds.items()}
        return cls(side, rounds[0].loop, case, stage_ms, dict(found), dict(verdicts))

    @property
    def miscounted(self) -> float:
        """The part of the frames in which it found more or fewer faces than there are."""
        total = sum(self.frames_by_faces.values())
        return 1 - self.frames_by_faces.get(self.case.face_count, 0) / total


@dataclass
class Result:
    """All figures."""

    comparisons: list[Comparison] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)


def measure(
    plan: Plan,
    cutouts: list[Cutout],
    starts: Sequence[Start],
    folder: Path,
    progress: Callable[[str], None],
) -> Result:
    """Measure everything.

    Args:
        plan: how much.
        cutouts: the faces.
        starts: the sides, the classic loop first.
        folder: where frames may lie meanwhile.
        progress: told before each step what comes.
    """
    result = Result()
    for index, case in enumerate(plan.cases):
        frames = FrameFile.write(compose(case, cutouts), folder / "frames.raw")
        rounds = _run_rounds(plan, starts, frames, progress)
        result.work += [Work.of(side, case, done) for side, done in rounds.items()]
        result.comparisons += _compare_rounds(case, rounds)
        if index == 0:  # by now all files are in the disk's cache
            result.comparisons += _compare_starts(plan, starts, frames, progress)
    return result


def _compare_starts(
    plan: Plan, starts: Sequence[Start], frames: FrameFile, progress: Callable[[str], None]
) -> list[Comparison]:
    seconds: dict[str, list[float]] = {start.side: [] for start in starts}
    for _ in range(plan.start_count):
        for start in starts:
            progress(start.side)
            with Process(start, frames) as process:
                seconds[start.side].append(process.start_s)
    classic = seconds.pop(CLASSIC)
    return [Comparison.of(START, side, None, classic, ours) for side, ours in seconds.items()]


def _run_rounds(
    plan: Plan, starts: Sequence[Start], frames: FrameFile, progress: Callable[[str], None]
) -> dict[str, list[Round]]:
    rounds: dict[str, list[Round]] = {start.side: [] for start in starts}
    with ExitStack() as stack:
        sides = []
        for start in starts:
            progress(start.side)
            process = stack.enter_context(Process(start, frames))
            process.run(begin=1, count=_count(plan, start.side) // 4)  # to warm up
            sides.append(process)
        for number in range(plan.rounds):
            for process in sides:
                progress(process.side)
                count = _count(plan, process.side)
                rounds[process.side].append(process.run(begin=number * count, count=count))
    return rounds


def _count(plan: Plan, side: str) -> int:
    return plan.frame_count * (1 if side == CLASSIC else OUR_TURNS)


def _compare_rounds(case: Case, rounds: dict[str, list[Round]]) -> list[Comparison]:
    speeds = {
        side: [one.frame_count / one.seconds for one in done] for side, done in rounds.items()
    }
    peaks = {side: [done[-1].peak_mb] for side, done in rounds.items()}
    comparisons = []
    for side in rounds:
        if side == CLASSIC:
            continue
        for what, values in ((FRAMES_PER_SECOND, speeds), (MEMORY, peaks)):
            if None not in values[CLASSIC]:  # a system that does not tell its memory
                comparison = Comparison.of(what, side, case, values[CLASSIC], values[side])
                comparisons.append(comparison)
    return comparisons
