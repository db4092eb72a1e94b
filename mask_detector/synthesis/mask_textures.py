"""What masks are made of: sheets of cloth and paper with their folds, seams and prints.

    sheet = texture("surgical", np.random.default_rng(1))  # (256, 256, 3) float32 BGR

Row 0 is the upper edge. Light and shade of folds are part of the sheet, those of the room are not.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

SIZE = 256

Colour = tuple[int, int, int]  # BGR
_COLOURS: dict[str, tuple[Colour, ...]] = {
    "surgical": (
        (222, 196, 158), (228, 208, 178), (205, 178, 140), (205, 214, 178), (236, 236, 234),
        (204, 190, 232), (44, 42, 42), (226, 206, 214),
    ),
    "cloth": (
        (36, 34, 34), (96, 52, 34), (120, 116, 112), (52, 38, 118), (150, 184, 206), (64, 88, 84),
        (226, 226, 228), (140, 70, 40), (60, 40, 160),
    ),
    "ffp2": (
        (238, 238, 238), (230, 232, 234), (42, 40, 40), (214, 202, 190), (196, 190, 226),
        (120, 112, 108),
    ),
    "duckbill": ((238, 236, 234), (228, 214, 196), (46, 44, 44), (206, 222, 200)),
}  # fmt: skip

_x, _y = np.meshgrid(  # -1 at the left to 1 at the right, 0 above to 1 below
    np.linspace(-1, 1, SIZE, dtype=np.float32), np.linspace(0, 1, SIZE, dtype=np.float32)
)


def texture(style: str, generator: np.random.Generator) -> np.ndarray:
    """A sheet of a style's cloth, `(256, 256, 3)` float32 BGR 0-255.

    Args:
        style: a key of `TEXTURES`.
        generator: chooses colour, folds and print.
    """
    sheet = TEXTURES[style](generator)
    weave = generator.normal(0, 2.5, (SIZE, SIZE, 1)).astype(np.float32)
    return np.clip(sheet + weave, 0, 255)


def _surgical(generator: np.random.Generator) -> np.ndarray:
    sheet = _plain("surgical", generator)
    for height in np.linspace(0.25, 0.8, generator.integers(3, 5)) + generator.uniform(-0.02, 0.02):
        sag = height + 0.03 * (1 - _x**2)  # folds hang through in the middle
        below = (_y - sag) / 0.07
        shade = np.where(below > 0, -0.26 * np.exp(-3 * np.abs(below)), 0.08 * np.exp(2 * below))
        sheet *= 1 + shade[..., None]
    return _hemmed(sheet, 0.05, 0.94)


def _cloth(generator: np.random.Generator) -> np.ndarray:
    return _sewn(_plain("cloth", generator), generator)


def _ffp2(generator: np.random.Generator) -> np.ndarray:
    sheet = _plain("ffp2", generator)
    dents = np.sin(60 * np.pi * _y) > 0
    shade = _line(_x, 0.012)  # the ridge
    for side in (-0.88, 0.88):  # welded by an iron with teeth
        shade = shade + _line(_x - side, 0.02) * dents
    shade = shade + 0.8 * _line(_y - 0.5 - 0.1 * np.abs(_x), 0.012)
    return _hemmed(sheet * (1 - 0.1 * shade)[..., None], 0.04, 0.96)


def _duckbill(generator: np.random.Generator) -> np.ndarray:
    sheet = _plain("duckbill", generator)
    shade = 0.12 * _line(_y - 0.5, 0.012) + 0.2 * (_y > 0.5)  # the fold, and what lies below it
    return _hemmed(sheet * (1 - shade)[..., None], 0.05, 0.95)


def _patterned(generator: np.random.Generator) -> np.ndarray:
    ground, ink = (
        np.array(_COLOURS["cloth"][i], np.float32) * generator.uniform(0.9, 1.15)
        for i in generator.permutation(len(_COLOURS["cloth"]))[:2]
    )
    prints = (_stripes, _checks, _dots, _blots)
    cover = prints[generator.integers(len(prints))](generator)[..., None]
    return _sewn(ground + (ink - ground) * cover, generator)


def _stripes(generator: np.random.Generator) -> np.ndarray:
    angle, count = generator.uniform(0, np.pi), generator.uniform(8, 24)
    return (np.sin(count * (_x * np.cos(angle) + 2 * _y * np.sin(angle))) > 0).astype(np.float32)


def _checks(generator: np.random.Generator) -> np.ndarray:
    count = generator.uniform(12, 30)
    bars = (np.sin(count * _x) > 0), (np.sin(2 * count * _y) > 0)
    return (bars[0].astype(np.float32) + bars[1]) / 2


def _dots(generator: np.random.Generator) -> np.ndarray:
    count = generator.uniform(14, 26)
    return (np.sin(count * _x) * np.sin(2 * count * _y) > 0.45).astype(np.float32)


def _blots(generator: np.random.Generator) -> np.ndarray:
    coarse = generator.normal(size=(14, 14)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return np.clip(3 * smooth, 0, 1)


TEXTURES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "surgical": _surgical,
    "cloth": _cloth,
    "ffp2": _ffp2,
    "duckbill": _duckbill,
    "patterned": _patterned,
}


def _plain(style: str, generator: np.random.Generator) -> np.ndarray:
    colours = _COLOURS[style]
    colour = np.array(colours[generator.integers(len(colours))]) + generator.uniform(-10, 10, 3)
    coarse = generator.normal(0, 0.03, (9, 9)).astype(np.float32)
    wrinkles = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return (colour * (1 + wrinkles[..., None])).astype(np.float32)


def _sewn(sheet: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """With a seam down the middle, as most have that are sewn to the form of a face."""
    if generator.random() < 0.7:
        sheet = sheet * (1 - 0.18 * _line(_x, 0.01))[..., None]
    return _hemmed(sheet, 0.06, 0.94)


def _hemmed(sheet: np.ndarray, upper: float, lower: float) -> np.ndarray:
    """With a seam along the upper and the lower edge."""
    for height in (upper, lower):
        sheet = sheet * (1 - 0.14 * _line(_y - height, 0.008))[..., None]
    return sheet


def _line(distance: np.ndarray, width: float) -> np.ndarray:
    """A soft line: 1 where the distance to it is 0."""
    return np.exp(-((distance / width) ** 2))
