"""Where `video` saves its annotated frames: a file per source, or a photo's picture."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mask_detector.errors import OptionError

if TYPE_CHECKING:
    from mask_detector.sinks import FrameSink
    from mask_detector.sources import FrameSource


def streams_of(sources: Sequence[FrameSource]) -> dict[str, FrameSource]:
    """The sources by the stream that their frames will have; photos share one."""
    from mask_detector.sources import StillSource
    from mask_detector.types import PHOTOS

    return {PHOTOS if isinstance(s, StillSource) else s.name: s for s in sources}


def output_sinks(args: argparse.Namespace, sources: Sequence[FrameSource]) -> list[FrameSink]:
    """Open what `--output` asks for.

    Raises:
        MaskDetectorError: it names no kind of file that we write, or a source.
    """
    from mask_detector.sinks import PICTURE_SUFFIXES, VIDEO_CODECS, PictureSink, SinkPerStream
    from mask_detector.sources import StillSource

    output = args.output
    if output is None:
        return []
    paths, streams = output_paths(args, sources), streams_of(sources)
    for path in paths.values():
        if any(_is_read(path, source) for source in sources):
            raise OptionError(f"--output {path} is a source itself; choose another name")
    suffix = output.suffix.lower()
    if suffix in VIDEO_CODECS:
        return [SinkPerStream(lambda name: _video_sink(paths[name], streams[name]))]
    is_photos = len(sources) == 1 and isinstance(sources[0], StillSource)
    is_one_photo = is_photos and len(sources[0].files) == 1
    if suffix in PICTURE_SUFFIXES and is_one_photo:
        return [PictureSink(output)]
    raise OptionError(
        f"--output {output} ends in {suffix or 'nothing'}; expected a video "
        f"({', '.join(VIDEO_CODECS)}), or for one photo a picture ({', '.join(PICTURE_SUFFIXES)})"
    )


def output_paths(args: argparse.Namespace, sources: Sequence[FrameSource]) -> dict[str, Path]:
    """Where the pictures of each stream are saved; those of the only one right where it is said."""
    from mask_detector.capture.source_names import unlike

    streams, output = streams_of(sources), args.output
    if output is None or len(streams) == 1:
        return {name: output for name in streams if output}
    names = unlike([_short_name(stream) for stream in streams])
    paths = [output.with_stem(f"{output.stem}_{name}") for name in names]
    return dict(zip(streams, paths, strict=True))


def _short_name(stream: str) -> str:
    """The last part of a path or address, which says most, fit for the name of a file."""
    from mask_detector.sinks import VIDEO_CODECS

    last = Path(stream.rpartition("/")[2])
    return re.sub(r"[^\w.-]+", "_", last.stem if last.suffix.lower() in VIDEO_CODECS else last.name)


def _is_read(path: Path, source: FrameSource) -> bool:
    """Whether writing there would destroy what a source reads; films beside photos are not read."""
    from mask_detector.capture.stills import is_photo
    from mask_detector.sources import StillSource

    if not path.exists() or (isinstance(source, StillSource) and not is_photo(path)):
        return False
    return any(path.samefile(file) for file in source.files if file.exists())


def _video_sink(path: Path, source: FrameSource) -> FrameSink:
    from mask_detector.sinks import VideoSink
    from mask_detector.sources import StillSource

    return VideoSink(path, source.fps or (1.0 if isinstance(source, StillSource) else 25.0))
