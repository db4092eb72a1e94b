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
from mask_detector.wording import counted, table_lines

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
        return "\n".join([self.title, *table_lines([self.head, *self.rows], self.labels)])


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
    lines = [f"{total.compliance.text()}; {counted(total.alarms, 'alarm')}"]
    if report.first and report.last:
        lines.append(f"{period(report)}, times in {' and '.join(report.zone_names())}")
    if report.damaged_count:
        lines.append(f"{counted(report.damaged_count, 'damaged line')} left out")
    return lines


def period(report: WatchReport) -> str:
    """From the first event of a camera to the last; empty where there is none."""
    if not report.first or not report.last:
        return ""
    return f"{_minute(report.first)} to {_minute(report.last)}"


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
