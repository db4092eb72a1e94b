"""What the name of a class means: mask worn, worn wrongly, missing, or something else.

Data sets call the same thing `with_mask`, `WithMask`, `mask` or `masked`. Names that speak of
no mask at all (`def_front`, `ok_front`) keep their own meaning and their own words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import cache

NOT_SURE = "Not sure"  # shown in place of a verdict that is not confident enough


class Meaning(Enum):
    """What a verdict says about the mask."""

    COMPLIANT = "Mask"
    WRONG = "Mask worn wrongly"
    MISSING = "No Mask"
    OTHER = ""


# Words that settle the meaning by themselves, then words that need "mask" beside them.
_WRONG = re.compile(
    r"incorrect|improper|wrong|imfd|(under|below|beneath)_?(the_)?nose|nose_?out|(^|_)chin(_|$)|"
    r"badly|partial|"
    r"(^|_)not_(\w+_)?(correct|proper)"
)
_COMPLIANT_SET = re.compile(r"cmfd")  # MaskedFace-Net's name for "correctly masked"
_MASK = re.compile(r"mask|masque|mascar|mascherin")
_MISSING = re.compile(
    r"without|(^|_)(no|non|not|off|bare|missing|un|wo|free|never|lacks?|absent)(_|$)|"
    r"(^|_)(ohne|sans|sin|senza|sem)(_|$)|"
    r"(no|non|not|un)mask|mask(less|off|free)"
)


@cache  # asked of every face of every frame
def meaning_of(class_name: str) -> Meaning:
    """Recognise a class by its folder's name, whatever its spelling."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name)  # WithMask -> With_Mask
    words = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if _WRONG.search(words):
        return Meaning.WRONG
    if _COMPLIANT_SET.search(words):
        return Meaning.COMPLIANT
    if not _MASK.search(words):
        return Meaning.OTHER
    return Meaning.MISSING if _MISSING.search(words) else Meaning.COMPLIANT


def model_class_of(name: str, model_classes: Sequence[str]) -> int | None:
    """Which of the model's classes an annotated one is: by name, else by what it means.

    Returns:
        Its index; None for a class that the model does not know, or can't tell from another.
    """
    if name in model_classes:
        return list(model_classes).index(name)
    meaning = meaning_of(name)
    alike = [i for i, known in enumerate(model_classes) if meaning_of(known) is meaning]
    return alike[0] if len(alike) == 1 and meaning is not Meaning.OTHER else None


def printable(text: str) -> str:
    """Text that a plot can write: what in a folder's name is not UTF-8 is written out as codes."""
    return text.encode("utf-8", "backslashreplace").decode()


def shortened(text: str, length: int) -> str:
    """Bring a text down to a number of characters: its middle gives way, as both ends tell."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def display_name(class_name: str) -> str:
    """The words shown to people: `Mask`, `No Mask`, `Mask worn wrongly`, or the name itself."""
    return meaning_of(class_name).value or class_name
