"""Figures that need no display, whose words may be of any script, and how they are saved.

figure = new_figure(10, 5.2, layout="constrained")
save(figure, Path("curves.png"), dpi=110)
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

from mask_detector.errors import writing
from mask_detector.lettering import font_files


def new_figure(width: float, height: float, **options: Any) -> Figure:
    """A figure of so many inches; letters that one font lacks are taken from the next."""
    matplotlib.rcParams["font.family"] = _families()
    return Figure(figsize=(width, height), **options)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as its suffix says; its folder is made where it is missing.

    Raises:
        MaskDetectorError: it can't be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi)


@lru_cache(maxsize=1)
def _families() -> list[str]:
    """The fonts of this system that pictures are lettered with, matplotlib's own first."""
    families = []
    for path in font_files():
        font_manager.fontManager.addfont(path)
        families.append(font_manager.get_font(path).family_name)
    return list(dict.fromkeys(families)) or ["sans-serif"]
