"""Draw people per hour in the colours of their boxes, and above them the compliance; as PNG.

Nights when nobody came are left out, and so are hours before the first and after the last person
of a day. Needs no display.
"""

from __future__ import annotations

import itertools
import math
from datetime import date, datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mask_detector.compliance.counting import Compliance
from mask_detector.compliance.report import Row, WatchReport
from mask_detector.drawing import verdict_colour
from mask_detector.figures import new_figure, save
from mask_detector.labels import NOT_SURE, Meaning, printable, shortened
from mask_detector.wording import counted

_MOST_HOURS = 24 * 8  # beyond, bars would be too thin: days take the place of hours
_LONGEST_GAP = timedelta(days=31)  # that is shown: a machine without a clock begins in 1970
_MOST_CAMERAS = 6  # with a panel of their own
_MOST_FILE_HOURS = 30
_MOST_NAMED = 40  # bars with figures of their own
_WIDTH = 12.0  # inches; of it for bars
_BARS_WIDTH = 11.0
_PANEL_HEIGHT, _FILE_ROW_HEIGHT = 3.2, 0.3  # inches
_LABEL_WIDTH, _HOUR_WIDTH = 0.8, 0.24  # inches that the name of a day takes, and of an hour
_LEAST_SLOTS = 8  # room for so many bars: a single one is not as wide as the picture
_INK, _FAINT, _LINE = "#2b3440", "#d9dee4", "#1f4e8c"
# From the ground up: what should be, what should not, what nobody knows.
_FIRST_KINDS = tuple(m.value for m in (Meaning.COMPLIANT, Meaning.WRONG, Meaning.MISSING))

_Counted = dict[date, Compliance]  # by hour, which is a datetime, or by day


def plot_report(report: WatchReport, title: str, path: Path) -> None:
    """Draw a panel for all cameras and for each of them, and one for all files.

    Args:
        report: the figures.
        title: one line above them.
        path: the PNG to write.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    panels, files = _camera_panels(report), report.file_hours()[:_MOST_FILE_HOURS]
    heights = [_PANEL_HEIGHT] * len(panels)
    heights += [0.9 + _FILE_ROW_HEIGHT * len(files)] if files or not panels else []
    figure = new_figure(_WIDTH, 1.0 + sum(heights), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.05, w_pad=0.12, hspace=0.0)
    figure.suptitle(printable(title), fontsize=13, color=_INK, weight="bold", parse_math=False)
    colours = _colours(report.total().compliance)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    slots = _slots(report, [start for _, by_time in panels for start in by_time])
    for part, (name, by_time) in zip(parts, panels, strict=False):
        strip, bars = part.subplots(2, 1, sharex=True, height_ratios=[1, 2.6])
        _draw_compliance(strip, slots, by_time)
        _draw_people(bars, [by_time.get(slot) for slot in slots], colours)
        _name_slots(bars, slots)
        strip.set_title(_heading(name, by_time), loc="left", **_words(10.5))
    if len(parts) > len(panels):
        _draw_files(parts[-1].subplots(), files, colours)
    _add_legend(figure, colours)
    save(figure, path, 110)


def _camera_panels(report: WatchReport) -> list[tuple[str, _Counted]]:
    """All cameras together, where there are several, and those that saw most people."""
    rows: list[Row] = report.hours()
    if len(_slots(report, [row.start for row in rows])) > _MOST_HOURS:
        rows = report.days()
    by_source: dict[str, _Counted] = {}
    together: _Counted = {}
    for row in rows:
        by_source.setdefault(row.source, {})[row.start] = row.compliance
        before = together.get(row.start)
        together[row.start] = row.compliance if before is None else before + row.compliance
    panels = sorted(by_source.items(), key=lambda panel: -_sum(panel[1]).people)
    if len(panels) > 1:
        panels = [(f"All cameras ({len(panels)})", together), *panels[:_MOST_CAMERAS]]
    return panels


def _slots(report: WatchReport, starts: list[date]) -> list[date]:
    """Places for bars: hours, and those between two of a day; or days, and those between."""
    slots = sorted(set(starts))
    for start, following in list(itertools.pairwise(slots)):
        is_hour = isinstance(start, datetime)
        if following.date() != start.date() if is_hour else following - start > _LONGEST_GAP:
            continue
        step = timedelta(hours=1) if is_hour else timedelta(days=1)
        while (start := start + step) < following:
            slots.append(report.local(start) if is_hour else start)
    return sorted(slots)


def _draw_compliance(axes: Axes, slots: list[date], by_time: _Counted) -> None:
    """A line through the hours of each day, or through the days."""
    percents = [by_time[slot].percent if slot in by_time else None for slot in slots]
    y = [math.nan if percent is None else percent for percent in percents]
    size = 4 if len(slots) <= _MOST_NAMED else 2
    for first, end in _days_of(slots):
        axes.fill_between(range(first, end), y[first:end], color=_LINE, alpha=0.08, linewidth=0)
        axes.plot(range(first, end), y[first:end], "o-", color=_LINE, markersize=size,
                  linewidth=1.3, clip_on=False)  # fmt: skip
    axes.set_ylim(0, 118)
    axes.set_yticks([0, 50, 100], ["0", "50", "100 %"])
    axes.set_ylabel("compliance", **_words(8))
    for place, percent in enumerate(percents if len(slots) <= _MOST_NAMED else []):
        if percent is not None:
            offset = (0, -11) if percent > 75 else (0, 5)
            _annotate(axes, f"{percent:.0f}", (place, percent), offset, _LINE)
    _clear(axes)
    axes.tick_params(bottom=False, labelbottom=False)


def _draw_people(axes: Axes, columns: list[Compliance | None], colours: dict[str, str]) -> None:
    bottoms = [0] * len(columns)
    edge = 0.4 if len(columns) <= _MOST_NAMED else 0
    for kind, colour in colours.items():
        heights = [0 if c is None else c.counts.get(kind, 0) for c in columns]
        axes.bar(range(len(columns)), heights, 0.82, bottom=bottoms, color=colour,
                 edgecolor="white", linewidth=edge)  # fmt: skip
        bottoms = [a + b for a, b in zip(bottoms, heights, strict=True)]
    if len(columns) <= _MOST_NAMED:
        for place, people in enumerate(bottoms):
            if people:
                _annotate(axes, str(people), (place, people), (0, 3), _INK)
    axes.set_ylim(0, max([1, *bottoms]) * 1.15)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("people", **_words(8))
    axes.set_xlim(-0.6, max(len(columns), _LEAST_SLOTS) - 0.4)
    _clear(axes)


def _name_slots(axes: Axes, slots: list[date]) -> None:
    """Hours at the bars and days below them; a line where a day begins."""
    width = _BARS_WIDTH / max(len(slots), _LEAST_SLOTS)  # inches
    if not isinstance(slots[0], datetime):
        named = list(enumerate(slots))[:: math.ceil(_LABEL_WIDTH / width)]
        axes.set_xticks([n for n, _ in named], [f"{day:%a}\n{day:%d %b}" for _, day in named])
        return
    step = next((n for n in (1, 2, 3, 6, 12) if n * width > _HOUR_WIDTH), 24)
    named = []
    for place, hour in enumerate(slots):
        is_free = not named or (place - named[-1][0]) * width > _HOUR_WIDTH
        if hour.hour % step == 0 and is_free:
            named.append((place, hour))
    axes.set_xticks([n for n, _ in named], [f"{hour:%H}" for _, hour in named])
    days = _days_of(slots)
    day_step = math.ceil(_LABEL_WIDTH * len(days) / (width * len(slots)))
    for first, _ in days[1:]:
        axes.axvline(first - 0.5, color="#9aa5b1", linewidth=0.8, linestyle=(0, (4, 3)))
    for first, end in days[::day_step]:
        axes.text((first + end - 1) / 2, -0.13, f"{slots[first]:%a %d %b}", ha="center", va="top",
                  transform=axes.get_xaxis_transform(), **_words(8.5))  # fmt: skip


def _days_of(slots: list[date]) -> list[tuple[int, int]]:
    """Where the hours of each day begin and end; days themselves are one row."""
    if not isinstance(slots[0], datetime):
        return [(0, len(slots))]
    firsts = [n for n, hour in enumerate(slots) if not n or slots[n - 1].date() != hour.date()]
    return list(zip(firsts, [*firsts[1:], len(slots)], strict=True))


def _draw_files(axes: Axes, rows: list[Row], colours: dict[str, str]) -> None:
    """A bar for each hour of each file, from the top down."""
    if not rows:
        axes.text(0.5, 0.5, "nobody was seen", ha="center", va="center", **_words(12))
        axes.set_axis_off()
        return
    ends = [0] * len(rows)
    for kind, colour in colours.items():
        widths = [row.compliance.counts.get(kind, 0) for row in rows]
        axes.barh(range(len(rows)), widths, 0.7, left=ends, color=colour, edgecolor="white",
                  linewidth=0.4)  # fmt: skip
        ends = [a + b for a, b in zip(ends, widths, strict=True)]
    for place, (row, end) in enumerate(zip(rows, ends, strict=True)):
        text = f"{end}   compliance {row.compliance.percent_text}"
        axes.annotate(text, (end, place), (5, 0), textcoords="offset points", va="center",
                      **_words(8))  # fmt: skip
    names = [f"{shortened(printable(row.source), 40)}  {row.start}:00" for row in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, max([1, *ends]) * 1.25)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title("Files, by hours of their own clocks", loc="left", **_words(10.5))
    _clear(axes, "x")


def _heading(name: str, by_time: _Counted) -> str:
    total = _sum(by_time)
    people = counted(total.people, "person", "people")
    return f"{shortened(printable(name), 60)}:  {people}, compliance {total.percent_text}"


def _sum(by_time: _Counted) -> Compliance:
    return reduce(add, by_time.values(), Compliance.of(()))


def _colours(total: Compliance) -> dict[str, str]:
    """The colour of each kind of verdict, that of its boxes, from the ground of a bar up."""
    others = tuple(total.others)
    colours = {}
    for kind in (*_FIRST_KINDS, *others, NOT_SURE):
        blue, green, red = verdict_colour(kind, others)
        colours[kind] = f"#{red:02x}{green:02x}{blue:02x}"
    return colours


def _add_legend(figure: Figure, colours: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour) for colour in colours.values()]
    names = [printable(kind) for kind in colours]
    legend = figure.legend(handles, names, loc="outside lower center", ncols=7, frameon=False,
                           fontsize=9)  # fmt: skip
    for text in legend.get_texts():  # a folder's name may hold what looks like TeX
        text.set_parse_math(False)


def _annotate(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[int, int], colour: str
) -> None:
    axes.annotate(text, place, offset, textcoords="offset points", ha="center", fontsize=7.5,
                  color=colour)  # fmt: skip


def _words(size: float) -> dict[str, object]:
    return {"fontsize": size, "color": _INK, "parse_math": False}


def _clear(axes: Axes, grid: str = "y") -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.grid(axis=grid, color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8, labelcolor=_INK)
