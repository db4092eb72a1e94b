"""The live loop: which frames reach the sinks, in what order, and how it ends."""

import contextlib
import threading
import time

import cv2
import numpy as np
import pytest
from conftest import write_video

from mask_detector.drawing import draw_faces
from mask_detector.errors import SourceError
from mask_detector.profiling import Profile
from mask_detector.sinks import FrameSink, PictureSink, TallySink, VideoSink
from mask_detector.sources import LiveOptions, LiveSource, open_source
from mask_detector.types import Face, FaceBox, Frame
from mask_detector.watch_events import SourceChange
from mask_detector.watching import Annotator, Signals, watch

PICTURE = np.full((120, 160, 3), 90, np.uint8)
FACES = [Face(FaceBox(20, 30, 60, 80, 0.9), (0.1, 0.9), ("with_mask", "without_mask"), 7)]
COUNT = 60


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [np.roll(PICTURE, index, axis=1) + np.uint8(2 * index) for index in range(COUNT)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames)


def frames_of(image, count, is_still=False):
    return [Frame(image, index, index / 25, "clip", is_still) for index in range(count)]


def watch_one(source, judge, sinks, *, with_ids=False, **options):
    watch([source], Annotator(judge, with_ids=with_ids), sinks, **options)


def judge_none(frame):
    return []


class Watcher(FrameSink):
    """Keeps what it is given; has had enough after `patience` frames."""

    needs_picture = False

    def __init__(self, patience=10**9):
        self.given, self._patience = [], patience

    def write(self, annotated):
        self.given.append(annotated)
        self.wants_stop = len(self.given) >= self._patience

    @property
    def frames(self):
        return [annotated.frame for annotated in self.given]

    @property
    def indices(self):
        return [frame.index for frame in self.frames]


class Webcam:
    """A camera at the border, through which OpenCV gives a frame every `period_s`."""

    def __init__(self, period_s=0.002, count=10**9):
        self.read_count, self.release_count = 0, 0
        self._period_s, self._count = period_s, count

    def get(self, prop):
        return 30.0 if prop == cv2.CAP_PROP_FPS else -1.0

    def read(self):
        time.sleep(self._period_s)
        if self.read_count >= self._count or self.release_count:
            return False, None
        self.read_count += 1
        return True, PICTURE

    def release(self):
        self.release_count += 1


@contextlib.contextmanager
def camera_7(webcam, **options):
    with LiveSource("7", lambda: webcam, LiveOptions(retries=0, **options)) as source:
        source.start()
        yield source


def test_every_sink_gets_every_frame_with_its_faces():
    first, second = Watcher(), TallySink()
    frames = frames_of(PICTURE, 30)
    watch_one(frames, lambda frame: FACES * (frame.index % 3), [first, second])
    assert all(got is given for got, given in zip(first.frames, frames, strict=True))
    assert [len(given.faces) for given in first.given] == [0, 1, 2] * 10
    assert second.frame_count == 30 and second.face_counts.total() == 30


@pytest.mark.parametrize("who_is_slow", ["judge", "sink", "nobody"])
def test_a_file_is_watched_frame_by_frame_however_slow(who_is_slow, clip):
    class Slow(Watcher):
        def write(self, annotated):
            super().write(annotated)
            time.sleep(0.01 if who_is_slow == "sink" else 0)

    def judge(frame):
        time.sleep(0.01 if who_is_slow == "judge" else 0)
        return []

    sink = Slow()
    with open_source(str(clip)) as source:
        watch_one(source, judge, [sink])
    assert sink.indices == list(range(COUNT))


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
    assert np.median(late_by) <= 2  # judged as soon as they come; 15 apart, were they queued
    assert np.diff(sink.indices).min() >= 1 and np.median(np.diff(sink.indices)) > 2
    assert tally.dropped_count == sink.indices[-1] + 1 - len(sink.indices)
    assert webcam.release_count == 1


def test_the_loop_ends_when_one_sink_has_had_enough():
    frames = iter(frames_of(PICTURE, 100))
    patient, impatient, last = Watcher(), Watcher(patience=4), Watcher()
    watch_one(frames, judge_none, [patient, impatient, last])
    assert len(patient.given) == len(impatient.given) == len(last.given) == 4
    assert next(frames).index <= 8  # few were read in vain


def test_while_a_photo_is_looked_at_few_others_are_judged():
    """Whoever shows photos waits for a key: hundreds must not be judged meanwhile."""
    judged = []

    class Looking(Watcher):
        def write(self, annotated):
            super().write(annotated)
            time.sleep(0.1)  # so much is done in a moment, were there no bound
            assert len(judged) <= len(self.given) + 2

    photos = frames_of(PICTURE, 200, is_still=True)
    watch_one(photos, lambda frame: judged.append(frame) or [], [Looking(patience=5)])
    assert 5 <= len(judged) <= 7


def test_windows_are_served_by_the_thread_that_opened_them():
    threads = {"judge": set(), "sink": set()}

    class Window(Watcher):
        def write(self, annotated):
            threads["sink"].add(threading.get_ident())

    watch_one(
        frames_of(PICTURE, 3),
        lambda frame: threads["judge"].add(threading.get_ident()) or [],
        [Window()],
    )
    assert threads["sink"] == {threading.get_ident()} and len(threads["judge"]) == 1
    assert not threads["judge"] & threads["sink"]


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


def test_a_sink_may_hold_a_frame_while_others_do_what_is_due():
    class Holding(Watcher):
        idle_count = 0

        def write(self, annotated):
            super().write(annotated)
            self.is_held = True

        def idle(self):
            self.idle_count += 1
            self.is_held = self.idle_count % 5 > 0

    class Other(Watcher):
        idle_count = 0

        def idle(self):
            self.idle_count += 1

    holding, other = Holding(), Other()
    watch_one(frames_of(PICTURE, 4, is_still=True), judge_none, [holding, other])
    assert len(holding.given) == 4 and holding.idle_count >= 20
    assert other.idle_count == holding.idle_count


def test_a_picture_is_drawn_once_for_all_and_only_where_it_is_wanted(tmp_path):
    sinks = Watcher(), Watcher()
    watch_one(frames_of(PICTURE, 2), lambda frame: FACES, [*sinks, TallySink()])
    assert all("picture" not in vars(given) for given in sinks[0].given)
    watch_one(
        frames_of(PICTURE, 2),
        lambda frame: FACES,
        [sinks[0], VideoSink(tmp_path / "v.mp4", 25), PictureSink(tmp_path / "p.png"), sinks[1]],
    )
    for one, other in zip(sinks[0].given[2:], sinks[1].given[2:], strict=True):
        assert vars(one)["picture"] is other.picture
    drawn = cv2.imread(str(tmp_path / "p.png"))
    np.testing.assert_array_equal(drawn, draw_faces(PICTURE, FACES))


@pytest.mark.parametrize("with_ids", [False, True])
def test_tracks_are_numbered_in_the_picture_where_that_is_asked_for(with_ids):
    sink = Watcher()
    watch_one(frames_of(PICTURE, 1), lambda frame: FACES, [sink], with_ids=with_ids)
    expected = draw_faces(PICTURE, FACES, with_ids=with_ids)
    np.testing.assert_array_equal(sink.given[0].picture, expected)


def test_the_loop_measures_capture_drawing_and_writing_of_each_frame(clip):
    profile = Profile()

    class SlowDisk(Watcher):
        needs_picture = True

        def write(self, annotated):
            time.sleep(0.004)

    with open_source(str(clip)) as source:
        watch_one(source, judge_none, [SlowDisk()], profile=profile)
    assert list(profile.milliseconds) == ["capture", "draw", "write"]
    median, high = profile.milliseconds["write"]
    assert 4 <= median <= high and sum(profile.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("width", [80, 300])
def test_frames_are_scaled_before_they_are_judged(width):
    sink, seen = Watcher(), []
    given = frames_of(PICTURE, 2)
    watch_one(given, lambda frame: seen.append(frame.image.shape) or [], [sink], width=width)
    height = pytest.approx(120 * width / 160, abs=1)
    assert seen == [(height, width, 3)] * 2
    assert [frame.image.shape for frame in sink.frames] == seen and sink.indices == [0, 1]
    assert given[0].image is PICTURE
