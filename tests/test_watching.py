"""The live loop: which frames reach the sinks, in what order, and how it ends."""

import threading
import time

import cv2
import numpy as np
import pytest
from conftest import write_video
from watchers import PICTURE, Watcher, frames_of, judge_none, watch_one

from mask_detector.drawing import draw_faces
from mask_detector.profiling import Profile
from mask_detector.sinks import PictureSink, TallySink, VideoSink
from mask_detector.sources import open_source
from mask_detector.types import Face, FaceBox

FACES = [Face(FaceBox(20, 30, 60, 80, 0.9), (0.1, 0.9), ("with_mask", "without_mask"), 7)]
COUNT = 60


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [np.roll(PICTURE, index, axis=1) + np.uint8(2 * index) for index in range(COUNT)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames)


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
