"""Draw what a benchmark found, as PNG; needs no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mask_detector.benchmark.measuring import (
    CLASSIC,
    FRAMES_PER_SECOND,
    MEMORY,
    START,
    Comparison,
    Result,
    part,
)
from mask_detector.figures import new_figure, save

_COLOURS = {CLASSIC: "#9aa5b1", "every frame": "#4c8fd0", "tracks": "#1f4e8c"}
_ORDER = (CLASSIC, "every frame", "tracks")
_BAR_WIDTH = 0.27


def plot_result(result: Result, title: str, path: Path) -> None:
    """Bars of frames per second for each size, start-up and memory, with the ratios above.

    Args:
        result: the figures.
        title: what it ran on.
        path: the PNG to write.
    """
    speeds = [c for c in result.comparisons if c.what == FRAMES_PER_SECOND]
    sizes = list(dict.fromkeys(c.case.size for c in speeds))
    figure = new_figure(4.6 * len(sizes) + 4.2, 4.6, layout="constrained")
    title = f"{title}; above the bars of ours: times the classic loop"
    figure.suptitle(title, fontsize=10, parse_math=False)
    panels = figure.subplots(1, len(sizes) + 2, width_ratios=[*[4.6] * len(sizes), 2.1, 2.1])
    for axes, size in zip(panels, sizes, strict=False):
        _draw_speeds(axes, [c for c in speeds if c.case.size == size])
        axes.set_title(f"frames per second, {size}")
    most = max(c.classic.most for c in speeds), max(c.ours.most for c in speeds)
    for axes in panels[: len(sizes)]:
        axes.set_ylim(0, 1.22 * max(most))
    panels[0].legend(loc="upper left", ncols=3, fontsize=8, frameon=False)
    starts = [c for c in result.comparisons if c.what == START]
    peaks = [c for c in result.comparisons if c.what == MEMORY]
    _draw_shares(panels[-2], starts, "seconds to first verdict")
    _draw_shares(panels[-1], _largest(peaks), "peak memory, MB")
    save(figure, path, 130)


def _largest(peaks: list[Comparison]) -> list[Comparison]:
    """Of each variant the case in which ours took most."""
    by_variant: dict[str, Comparison] = {}
    for peak in sorted(peaks, key=lambda c: c.ours.median):
        by_variant[peak.variant] = peak
    return list(by_variant.values())


def _draw_speeds(axes: Axes, comparisons: list[Comparison]) -> None:
    faces = list(dict.fromkeys(c.case.face_count for c in comparisons))
    variants = [name for name in _ORDER if name in {c.variant for c in comparisons}]
    for place, side in enumerate([CLASSIC, *variants]):
        rows = [c for c in comparisons if c.variant == (variants[0] if side == CLASSIC else side)]
        spreads = [c.classic if side == CLASSIC else c.ours for c in rows]
        x = np.arange(len(faces)) + (place - len(variants) / 2) * _BAR_WIDTH
        medians = np.array([s.median for s in spreads])
        reach = [medians - [s.least for s in spreads], [s.most for s in spreads] - medians]
        axes.bar(x, medians, _BAR_WIDTH, color=_COLOURS[side], label=side, yerr=reach,
                 error_kw={"ecolor": "#333333", "elinewidth": 0.8, "capsize": 2})  # fmt: skip
        for at, spread, row in zip(x, spreads, rows, strict=True):
            text = f"{spread.median:.0f}" if side == CLASSIC else f"{row.ratio.median:.0f}x"
            _write_above(axes, at, spread.most, text)
    axes.set_xticks(range(len(faces)), [f"{n} face{'s' * (n > 1)}" for n in faces])
    _clear(axes)


def _draw_shares(axes: Axes, comparisons: list[Comparison], title: str) -> None:
    axes.set_title(title)
    _clear(axes)
    if not comparisons:
        return
    in_order = sorted(comparisons, key=lambda c: _ORDER.index(c.variant))
    bars = [(CLASSIC, comparisons[0].classic, "")]
    bars += [(c.variant, c.ours, f"\n{part(c.ratio.median)}") for c in in_order]
    for place, (side, spread, share) in enumerate(bars):
        axes.bar(place, spread.median, 0.75, color=_COLOURS[side])
        digits = 0 if spread.median >= 10 else 2
        _write_above(axes, place, spread.median, f"{spread.median:.{digits}f}{share}")
    axes.set_xticks(range(len(bars)), [side.replace(" ", "\n") for side, *_ in bars])
    axes.set_ylim(0, 1.15 * max(spread.median for _, spread, _ in bars))


def _write_above(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), (0, 3), textcoords="offset points", ha="center", fontsize=8)


def _clear(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
