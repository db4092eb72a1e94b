"""The live loop with cameras: their newest frames, and what reaches it from other threads."""

import threading
import time

import numpy as np
import pytest
from watchers import PICTURE, Watcher, Webcam, camera_7, frames_of, judge_none, watch_one

from mask_detector.errors import SourceError
from mask_detector.events.records import SourceChange
from mask_detector.sinks import TallySink
from mask_detector.sources import LiveOptions, LiveSource
from mask_detector.watching import Annotator, Signals, watch

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.mark.parametrize("who_is_slow", ["judge", "sink"])
def test_a_live_source_is_watched_as_it_is_now(who_is_slow):
    webcam, tally, late_by = Webcam(), TallySink(), []

    class Slow(Watcher):
        def write(self, annotated):
            super().write(annotated)
            time.sleep(0.03 if who_is_slow == "sink" else 0)

    def judge(frame):
        late_by.append(webcam.read_count - 1 - frame.index)
        time.sleep(0.03 if who_is_slow == "judge" else 0)
        return []

    sink = Slow(patience=15)
    with camera_7(webcam) as source:
        watch_one(source, judge, [tally, sink])
    assert np.median(late_by) < 8  # judged as soon as they come; 15 apart, were they queued
    assert np.diff(sink.indices).min() >= 1 and np.median(np.diff(sink.indices)) > 2
    assert tally.dropped_count == sink.indices[-1] + 1 - len(sink.indices)
    assert webcam.release_count == 1


def test_sinks_hear_of_the_loss_on_which_a_camera_gives_up():
    signals, heard = Signals(), []

    class Listener(Watcher):
        def source_changed(self, change):
            heard.append(change.is_lost)

    options = LiveOptions(timeout_s=0.1, retries=0)
    webcam = Webcam(period_s=0.01, count=5)
    with (
        pytest.raises(SourceError),
        LiveSource("7", lambda: webcam, options, signals.changes.put) as source,
    ):
        watch_one(source, judge_none, [Listener()], signals=signals)
    assert heard == [True]


def test_what_a_camera_says_when_it_is_lost_comes_after_its_last_frame():
    sink, webcam = Watcher(), Webcam(period_s=0.01, count=5)
    with (
        pytest.raises(SourceError, match="gave no more frames after 5"),
        camera_7(webcam, timeout_s=0.2) as source,
    ):
        watch_one(source, judge_none, [sink])
    assert sink.indices[-1] == 4 and webcam.release_count == 1


@pytest.mark.parametrize("where", ["judge", "sink"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_goes_wrong_ends_the_watch(where, error):
    class Sink(Watcher):
        def write(self, annotated):
            if where == "sink":
                raise error

    def judge(frame):
        if where == "judge":
            raise error
        return []

    webcam = Webcam()
    with pytest.raises(error), camera_7(webcam) as source:
        watch_one(source, judge, [Sink()])
    assert webcam.release_count == 1


def test_a_camera_that_hangs_keeps_nobody_from_ending():
    """Its read never comes back; its thread is left to itself, and nobody waits for it."""
    is_over = threading.Event()

    class Dead(Webcam):
        def read(self):
            if self.read_count:
                is_over.wait()
            return super().read()

    webcam = Dead()
    started = time.monotonic()
    with camera_7(webcam) as source:
        watch_one(source, judge_none, [Watcher(patience=1)])
    assert webcam.release_count == 0 and time.monotonic() - started < 10
    is_over.set()  # OpenCV would have crashed, were it released meanwhile


def test_several_sources_are_watched_together():
    """A live one and two films; one film fails, and is told once the others are at their end."""

    def broken_film():
        yield from frames_of(PICTURE, 3)
        raise SourceError("film is damaged")

    webcam, sink, last = Webcam(), Watcher(), []

    def stop_soon(frame):
        last.append(frame.source)
        if last.count("7") == 20:
            source.close()
        return []

    with pytest.raises(SourceError, match="film is damaged"), camera_7(webcam) as source:
        watch([source, frames_of(PICTURE, 40), broken_film()], Annotator(stop_soon), [sink])
    assert len(sink.given) == last.count("7") + 40 + 3 and last.count("7") >= 20


def test_a_watch_is_stopped_from_outside_also_while_no_frame_comes():
    signals, sink = Signals(), Watcher()
    gate = threading.Event()

    def frames():
        yield from frames_of(PICTURE, 3)
        gate.wait(10)

    timer = threading.Timer(0.3, signals.stop.set)
    timer.start()
    started = time.monotonic()
    threading.Timer(1.0, gate.set).start()
    watch([frames()], Annotator(judge_none), [sink], signals=signals)
    assert len(sink.given) == 3 and time.monotonic() - started < 5


def test_sinks_hear_of_lost_sources_in_the_thread_that_writes():
    signals, heard = Signals(), []

    class Listener(Watcher):
        def source_changed(self, change):
            heard.append((change.source, change.is_lost, threading.get_ident()))

    def frames():
        yield from frames_of(PICTURE, 2)
        signals.changes.put(SourceChange("clip", True, 1.0, "cable"))

    watch([frames()], Annotator(judge_none), [Listener()], signals=signals)
    assert heard == [("clip", True, threading.get_ident())]
