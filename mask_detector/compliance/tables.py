"""The tables of a report, for a terminal and for a page.

for table in tables(report):
    print(table.text())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mask_detector.compliance.report import Row, WatchReport
from mask_detector.labels import printable

_Labels = dict[str, Callable[[Row], str]]  # what a row begins with: column, and its text


@dataclass(frozen=True)
class Table:
    """Columns of text; the first `labels` name the row, the others are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int

    def text(self) -> str:
        """Title and columns, for a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [self.title]
        for row in (self.head, *self.rows):
            cells = [
                cell.ljust(width) if place < self.labels else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


def tables(report: WatchReport) -> list[Table]:
    """Everything by source, day and hour, and when sources were away; none that is empty."""
    source = {"source": lambda row: printable(row.source)}
    day = {"day": lambda row: row.start.strftime("%a %Y-%m-%d")}
    # Where clocks are put back, an hour comes twice.
    hour_form = "%H:%M %Z" if len(report.zone_names()) > 1 else "%H:%M"
    hour = {"hour": lambda row: row.start.strftime(hour_form)}
    file_hour = {"hour": lambda row: f"{row.start}:00"}
    found = [
        _people_table("By source", report.sources(), source, report),
        _people_table("By day", report.days(), day | source, report),
        _people_table("By hour", report.hours(), day | hour | source, report),
        _people_table("By hour of the file", report.file_hours(), file_hour | source, report),
        _absence_table(report),
    ]
    return [table for table in found if table.rows]


def summary_lines(report: WatchReport) -> list[str]:
    """What was seen in all, when, and what could not be read."""
    total = report.total()
    lines = [f"{total.compliance.text()}; {count_of(total.alarms, 'alarm')}"]
    if report.first and report.last:
        lines.append(f"{period(report)}, times in {' and '.join(report.zone_names())}")
    if report.damaged_count:
        lines.append(f"{count_of(report.damaged_count, 'damaged line')} left out")
    return lines


def period(report: WatchReport) -> str:
    """From the first event of a camera to the last; empty where there is none."""
    if not report.first or not report.last:
        return ""
    return f"{_minute(report.first)} to {_minute(report.last)}"


def count_of(count: int, what: str) -> str:
    """`1 alarm`, `2 alarms`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def duration_text(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _people_table(title: str, rows: list[Row], labels: _Labels, report: WatchReport) -> Table:
    kinds = list(report.total().compliance.counts)
    head = [*labels, "people", *map(printable, kinds), "compliance", "alarms"]
    cells = [
        [
            *(text(row) for text in labels.values()),
            str(row.compliance.people),
            *(str(row.compliance.counts.get(kind, 0)) for kind in kinds),
            row.compliance.percent_text,
            str(row.alarms),
        ]
        for row in rows
    ]
    return Table(title, head, cells, len(labels))


def _absence_table(report: WatchReport) -> Table:
    head = ["source", "times lost", "away in all", "end not known"]
    cells = [
        [
            printable(absence.source),
            str(absence.count),
            duration_text(absence.seconds),
            str(absence.unended),
        ]
        for absence in report.absences()
    ]
    return Table("Sources that were away", head, cells, 1)


def _minute(moment: datetime) -> str:
    return moment.strftime("%a %Y-%m-%d %H:%M")
