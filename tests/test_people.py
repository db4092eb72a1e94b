"""Who settles, changes and leaves, step by step, on faces with made-up verdicts and clocks."""

from dataclasses import replace

import numpy as np
import pytest

from mask_detector.people import PeopleWatch
from mask_detector.types import Face, FaceBox, Frame

NAMES = ("with_mask", "without_mask", "mask_weared_incorrect")
MASK, BARE = (0.9, 0.06, 0.04), (0.02, 0.95, 0.03)
BLACK = np.zeros((2, 2, 3), np.uint8)


def face(track=1, probabilities=MASK, *, sure=True, left=10):
    box = FaceBox(left, 20, left + 50, 80, 0.9)
    return Face(box, probabilities, NAMES, track, is_clear=sure)


class Camera:
    """Plays frames at a steady rate, and keeps what was said."""

    def __init__(self, watch=None, source="door", fps=10, utc_s=None):
        self.watch, self.source, self.fps, self.utc_s = watch or PeopleWatch(), source, fps, utc_s
        self.index = 0

    def play(self, faces, count=1):
        events = []
        for _ in range(count):
            time_s = self.index / self.fps
            utc_s = None if self.utc_s is None else self.utc_s + time_s
            frame = Frame(BLACK, self.index, time_s, self.source, utc_s=utc_s)
            events += self.watch.update(frame, faces)
            self.index += 1
        return events


def told(events):
    return [(event.event, event.track, event.verdict) for event in events]


def test_a_verdict_settles_once_it_was_held_for_half_a_second():
    camera = Camera()
    assert camera.play([face()], 5) == []  # 0.0 to 0.4 s
    (event,) = camera.play([face(left=30)], 1)
    assert event.to_dict() == {
        "event": "settled", "time": 0.5, "source": "door", "track": 1, "verdict": "with_mask",
        "confidence": 0.9, "box": (30, 20, 80, 80), "seconds_seen": 0.5, "message": "",
    }  # fmt: skip
    assert camera.play([face()], 100) == []  # once


def test_it_also_takes_five_frames():
    camera = Camera(fps=2)  # half a second is two frames
    assert camera.play([face()], 4) == []
    assert told(camera.play([face()])) == [("settled", 1, "with_mask")]


def test_a_camera_tells_the_time_of_day():
    events = Camera(utc_s=1_795_286_400.123).play([face()], 6)
    assert [event.time for event in events] == ["2026-11-21T18:40:00.623+00:00"]


def test_a_flicker_neither_changes_nor_settles_anything():
    camera = Camera()
    assert camera.play([face()], 4) + camera.play([face(probabilities=BARE)]) == []
    assert camera.play([face()], 5) == []  # held anew, 0.4 s long
    assert told(camera.play([face()])) == [("settled", 1, "with_mask")]
    for _ in range(5):
        assert camera.play([face(probabilities=BARE)], 5) + camera.play([face()], 3) == []


def test_a_verdict_changes_once_the_other_was_held_as_long():
    camera = Camera()
    camera.play([face()], 10)
    assert camera.play([face(probabilities=BARE)], 5) == []
    (event,) = camera.play([face(probabilities=BARE)])
    assert told([event]) == [("changed", 1, "without_mask")]
    assert event.confidence == 0.95 and event.seconds_seen == 1.5
    assert told(camera.play([face()], 6)) == [("changed", 1, "with_mask")]


def test_who_is_not_sure_for_a_while_keeps_the_verdict():
    camera = Camera()
    camera.play([face()], 10)
    assert camera.play([face(probabilities=BARE, sure=False)], 30) == []
    (event,) = camera.play([], 20)
    assert told([event]) == [("left", 1, "with_mask")]
    assert event.confidence == 0.02  # what the newest face says of that verdict
    assert event.seconds_seen == 3.9


def test_a_face_that_was_never_sure_leaves_as_not_sure():
    camera = Camera()
    assert camera.play([face(sure=False)], 8) == []
    (event,) = camera.play([], 20)
    assert told([event]) == [("left", 1, "not_sure")] and event.confidence == 0.9


def test_what_was_seen_in_fewer_than_five_frames_was_nobody():
    camera = Camera()
    assert camera.play([face(sure=False)], 4) == camera.play([], 30) == []
    assert camera.watch.end("door") == []


def test_a_person_leaves_after_a_second_out_of_sight_and_not_before():
    camera = Camera()
    camera.play([face()], 10)  # last seen at 0.9 s
    assert camera.play([], 10) == []  # up to 1.9 s
    assert camera.play([face()]) == []  # and back
    camera.play([], 10)
    (event,) = camera.play([])
    assert (event.event, event.time, event.seconds_seen) == ("left", 3.1, 2.0)
    assert camera.play([], 30) == []


def test_out_of_sight_for_a_moment_does_not_break_what_is_held():
    camera = Camera()
    assert camera.play([face()], 4) + camera.play([], 3) == []
    assert told(camera.play([face()])) == [("settled", 1, "with_mask")]


def test_people_of_several_sources_are_kept_apart():
    watch = PeopleWatch()
    door, gate = Camera(watch, "door"), Camera(watch, "gate")
    for _ in range(8):
        door.play([face(1), face(2, BARE)])
        gate.play([face(1, BARE)])
    assert told(watch.end("door")) == [("left", 1, "with_mask"), ("left", 2, "without_mask")]
    assert watch.end("door") == watch.end("never seen") == []
    assert [event.source for event in watch.end("gate")] == ["gate"]


def test_the_end_has_the_time_of_the_newest_frame_with_people():
    camera = Camera(utc_s=1_795_286_400.0)
    camera.play([face()], 11)
    (event,) = camera.watch.end("door")
    assert event.time == "2026-11-21T18:40:01.000+00:00" and event.seconds_seen == 1.0


def test_photos_and_faces_without_a_number_are_nobody_and_leave_nothing_behind():
    watch = PeopleWatch()
    for index in range(50):
        frame = Frame(BLACK, index, 0.0, f"photo{index}.jpg", is_still=True)
        assert watch.update(frame, [replace(face(), track_id=None)]) == []
    assert not watch._people and not watch._newest_time


@pytest.mark.parametrize("fps", [7, 25, 29.97, 60])
def test_every_rate_settles_at_the_first_frame_after_half_a_second(fps):
    (event,) = Camera(fps=fps).play([face()], int(2 * fps))
    assert 0.5 - 1e-3 <= event.time <= max(0.5 + 1 / fps, 4 / fps) + 1e-3


def test_memory_does_not_grow_with_the_people_who_have_left():
    camera = Camera()
    for track in range(1, 200):
        camera.play([face(track)], 6)
        camera.play([], 12)
    assert not camera.watch._people
