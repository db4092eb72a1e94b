"""What the options of the verbs are read as: argparse types, and makers of such."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from mask_detector.engines import EXPORT_FORMATS, NUMBER_FORMATS

_SMALLEST_DETECT_SIZE, _LARGEST_DETECT_SIZE = 64, 4096  # pixels


def fraction(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")
    return value


def positive(text: str) -> float:
    """An argparse type: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return value


def whole_number(text: str, most: int | None = None) -> int:
    """An argparse type: a whole number from 1, and where `most` is given up to that."""
    if not text.isdecimal() or not 1 <= int(text) <= (most or int(text)):
        end = f" to {most}" if most else ""
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1{end}")
    return int(text)


def up_to(most: int) -> Callable[[str], int]:
    """Make an argparse type: a whole number from 1 to `most`."""
    return partial(whole_number, most=most)


def number_pair(text: str) -> tuple[float, float]:
    """An argparse type: two finite numbers, the lower first, `-1,1`."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected two numbers, the lower first, as in -1,1"
        )
    return low, high


def whole_number_from_0(text: str) -> int:
    """An argparse type: a whole number from 0, as seeds and numbers of pixels are."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0")
    return int(text)


def detect_size(text: str) -> int:
    """An argparse type: how many pixels a face detector sees; 0 leaves it to the detector."""
    is_size = text.isdecimal() and _SMALLEST_DETECT_SIZE <= int(text) <= _LARGEST_DETECT_SIZE
    if not is_size and text != "0":
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number of pixels from {_SMALLEST_DETECT_SIZE} to "
            f"{_LARGEST_DETECT_SIZE}, or 0"
        )
    return int(text)


def list_of(value_type: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Make an argparse type of several values out of that of one: `0.2,0.4`."""

    def values(text: str) -> list[Any]:
        return [value_type(part.strip()) for part in text.split(",")]

    return values


def some_of(
    known: Collection[str], every: Sequence[str] | None = None
) -> Callable[[str], list[str]]:
    """Make an argparse type of names out of those known, `a,b`; `all` stands for `every`."""
    expected = ", ".join(known) + (", or all" if every else "")

    def names(text: str) -> list[str]:
        given = [name.strip() for name in text.split(",")]
        if every and "all" in given:
            given = [*every, *(name for name in given if name != "all")]
        if unknown := [name for name in given if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)!r}: expected some of {expected}")
        return list(dict.fromkeys(given))

    return names


def number_formats(text: str) -> list[str]:
    """An argparse type: formats of exports, `int8,onnx`; `all` are those that LiteRT runs."""
    return some_of(EXPORT_FORMATS, NUMBER_FORMATS)(text)


def number_formats_or_none(text: str) -> list[str]:
    """An argparse type: the same, or `none`."""
    return [] if text == "none" else number_formats(text)
