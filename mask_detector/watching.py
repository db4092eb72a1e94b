"""The live loop: sources -> judge -> sinks, each at its own pace.

Use:
    with open_source("clip.mp4") as source, VideoSink(Path("out.mp4"), fps=25) as sink:
        watch([source], Annotator(judge), [sink])
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mask_detector.capture.prefetching import Interleaver, Prefetcher
from mask_detector.drawing import AnnotatedFrame
from mask_detector.profiling import NO_PROFILE, Profile
from mask_detector.types import Face, FaceBox, Frame

if TYPE_CHECKING:
    from mask_detector.events.records import SourceChange
    from mask_detector.sinks import FrameSink

_PATIENCE_S = 0.2  # after which sinks are called although no frame has come: windows want care


@dataclass(frozen=True)
class Signals:
    """What reaches a running watch from other threads and from the system."""

    stop: threading.Event = field(default_factory=threading.Event)  # ends it
    changes: queue.SimpleQueue[SourceChange] = field(default_factory=queue.SimpleQueue)


class Annotator:
    """Judges frames, and remembers where faces were a moment ago: there a blur is kept up."""

    _MISSED_S = 1.0  # for which a face that the detector no longer finds is thought to be there

    def __init__(
        self,
        judge: Callable[[Frame], list[Face]],
        *,
        with_ids: bool = False,
        is_blurred: bool = False,
    ) -> None:
        """
        Args:
            judge: what finds and judges the faces of a frame.
            with_ids: number the tracks in the picture.
            is_blurred: make every face in the picture unrecognisable.
        """
        self._judge, self._with_ids, self._is_blurred = judge, with_ids, is_blurred
        self._recent: dict[str, list[tuple[float, FaceBox]]] = {}  # by source; when last seen

    def __call__(self, frame: Frame) -> AnnotatedFrame:
        faces = self._judge(frame)
        missed = () if frame.is_still else self._missed(frame, [face.box for face in faces])
        return AnnotatedFrame(frame, faces, self._with_ids, self._is_blurred, missed)

    def _missed(self, frame: Frame, boxes: list[FaceBox]) -> tuple[FaceBox, ...]:
        missed = [
            (seen_s, box)
            for seen_s, box in self._recent.get(frame.source, [])
            if 0 <= frame.time_s - seen_s <= self._MISSED_S
            and not any(now.holds(*box.centre) for now in boxes)
        ]
        self._recent[frame.source] = missed + [(frame.time_s, box) for box in boxes]
        return tuple(box for _, box in missed)


def watch(
    sources: Sequence[Iterable[Frame]],
    annotate: Callable[[Frame], AnnotatedFrame],
    sinks: Sequence[FrameSink],
    *,
    width: int = 0,
    profile: Profile = NO_PROFILE,
    signals: Signals | None = None,
) -> None:
    """Judge the frames of all sources and hand them to the sinks, until one has had enough.

    Each source is read by a thread of its own, one more judges; the sinks are served by the
    caller's, because windows belong to the main thread. A file gives every frame, a live source
    the newest. Sources take turns; one that fails ends the watch when the others have ended.

    Args:
        sources: the frames.
        annotate: what finds and judges their faces; see `Annotator`.
        sinks: what takes them, in this order.
        width: scale each frame to this many pixels across first; 0 leaves it as it is.
        profile: what measures the stages that run here; a pipeline has its own.
        signals: ends the watch, and tells sinks of sources lost and come back.

    Raises:
        SourceError: of a source that could not go on.
    """
    is_drawn = any(sink.needs_picture for sink in sinks)
    frames = Interleaver([
        Prefetcher(
            profile.timed("capture", _scaled(source, width)),
            newest_only=getattr(source, "is_live", False),
        )
        for source in sources
    ])  # fmt: skip
    judged = Prefetcher(map(annotate, frames), depth=1)
    signals = signals or Signals()
    try:
        with judged, frames, _closing(sources):  # from right to left: each waits for the next
            for annotated in judged.or_none_after(_PATIENCE_S):
                if annotated is not None:
                    if is_drawn:
                        with profile.stage("draw"):
                            _ = annotated.picture
                    with profile.stage("write"):
                        for sink in sinks:
                            sink.write(annotated)
                _rest(sinks, signals)
                if signals.stop.is_set() or any(sink.wants_stop for sink in sinks):
                    break
    finally:
        _pass_on(signals.changes, sinks)  # the loss, too, on which a source gave up


@contextlib.contextmanager
def _closing(sources: Sequence[Iterable[Frame]]) -> Iterator[None]:
    """Wake at the end whoever waits for a camera: a lost one may come back late, or never."""
    try:
        yield
    finally:
        for source in sources:
            if getattr(source, "is_live", False):
                source.close()


def _rest(sinks: Sequence[FrameSink], signals: Signals) -> None:
    """Let sinks do what is due apart from frames, for as long as one of them holds this frame."""
    while True:
        _pass_on(signals.changes, sinks)
        for sink in sinks:
            sink.idle()
        if signals.stop.is_set() or not any(sink.is_held for sink in sinks):
            return


def _pass_on(changes: queue.SimpleQueue[SourceChange], sinks: Sequence[FrameSink]) -> None:
    while not changes.empty():
        change = changes.get()
        for sink in sinks:
            sink.source_changed(change)


def _scaled(frames: Iterable[Frame], width: int) -> Iterator[Frame]:
    for frame in frames:
        if width in (0, frame.image.shape[1]):
            yield frame
        else:
            yield dataclasses.replace(frame, image=_resized(frame.image, width))


def _resized(image: np.ndarray, width: int) -> np.ndarray:
    import imutils

    inter = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return imutils.resize(image, width=width, inter=inter)
