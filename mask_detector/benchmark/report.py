"""Tell what a benchmark found: as text for people, as one object for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mask_detector.benchmark.frames import Case
from mask_detector.benchmark.machine import Machine
from mask_detector.benchmark.measuring import (
    CLASSIC,
    FRAMES_PER_SECOND,
    MEMORY,
    OUR_TURNS,
    START,
    Comparison,
    Plan,
    Result,
    Spread,
    part,
)
from mask_detector.profiling import STAGES


def as_dict(machine: Machine, plan: Plan, result: Result) -> dict[str, Any]:
    """Everything, of JSON's own types; every comparison has `classic`, `ours` and `ratio`."""
    return {
        **asdict(machine),
        "loops": _loops(result),
        "settings": {**asdict(plan), "our_turns_per_round": OUR_TURNS},
        "comparisons": [asdict(comparison) for comparison in result.comparisons],
        "work": [asdict(work) for work in result.work],
    }


def as_text(machine: Machine, plan: Plan, result: Result) -> str:
    """Tables for a terminal: median (least-most)."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    lines = [machine.title, versions]
    lines += [f"{side}: {loop}" for side, loop in _loops(result).items()]
    lines += [f"medians of {plan.rounds} rounds in turn, and in brackets the least and the most"]
    if machine.is_busy:
        lines += [
            f"the machine was busy when this began (load {machine.load_average:.1f} on "
            f"{machine.cores} cores): only the ratios tell something"
        ]
    lines += ["", *_case_table(plan, result), "", *_start_table(plan, result)]
    lines += ["", *_stage_table(result), "", *_floor_lines(machine), *_miscounts(result)]
    return "\n".join(lines)


def _loops(result: Result) -> dict[str, str]:
    return {work.side: work.loop for work in result.work}


def _case_table(plan: Plan, result: Result) -> Iterator[str]:
    yield (f"{'size':<10}{'faces':>5}  {'':<12}{'frames/s':<22}{'times classic':<20}"
           f"{'peak MB':>8}  of classic").rstrip()  # fmt: skip
    for case in plan.cases:
        speeds, peaks = (_of_case(result, what, case) for what in (FRAMES_PER_SECOND, MEMORY))
        rows = [(CLASSIC, speeds[0].classic, None, peaks[0].classic if peaks else None, None)]
        for index, speed in enumerate(speeds):
            peak = peaks[index] if peaks else None
            rows.append((speed.variant, speed.ours, speed.ratio, peak and peak.ours,
                         peak and peak.ratio))  # fmt: skip
        label = f"{case.size:<10}{case.face_count:>5}"
        for side, speed, ratio, peak, share in rows:
            yield (
                f"{label:<15}  {side:<12}{_spread(speed):<22}{_spread(ratio):<20}"
                f"{f'{peak.median:.0f}' if peak else '-':>8}  {_share(share)}"
            ).rstrip()
            label = ""


def _start_table(plan: Plan, result: Result) -> Iterator[str]:
    starts = [c for c in result.comparisons if c.what == START]
    yield f"start of the process to its first verdict, s, {plan.start_count} times in turn"
    yield f"{CLASSIC:<12}{_spread(starts[0].classic)}"
    for start in starts:
        yield f"{start.variant:<12}{_spread(start.ours):<22}{_share(start.ratio)} of classic"


def _stage_table(result: Result) -> Iterator[str]:
    yield (
        f"{'ms per frame':<17}{'':<12}"
        + "".join(f"{stage:>10}" for stage in STAGES)
        + "   (ours overlap)"
    )
    label = None
    for work in result.work:
        name = f"{work.case.size:<10}{work.case.face_count:>5}"
        cells = "".join(_cell(work.stage_ms.get(stage)) for stage in STAGES)
        yield f"{'' if name == label else name:<15}  {work.side:<12}{cells}"
        label = name


def _cell(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:>10.2f}"


def _floor_lines(machine: Machine) -> Iterator[str]:
    rate = machine.matrix_gflop_per_s
    yield (
        f"least time at {rate:.0f} GFLOP/s, the rate of a float32 matrix product here "
        f"(8-bit instructions do up to 4 times as many)"
    )
    for floor in machine.floors:
        yield f"{floor.network:<20}{floor.gflop:>6.2f} GFLOP{floor.least_ms:>8.2f} ms"


def _miscounts(result: Result) -> Iterator[str]:
    wrong = [work for work in result.work if work.miscounted]
    if wrong:
        yield "\nfaces found other than there are (faces: part of the frames)"
    for work in wrong:
        total = sum(work.frames_by_faces.values())
        counts = sorted(work.frames_by_faces.items())
        parts = ", ".join(f"{n}: {frames / total:.1%}" for n, frames in counts)
        yield f"{work.case.size:<10}{work.case.face_count:>5}  {work.side:<12}{parts}"


def _of_case(result: Result, what: str, case: Case) -> list[Comparison]:
    return [c for c in result.comparisons if c.what == what and c.case == case]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    digits = 0 if spread.median >= 100 else 1 if spread.median >= 10 else 2
    numbers = (f"{value:.{digits}f}" for value in (spread.median, spread.least, spread.most))
    return "{} ({}-{})".format(*numbers)


def _share(ratio: Spread | None) -> str:
    return part(ratio.median, digits=1) if ratio else ""
