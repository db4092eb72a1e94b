"""HTML pages that need no other file: what the reports of this program have in common."""

from __future__ import annotations

from html import escape
from pathlib import Path

from mask_detector.errors import writing
from mask_detector.labels import printable

_STYLE = """
:root { color-scheme: light; --ink: #2b3440; --faint: #d9dee4; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff;
       max-width: 1140px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--faint); }
tbody tr:nth-child(even) { background: #f5f7f9; }
footer { margin-top: 2.5rem; font-size: .85rem; color: #5b6673; }
@media print { tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def write_html(path: Path, title: str, introduction: str, body: str, style: str) -> None:
    """Write a page.

    Args:
        path: the file to write.
        title: its heading, as plain text.
        introduction: HTML below the heading.
        body: HTML of the rest.
        style: CSS beyond what all pages share.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    heading = escape(printable(title))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<header><h1>{heading}</h1>{introduction}</header>
{body}
</body>
</html>
"""
    with writing(path):
        path.write_text(page, encoding="utf-8")
