"""Many small pictures on one sheet, each with two lines of text under it, as PNG.

    draw_montage([Tile(crop, "with_mask 98 %", "true: without_mask")], path, "surest mistakes")

Needs no display. Matplotlib writes the text, because a class may be named in any script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mask_detector.figures import new_figure, save
from mask_detector.images import fit
from mask_detector.labels import printable, shortened

TILE_SIDE = 112  # pixels
COLUMNS = 8
_CELL = (144, 158)  # width and height of a tile with its text and the gaps around it, pixels
_HEADER = 40  # pixels
_DPI = 100
_GAP = 6  # least distance between the texts of neighbours, pixels


@dataclass(frozen=True)
class Tile:
    """A picture and what stands under it."""

    image: np.ndarray  # (h, w, 3) uint8 RGB, any size: stretched to a square
    first_line: str
    second_line: str


def draw_montage(tiles: Sequence[Tile], path: Path, title: str) -> None:
    """Lay tiles out row by row, from the top left, in their order.

    Args:
        tiles: none is legal: the sheet then shows its title alone.
        path: the PNG to write.
        title: one line above them.

    Raises:
        MaskDetectorError: the file can't be written.
    """
    row_count = -(-len(tiles) // COLUMNS)
    width, height = COLUMNS * _CELL[0], _HEADER + row_count * _CELL[1]
    sheet = np.full((height, width, 3), 255, np.uint8)
    figure = new_figure(width / _DPI, height / _DPI, dpi=_DPI)
    _write(figure, title, (width / 2, _HEADER / 2), width, fontsize=11)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, COLUMNS)
        top = _HEADER + row * _CELL[1]
        left = column * _CELL[0] + (_CELL[0] - TILE_SIDE) // 2
        sheet[top : top + TILE_SIDE, left : left + TILE_SIDE] = fit(tile.image, TILE_SIDE)
        for line, text in enumerate((tile.first_line, tile.second_line)):
            middle = left + TILE_SIDE / 2, top + TILE_SIDE + 11 + 15 * line
            _write(figure, text, middle, _CELL[0], fontsize=8)
    figure.figimage(sheet, zorder=-1)
    save(figure, path, _DPI)


def _write(
    figure: Figure, text: str, middle: tuple[float, float], room: int, *, fontsize: int
) -> None:
    """Centre a text on a place in pixels from the top left; shorten it to the room it has."""
    text = printable(text)
    width, height = figure.bbox.size
    # A folder's name may hold anything, also what looks like TeX.
    style = {"fontsize": fontsize, "ha": "center", "va": "center", "parse_math": False}
    drawn = figure.text(middle[0] / width, 1 - middle[1] / height, text, **style)
    length = len(text)
    while length > 1 and drawn.get_window_extent().width > room - _GAP:
        length -= 1
        drawn.set_text(shortened(text, length))
