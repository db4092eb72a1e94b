"""Words for pictures: OpenCV's quick strokes for ASCII, Pillow's fonts for every other script.

    label = label_of("口罩: 97.1%", (60, 180, 0), scale=0.5)  # (h, w, 3) uint8 BGR

OpenCV's built-in strokes know ASCII alone and draw `?` for the rest.
"""

from __future__ import annotations

import contextlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.labels import printable

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_STROKES = cv2.FONT_HERSHEY_SIMPLEX
_LETTER_SIZE = 30  # pixels; capitals are then as high as those of OpenCV's strokes at scale 1
_WHITE = (255, 255, 255)

# Pillow looks for them where Linux, macOS and Windows keep their fonts. Matplotlib's own, which is
# always there, goes first and knows Latin, Greek, Cyrillic and Arabic.
_FONTS = (
    "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "NotoSansHebrew-Regular.ttf",
    "FreeSans.ttf", "unifont.ttf", "Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc", "msyh.ttc", "malgun.ttf", "YuGothM.ttc", "Nirmala.ttf", "segoeui.ttf",
)  # fmt: skip


# Smooth letters take ten times as long as all the rest, and most captions stay for some frames.
@lru_cache(maxsize=64)
def label_of(text: str, colour: tuple[int, int, int], scale: float) -> np.ndarray:
    """White words on a ground of one colour.

    Args:
        text: a short line in any script.
        colour: of the ground, BGR.
        scale: 1 gives capitals of 22 pixels.

    Returns:
        `(h, w, 3)` uint8 BGR.
    """
    text = printable(text)
    if text.isascii():
        return _in_strokes(text, colour, scale)
    return _in_letters(text, colour, max(8, round(_LETTER_SIZE * scale)))


def thickness_at(scale: float) -> int:
    """How thick lines are drawn that go with words of a scale, pixels."""
    return max(1, round(2 * scale))


def _in_strokes(text: str, colour: tuple[int, int, int], scale: float) -> np.ndarray:
    thickness = thickness_at(scale)
    (width, height), baseline = cv2.getTextSize(text, _STROKES, scale, thickness)
    label = np.full((height + 2 * baseline + 1, width + 1, 3), colour, np.uint8)
    cv2.putText(
        label, text, (0, height + baseline), _STROKES, scale, _WHITE, thickness, cv2.LINE_AA
    )
    return label


def _in_letters(text: str, colour: tuple[int, int, int], size: int) -> np.ndarray:
    from PIL import Image, ImageDraw

    runs = _runs(text, _fonts(size))
    ends = np.cumsum([font.getlength(part) for font, part in runs])
    above, below = (max(edges) for edges in zip(*(f.getmetrics() for f, _ in runs), strict=True))
    label = Image.new("RGB", (int(ends[-1]) + 3, above + below + 2), colour)  # Pillow takes BGR too
    draw = ImageDraw.Draw(label)
    for (font, part), left in zip(runs, [0, *ends], strict=False):
        draw.text((1 + left, 1 + above), part, font=font, fill=_WHITE, anchor="ls")
    return np.asarray(label)


def _runs(text: str, fonts: tuple[FreeTypeFont, ...]) -> list[tuple[FreeTypeFont, str]]:
    """Cut a text where the font has to change: each letter in the first that has it, or at all."""
    runs: list[tuple[FreeTypeFont, str]] = []
    for letter in text:
        font = next((f for f in (*(f for f, _ in runs[-1:]), *fonts) if _has(f, letter)), fonts[0])
        if runs and runs[-1][0] is font:  # in one piece, for scripts that join their letters
            runs[-1] = font, runs[-1][1] + letter
        else:
            runs.append((font, letter))
    return runs


@lru_cache(maxsize=2048)
def _has(font: FreeTypeFont, letter: str) -> bool:
    """Whether a font draws a letter rather than the box that stands for any it lacks."""
    nothing = "\U0010ffff"  # no letter, and never will be one
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(nothing))


@lru_cache(maxsize=4)
def _fonts(size: int) -> tuple[FreeTypeFont, ...]:
    """All that are there, of one size in pixels; at least one."""
    from PIL import ImageFont

    return tuple(ImageFont.truetype(path, size) for path in font_files()) or (
        ImageFont.load_default(size),
    )


@lru_cache(maxsize=1)
def font_files() -> tuple[str, ...]:
    """The files of those fonts that this system has, matplotlib's own first."""
    from PIL import ImageFont

    found = []
    for name in (_matplotlib_font(), *_FONTS):
        with contextlib.suppress(OSError):  # not on this system
            found.append(ImageFont.truetype(name, 10).path)
    return tuple(found)


def _matplotlib_font() -> str:
    """Its file, without loading the library; a bare name where it is not installed."""
    name = "DejaVuSans.ttf"
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        return name
    return str(Path(next(iter(spec.submodule_search_locations))) / "mpl-data/fonts/ttf" / name)
