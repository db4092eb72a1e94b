"""`report EVENTS...`: who wore a mask, by hour, day and source, out of what `video` has written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import MaskDetectorError, writing
from mask_detector.wording import counted

if TYPE_CHECKING:
    from mask_detector.compliance.report import WatchReport

HELP = "sum up events files by hour, day and source: a table, a picture and an HTML page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "events",
        type=Path,
        nargs="+",
        metavar="EVENTS",
        help="files that `video --events` wrote, .jsonl or .csv; with those that were put aside "
        "(EVENTS.1, EVENTS.2 ...)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder for NAME_report.png and NAME_report.html, where NAME is that of the first "
        "file",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the tables"
    )


def run(args: argparse.Namespace) -> int:
    from mask_detector.compliance.page import write_page
    from mask_detector.compliance.plot import plot_report
    from mask_detector.compliance.tables import summary_lines, tables
    from mask_detector.events.lines import log_of

    report = _read(args.events)
    if report.damaged_count and not report.event_count:
        raise MaskDetectorError(
            f"{', '.join(map(str, args.events))}: not one of "
            f"{counted(report.damaged_count, 'line')} can be read; expected what --events has "
            f"written, .jsonl or .csv as its name says"
        )
    name = log_of(args.events[0]).stem
    picture = args.output / f"{name}_report.png"
    page = picture.with_suffix(".html")
    with writing(args.output):
        args.output.mkdir(parents=True, exist_ok=True)
    plot_report(report, f"Mask compliance: {name}", picture)
    write_page(report, f"Mask compliance: {name}", picture, page)
    if args.json:
        print(json.dumps(report.to_dict() | {"picture": str(picture), "page": str(page)}, indent=1))
        return 0
    print("\n".join(summary_lines(report)))
    for table in tables(report):
        print(f"\n{table.text()}")
    print(f"\nsaved {picture} and {page}")
    return 0


def _read(paths: list[Path]) -> WatchReport:
    from tqdm import tqdm

    from mask_detector.compliance.report import WatchReport
    from mask_detector.events.reading import events_files, read_events

    report = WatchReport()
    logs = events_files(paths)
    with tqdm(total=sum(map(len, logs)), unit="file", delay=1, disable=None, leave=False) as bar:
        for files in logs:
            for file in files:
                for event in read_events(file):
                    report.add(event)
                bar.update()
            report.end_log()
    return report
