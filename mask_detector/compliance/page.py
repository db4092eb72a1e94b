"""A report as one HTML file: figures, picture and tables, for a browser and for paper."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from mask_detector.compliance.report import WatchReport
from mask_detector.compliance.tables import Table, summary_lines, tables
from mask_detector.labels import printable
from mask_detector.web_page import write_html

_STYLE = """
.figures { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; padding: 0; }
.figures div { flex: 1; min-width: 7rem; padding: .6rem 1rem; border: 1px solid var(--faint);
               border-radius: .5rem; }
.figures dt { font-size: .85rem; }
.figures dd { margin: 0; font-size: 1.6rem; font-weight: 600; white-space: nowrap; }
img { width: 100%; height: auto; }
th, td { text-align: right; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tbody th { text-align: left; font-weight: normal; white-space: nowrap; }
thead .label { text-align: left; }
tbody .source { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
@page { margin: 14mm; }
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 9pt; }
  table { font-size: 8.5pt; }
  th, td { padding: .1rem .3rem; }
  tbody .source { min-width: 4.5rem; }
  .figures { flex-wrap: nowrap; gap: .4rem; }
  .figures div { min-width: 0; padding: .2rem .5rem; }
  .figures dt { font-size: .65rem; }
  .figures dd { font-size: 1.1rem; }
  img { max-height: 215mm; object-fit: contain; }
  .wide { overflow: visible; }
  thead { display: table-header-group; }
  img, .figures { break-inside: avoid; }
}
"""

_LABEL, _SOURCE = ' class="label"', ' class="source"'


def write_page(report: WatchReport, title: str, picture: Path, path: Path) -> None:
    """Write a page that needs no other file.

    Args:
        report: the figures.
        title: its heading.
        picture: PNG that goes into the page.
        path: the HTML file to write.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    people, *more = summary_lines(report)
    image = base64.b64encode(picture.read_bytes()).decode()
    introduction = "".join(f"<p>{escape(line)}</p>" for line in more)
    body = f"""{_figures(report)}
<img src="data:image/png;base64,{image}" alt="{escape(people)}; the tables below hold every figure">
{"".join(_table(table) for table in tables(report))}
<footer><p>Everyone counts once, in the hour in which their verdict settled, with the last verdict
that did. Compliance is the part with a mask of all who could be judged: &ldquo;Not sure&rdquo; is
left out. Where nobody could be judged there is a dash.</p></footer>"""
    write_html(path, title, introduction, body, _STYLE)


def _figures(report: WatchReport) -> str:
    total = report.total()
    lost_count = sum(absence.count for absence in report.absences())
    figures = {"people": total.compliance.people, "compliance": total.compliance.percent_text}
    figures |= {kind: count for kind, count in total.compliance.counts.items() if count}
    figures |= {"alarms": total.alarms, "losses of a source": lost_count}
    cells = (
        f"<div><dt>{escape(printable(name))}</dt><dd>{figure}</dd></div>"
        for name, figure in figures.items()
    )
    return f'<dl class="figures">{"".join(cells)}</dl>'


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_LABEL if place < table.labels else ""}>{escape(name)}</th>'
        for place, name in enumerate(table.head)
    )
    rows = []
    for row in table.rows:
        cells = (
            f'<th scope="row"{_SOURCE if place == table.labels - 1 else ""}>{escape(cell)}</th>'
            if place < table.labels
            else f"<td>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="wide"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>\n"
    )
