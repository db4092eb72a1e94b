"""Where frames come from: a camera, a network stream, a video file, a photo, a folder of photos.

    with open_source("0") as source:
        for frame in source:
            ...

A source gives real frames until it ends; what keeps it from doing so is a `SourceError`. A live
one that is lost is opened anew (see `capture/reconnecting.py`).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mask_detector.capture.captures import (
    VideoSource,
    open_camera,
    open_stream,
    open_video,
    prepare_for_streams,
)
from mask_detector.capture.reconnecting import (
    DEFAULT_LIVE_OPTIONS,
    LiveOptions,
    LiveSource,
)
from mask_detector.capture.source_names import (
    matches,
    path_of,
    shown,
    source_texts,
    split_name,
    unlike,
)
from mask_detector.capture.stills import StillSource, is_photo, photos_in
from mask_detector.errors import SourceError
from mask_detector.events.records import SourceChange
from mask_detector.types import Frame

__all__ = [
    "FrameSource", "LiveOptions", "LiveSource", "SourceChange", "StillSource", "VideoSource",
    "open_source", "open_sources", "photos_in", "source_texts",
]  # fmt: skip

_CAMERA_OPEN_S = 60.0  # some drivers take half a minute
_FILE_SCHEMES = (
    "http://",
    "https://",
    "ftp://",
    "file://",
)  # a film may lie there; others play as they go
_FILM_SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}

OnChange = Callable[[SourceChange], None]


class FrameSource(Protocol):
    """Iterates `Frame`s, in any thread, and is a context manager.

    `fps` is None where there is no clock, or it is not known yet. A live source does not wait:
    what is not taken in time is over. `close` may be called by any thread, and ends the frames.
    """

    name: str
    fps: float | None
    is_live: bool
    files: list[Path]  # of this machine, that it reads

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(
    text: str,
    name: str = "",
    live: LiveOptions = DEFAULT_LIVE_OPTIONS,
    on_change: OnChange | None = None,
) -> FrameSource:
    """Open what a person named.

    Args:
        text: a camera index (`0`) or device (`/dev/video0`), an address (`rtsp://...`), a video
            file, a photo, a folder of photos, or a pattern (`photos/*.jpg`); `NAME=` may stand
            before each.
        name: what to call it; by default as it is named, without password.
        live: how long to wait for a camera or stream, and what to do then.
        on_change: told of each loss and return of a camera or stream, by the thread that
            iterates.

    Raises:
        SourceError: it is not there, or can't be opened; or it is several.
    """
    first, *others = _plans(text)
    if others:
        raise SourceError(f"{shown(text)} stands for {len(others) + 1} videos; expected one source")
    first.name = name or first.name
    (source,) = _open_all([first], live, on_change)
    return source


def open_sources(
    texts: Sequence[str],
    live: LiveOptions = DEFAULT_LIVE_OPTIONS,
    on_change: OnChange | None = None,
) -> list[FrameSource]:
    """Open several sources, cameras and streams at the same time; their names differ.

    Args:
        texts: as of `open_source`; a text file stands for the sources that it lists, and a
            pattern for each video that it matches.
        live: as of `open_source`.
        on_change: as of `open_source`.

    Raises:
        SourceError: one is not there; the others are closed again.
    """
    plans = [plan for text in source_texts(texts) for plan in _plans(text)]
    for plan, name in zip(plans, unlike([plan.name for plan in plans]), strict=True):
        plan.name = name
    return _open_all(plans, live, on_change)


@dataclass
class _Plan:
    """A source that is to be opened: a text, or photos."""

    name: str
    text: str
    photos: list[Path] = field(default_factory=list)


def _plans(text: str) -> list[_Plan]:
    """What a text stands for: one source, or one per video that a pattern matches."""
    given, text = split_name(text)
    if not text.strip():
        raise _unknown("''")
    if _is_address(text) or text.isdecimal() or path_of(text).exists():
        return [_Plan(given or shown(text), text)]
    paths = matches(text)
    films = [path for path in paths if _is_film(path)]
    photos = [path for path in paths if path not in set(films)]
    plans = [_Plan(given or str(path), str(path)) for path in films]
    if photos or not plans:
        plans.append(_Plan(given or shown(text), text, photos))
    return plans


def _open_all(
    plans: list[_Plan], live: LiveOptions, on_change: OnChange | None
) -> list[FrameSource]:
    with contextlib.ExitStack() as opened:
        begun = [opened.enter_context(_begin(plan, live, on_change)) for plan in plans]
        sources = []
        for plan, source in zip(plans, begun, strict=True):
            settled = _settled(plan, source, live)
            sources.append(settled if settled is source else opened.enter_context(settled))
        opened.pop_all()  # all went well: they stay open
    return sources


def _begin(plan: _Plan, live: LiveOptions, on_change: OnChange | None) -> FrameSource:
    """Open a file, or begin to open a camera or stream."""
    text = plan.text
    if plan.photos:
        return StillSource(plan.photos, plan.name)
    if _is_address(text):
        prepare_for_streams()
        opener = functools.partial(open_stream, text, shown(text), live.timeout_s)
        return _started(LiveSource(plan.name, opener, live, on_change))
    path = path_of(text)
    if text.isdecimal() or path.is_char_device() or (_is_device(path) and not path.exists()):
        opener = functools.partial(open_camera, int(text) if text.isdecimal() else str(path))
        return _started(LiveSource(plan.name, opener, live, on_change, _CAMERA_OPEN_S))
    if path.is_dir():
        return StillSource(photos_in(path), plan.name)
    if not path.exists():
        raise _unknown(text)
    if not path.is_file():
        raise _unknown(text, "is neither a file nor a folder")
    return StillSource([path], plan.name) if is_photo(path) else open_video(path, plan.name)


def _started(source: LiveSource) -> LiveSource:
    source.start()
    return source


def _settled(plan: _Plan, source: FrameSource, live: LiveOptions) -> FrameSource:
    """Wait until a live source is open; where it turns out to be a film, play it as one."""
    if not isinstance(source, LiveSource):
        return source
    source.wait_until_open()
    is_film = source.announced_count is not None and plan.text.lower().startswith(_FILE_SCHEMES)
    if not is_film:
        return source
    with source:  # a thread of its own is for what does not wait
        capture = open_stream(plan.text, shown(plan.text), live.timeout_s)
    return VideoSource(capture, plan.name, _local_path(plan.text))


def _local_path(address: str) -> Path | None:
    """The file that `file:///...` stands for."""
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme.lower() == "file" else None


def _unknown(text: str, what: str = "") -> SourceError:
    return SourceError(
        f"{f'{shown(text)} {what}' if what else f'no source {shown(text)}'}: expected a camera "
        f"index such as 0, an address such as rtsp://host/path, a video file, a photo, a folder of "
        f"photos, or a pattern such as 'photos/*.jpg'"
    )


def _is_address(text: str) -> bool:
    return "://" in text


def _is_device(path: Path) -> bool:
    return path.parts[:2] == ("/", "dev")


def _is_film(path: Path) -> bool:
    """Whether a file that a pattern matches is to be played; all others are taken for photos."""
    return path.suffix.lower() in _FILM_SUFFIXES and not is_photo(path)
