"""Names of photos that this program makes out of others, and how to know such photos again.

`drawn_mask_surgical_ann.jpg` is `ann.jpg` with a mask drawn on, `street_face2of5.png` the second of
five faces cut out of `street.jpg`. The names outlive copies and other folders, so that a picture
that was made up is never taken for a photo by which a model may be judged.
"""

from __future__ import annotations

import re
from pathlib import Path

DRAWN_MARK = "drawn_mask_"

_DRAWN = re.compile(rf"^{DRAWN_MARK}(?:[a-z0-9-]+_)?(?P<stem>.*)$")
_CUT_OUT = re.compile(r"^(?P<stem>.+)_face\d+of\d+$")


def drawn_name(photo: Path, look: str) -> str:
    """The stem of a photo once a mask of that look (`surgical-under-nose`) is drawn on it."""
    return f"{DRAWN_MARK}{look}_{photo.stem}"


def is_drawn(path: Path) -> bool:
    """Whether a file's name says that its mask was drawn on."""
    return path.name.startswith(DRAWN_MARK)


def drawn_from(path: Path) -> str:
    """The stem of the photo that a mask was drawn on; of any other photo its own."""
    match = _DRAWN.match(path.stem)
    return match["stem"] if match else path.stem


def face_name(photo: Path, number: int, count: int) -> str:
    """The stem of a face that is cut out of a photo: which one, counted from 1, of how many."""
    return f"{photo.stem}_face{number}of{count}"


def cut_from(path: Path) -> str | None:
    """The stem of the photo that a face was cut out of; None where the name says nothing of it."""
    match = _CUT_OUT.match(drawn_from(path))
    return match["stem"] if match else None


def original_of(path: Path) -> str:
    """The stem of the photo that a picture was made from; of a photo as it was taken its own."""
    return cut_from(path) or drawn_from(path)
