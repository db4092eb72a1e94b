"""Counts in words, and columns of text: what every verb prints.

counted(1, "photo"), counted(2, "person", "people")  # "1 photo", "2 people"
"""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, what: str, several: str = "") -> str:
    """A count and its noun: `1 photo`, `2 photos`, `0 people`.

    Args:
        count: how many.
        what: one of them.
        several: more or none of them, where that is not `what` and an s.
    """
    return f"{count} {what if count == 1 else several or f'{what}s'}"


def table_lines(rows: Sequence[Sequence[str]], labels: int = 1) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart.

    Args:
        rows: of equally many cells, the head among them.
        labels: how many columns name the row, and stand at the left; figures stand at the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
