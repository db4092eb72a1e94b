"""Say what a comparison of networks found: a table for people, one object for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from mask_detector.comparison.verdict import LEAST_TO_DIFFER, WORSE_BELOW, Entry, Verdict
from mask_detector.intervals import Estimate
from mask_detector.labels import printable
from mask_detector.wording import counted, table_lines

Times = dict[str, dict[str, float]]  # by network and number format: milliseconds for one picture


def comparison_text(
    entries: list[Entry], verdict: Verdict, times: Times, groups: np.ndarray
) -> str:
    """The table, smallest network first, and the answer under it."""
    classes = [printable(name) for name in entries[0].f1]
    header = [
        "network", "weights", "px", "epochs", "parameters", "mult-adds", "MB float32", "MB int8",
        "training s", "ms float32", "ms int8", "validation", "test accuracy",
        *(f"F1 {name}" for name in classes), "p",
    ]  # fmt: skip
    by_size = sorted(entries, key=lambda entry: entry.parameters)
    rows = [header, *(_row(entry, verdict, times[entry.name]) for entry in by_size)]
    return "\n".join([*table_lines(rows), "", *_answer(by_size[0], verdict, groups)])


def _row(entry: Entry, verdict: Verdict, times: dict[str, float]) -> list[str]:
    sizes = [entry.bytes_of.get(name) for name in ("float32", "int8")]
    return [
        entry.name,
        entry.weights,
        str(entry.image_size),
        str(entry.epochs),
        f"{entry.parameters / 1e6:.3f} M",
        f"{entry.multiply_adds / 1e6:.0f} M",
        *("-" if size is None else f"{size / 1e6:.2f}" for size in sizes),
        f"{entry.training_s:.0f}",
        *(f"{times[name]:.1f}" if name in times else "-" for name in ("float32", "int8")),
        f"{entry.validation_accuracy:.4f}",
        _with_interval(entry.accuracy),
        *(_with_interval(score) for score in entry.f1.values()),
        "best" if entry is verdict.best else f"{verdict.p_values[entry.name]:.3f}",
    ]


def _with_interval(score: Estimate) -> str:
    if score.value is None:
        return "-"
    interval = "" if score.low is None else f" ({score.low:.3f}-{score.high:.3f})"
    return f"{score.value:.4f}{interval}"


def _answer(least: Entry, verdict: Verdict, groups: np.ndarray) -> list[str]:
    best, smallest, count = verdict.best, verdict.smallest, len(groups)
    group_count = len(set(groups.tolist()))
    lines = [
        f"{counted(count, 'test picture')} in {counted(group_count, 'group')} "
        f"(copies, or one person)"
    ]
    if group_count < count:
        lines[0] += (
            ": p counts each group once; the interval of the accuracy takes each picture for a "
            "draw of its own, and is too narrow"
        )
    if group_count < LEAST_TO_DIFFER:
        lines.append(
            f"these are too few to tell networks apart: p can't fall below {WORSE_BELOW:g} where "
            f"fewer than {LEAST_TO_DIFFER} groups differ; test on more"
        )
    lines.append(f"best: {best.name}, {best.accuracy.value:.2%}")
    if best is least:
        lines.append("no network here is smaller")
    elif smallest is best:
        lines.append(f"every smaller network is significantly worse (p below {WORSE_BELOW:g})")
    else:
        lines.append(
            f"smallest that is not significantly worse: {smallest.name}, "
            f"{smallest.accuracy.value:.2%}, with {smallest.parameters / best.parameters:.0%} of "
            f"the parameters (p = {verdict.p_values[smallest.name]:.3f}; worse is below "
            f"{WORSE_BELOW:g})"
        )
    return lines


def comparison_to_dict(
    entries: list[Entry], verdict: Verdict, times: Times, groups: np.ndarray
) -> dict[str, Any]:
    """One object for programs; networks in the order in which they were named."""
    return {
        "networks": [
            entry.to_dict()
            | {"milliseconds": times[entry.name], "p_against_best": verdict.p_values[entry.name]}
            for entry in entries
        ],
        "test_pictures": len(groups),
        "test_groups": len(set(groups.tolist())),
        "best": verdict.best.name,
        "smallest_not_worse": verdict.smallest.name,
        "worse_below": WORSE_BELOW,
    }
