"""How people name sources: `DOOR=rtsp://...`, a pattern, a text file with one per line.

Nothing here is opened but lists; what the sources are is found in `sources.py`.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mask_detector.errors import SourceError

_LIST_SUFFIX = ".txt"
_COMMENT = re.compile(r"(^|\s)#.*")
# Some recorders want user and password in the path: `/user=admin_password=..._channel=1`.
_SECRET_PART = re.compile(r"(?i)((?:user|pass|pwd|token|key|auth)\w*?=)[^&;/]*")


def shown_address(address: str) -> str:
    """An address without user, password and query, which are nobody's business.

    A password may hold `/`, `?` or `@`: whatever stands before the last `@` goes.
    """
    scheme, _, place = address.partition("://")
    place = re.sub(r"(?s)^.*@", "", place)
    return f"{scheme}://" + _SECRET_PART.sub(r"\1***", re.split(r"[?#]", place)[0])


def shown(text: str) -> str:
    """What a person gave, fit for messages, also where it is an address that went wrong."""
    if "://" in text:
        return shown_address(text)
    return re.sub(r"(?s)^[^@]*:[^@]*@", "", text)


def split_name(text: str) -> tuple[str, str]:
    """Name and source of `DOOR=rtsp://...`; the name is empty where none is given.

    None is where a file is called like the whole, nor where the part before `=` belongs to an
    address or path.
    """
    name, equals, source = text.partition("=")
    if not equals or not name.strip() or not source.strip() or re.search(r"[/\\:?]", name):
        return "", text
    if path_of(text).exists():
        return "", text
    return name.strip(), source.strip()


def source_texts(texts: Iterable[str]) -> list[str]:
    """Put in the place of each text file the sources that it lists.

    A line holds a source, as on the command line; what follows `#` at its start or after a space
    is a comment. Paths are relative to the working directory.

    Raises:
        SourceError: a list that can't be read or is empty.
    """
    sources = []
    for text in texts:
        path = path_of(text)
        is_list = text.lower().endswith(_LIST_SUFFIX) and "://" not in text and path.is_file()
        sources += _listed(path) if is_list else [text]
    return sources


def path_of(text: str) -> Path:
    """The path that a text may be.

    Raises:
        SourceError: it can be none.
    """
    path = Path(text)
    try:
        path = path.expanduser()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, forbidden, NUL, no such home
        raise SourceError(f"{shown(text)[:200]} can't be looked at: {_in_short(error)}") from error
    return path


def matches(pattern: str) -> list[Path]:
    """The files, in order, that a pattern such as `photos/*.jpg` stands for; hidden ones not."""
    if not glob.has_magic(pattern):
        return []
    found = glob.glob(str(path_of(pattern)), recursive=True)  # noqa: PTH207 (takes absolute patterns too)
    return sorted(path for path in map(Path, found) if path.is_file())


def unlike(names: Sequence[str]) -> list[str]:
    """The names, those that came before with a number: `door`, `door (2)`."""
    taken: list[str] = []
    for name in names:
        unused, number = name, 2
        while unused in taken:
            unused, number = f"{name} ({number})", number + 1
        taken.append(unused)
    return taken


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise SourceError(f"list of sources {path} can't be read: {_in_short(error)}") from error
    sources = [line for line in (_COMMENT.sub("", line).strip() for line in lines) if line]
    if not sources:
        raise SourceError(f"list of sources {path} names none; expected one per line")
    return sources


def _in_short(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
