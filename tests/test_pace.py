"""How long a face may be out of sight, by how far apart a source's frames are."""

import pytest

from mask_detector.alarms.rules import AlarmRules
from mask_detector.pace import Pace
from mask_detector.people import PeopleWatch
from mask_detector.tracking import FaceTracker
from mask_detector.types import Face, FaceBox, Frame

NAMES = ("with_mask", "without_mask")
BOX = FaceBox(20, 20, 80, 80, 0.9)


def pace_of(*times_s):
    pace = Pace()
    for time_s in times_s:
        pace.take(time_s)
    return pace


def test_frames_that_come_quickly_change_nothing():
    assert pace_of().patience_s(1.0) == pace_of(5.0).patience_s(1.0) == 1.0
    assert pace_of(*(index / 25 for index in range(50))).patience_s(1.0) == 1.0
    assert pace_of(0, 0.4, 0.8).patience_s(1.0) == 1.0


def test_where_they_are_far_apart_patience_is_a_few_of_them():
    assert pace_of(0, 2, 4, 6).patience_s(1.0) == pytest.approx(5.0)
    assert pace_of(0, 2, 4).patience_s(1.0) == 1.0  # two gaps are no habit


def test_one_long_gap_or_a_clock_that_is_set_back_is_not_the_usual():
    assert pace_of(0, 0.1, 0.2, 0.3, 3600, 3600.1).patience_s(1.0) == 1.0
    assert pace_of(100, 100.1, 100.2, 50, 50.1).patience_s(1.0) == 1.0


@pytest.mark.parametrize("gap_s", [0.04, 0.9, 1.0, 1.1, 2.0, 10.0, 60.0])
def test_whoever_stays_before_a_slow_camera_is_one_person_and_alarms_once(gap_s):
    tracker, watch, rules = FaceTracker(NAMES, 0.8), PeopleWatch(), AlarmRules()
    tracks, events, breaches = [], [], []
    for index in range(60):
        frame = Frame(None, index, index * gap_s, "gate")
        (track,) = tracker.update([BOX], frame.time_s)
        track.observe((0.02, 0.98))
        face = track.face()
        tracks.append(face.track_id)
        events += watch.update(frame, [face])
        breaches += rules.update(frame, [face])
    assert len(set(tracks[4:])) == 1 and len(tracks) == 60
    assert [event.event for event in events] == ["settled"]
    assert [breach.is_alarm for breach in breaches] == [True]
    later = Frame(None, 60, 60 * gap_s + 600, "gate")
    assert [event.event for event in watch.update(later, [])] == ["left"]


def test_a_slow_camera_still_lets_people_leave():
    watch = PeopleWatch()
    face = Face(BOX, (0.02, 0.98), NAMES, 1)
    for index in range(8):
        watch.update(Frame(None, index, 2.0 * index, "gate"), [face])
    away = [watch.update(Frame(None, 8 + n, 16.0 + 2 * n, "gate"), []) for n in range(4)]
    assert [len(events) for events in away] == [0, 0, 1, 0]  # after more than five seconds
