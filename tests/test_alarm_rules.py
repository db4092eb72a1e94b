"""The rules of alarms step by step; the clock is the frames' own, so every second is made up."""

import numpy as np
import pytest

from mask_detector.alarms.rules import AlarmOptions, AlarmRules, read_alarm_on
from mask_detector.errors import MaskDetectorError
from mask_detector.labels import Meaning
from mask_detector.types import Face, FaceBox, Frame

IMAGE = np.zeros((2, 2, 3), np.uint8)
NAMES = ("with_mask", "without_mask", "mask_worn_wrongly")
FPS = 10
BARE, MASKED, WRONG = "without_mask", "with_mask", "mask_worn_wrongly"
UNSURE, SMALL, HELD = "unsure", "small", "held"


def face(track, state=BARE, at=(100, 100), side=60, names=NAMES):
    """A face whose box's upper left corner is at a place."""
    left, top = at
    box = FaceBox(left, top, left + side, top + side, 0.9)
    label = BARE if state in (UNSURE, SMALL, HELD) else state
    probabilities = tuple(0.96 if name == label else 0.04 / (len(names) - 1) for name in names)
    least = 0.99 if state == UNSURE else 0.5
    if state == HELD:  # a track's verdict, for which the evidence has gone
        return Face(box, (0.6, 0.4, 0.0), names, track, 0.5, verdict=BARE)
    return Face(box, probabilities, names, track, least, is_clear=state != SMALL)


class Scene:
    """A camera at ten frames a second; each step says who is there, and for how long."""

    def __init__(self, rules, source="DOOR"):
        self.rules, self.source, self.frame_count = rules, source, 0

    @property
    def now_s(self):
        return self.frame_count / FPS

    def show(self, *faces, for_s=None, frames=1):
        """The breaches of the next frames, each with its time in seconds."""
        told = []
        for _ in range(frames if for_s is None else round(for_s * FPS)):
            frame = Frame(IMAGE, self.frame_count, self.now_s, self.source)
            told += [(self.now_s, breach) for breach in self.rules.update(frame, list(faces))]
            self.frame_count += 1
        return told


def alarms(told):
    """When there was an alarm, and of which track."""
    return [(time_s, breach.event.track) for time_s, breach in told if breach.is_alarm]


@pytest.fixture
def scene():
    return Scene(AlarmRules())


def test_a_bare_face_is_one_alarm_after_two_seconds(scene):
    told = scene.show(face(7), for_s=30)
    assert alarms(told) == [(2.0, 7)]
    assert len(told) == 1 and told[0][1].is_new
    event = told[0][1].event
    assert (event.event, event.source, event.verdict) == ("alarm", "DOOR", BARE)
    assert event.time == 2.0 and event.seconds_seen == 2.0
    assert event.confidence == pytest.approx(0.96) and event.box == (100, 100, 160, 160)


def test_ten_minutes_without_a_mask_is_still_one_alarm(scene):
    assert len(alarms(scene.show(face(1), for_s=600))) == 1


@pytest.mark.parametrize("state", [MASKED, UNSURE, SMALL, HELD])
def test_masked_unsure_and_small_faces_raise_none(scene, state):
    assert scene.show(face(1, state), for_s=20) == []


def test_a_face_that_is_bare_for_less_than_two_seconds_raises_none(scene):
    for _ in range(10):
        told = scene.show(face(1), for_s=1.9) + scene.show(face(1, MASKED), for_s=1)
        assert told == []


@pytest.mark.parametrize("other", [MASKED, UNSURE, SMALL, None])
def test_three_frames_of_anything_else_end_no_breach(scene, other):
    shown = [] if other is None else [face(1, other)]
    told = scene.show(face(1), for_s=1)
    for _ in range(12):
        told += scene.show(*shown, frames=3) + scene.show(face(1), frames=5)
    assert alarms(told) == [(2.1, 1)]  # at 2.0 it was another


@pytest.mark.parametrize("other", [MASKED, UNSURE, SMALL, None])
def test_more_than_half_a_second_starts_the_two_seconds_anew(scene, other):
    shown = [] if other is None else [face(1, other)]
    told = scene.show(face(1), for_s=1.9) + scene.show(*shown, frames=6)
    told += scene.show(face(1), for_s=3)
    assert alarms(told) == [(4.5, 1)]


def test_half_a_second_is_forgiven_however_many_frames_it_has(scene):
    told = scene.show(face(1), for_s=1.9) + scene.show(face(1, MASKED), frames=4)
    told += scene.show(face(1), for_s=1)
    assert alarms(told) == [(2.3, 1)]


def test_three_frames_are_forgiven_however_long_they_take():
    rules, told = AlarmRules(AlarmOptions(after_s=4.0)), []
    for second, state in enumerate([BARE, BARE, MASKED, MASKED, MASKED, BARE]):
        told += rules.update(Frame(IMAGE, second, float(second), "slow"), [face(1, state)])
    assert len(told) == 1


def test_flicker_for_a_minute_is_one_alarm(scene):
    told = []
    for _ in range(100):
        told += scene.show(face(1), frames=3) + scene.show(face(1, MASKED), frames=3)
    assert len(alarms(told)) == len(told) == 1


def test_two_people_are_two_alarms(scene):
    one, other = face(1), face(2, at=(400, 100))
    told = scene.show(one, for_s=1) + scene.show(one, other, for_s=30)
    assert alarms(told) == [(2.0, 1), (3.0, 2)]


def test_another_person_breaks_the_quiet_even_in_the_same_place(scene):
    """Who is seen at the same time is another, however near."""
    told = scene.show(face(1), for_s=5)
    told += scene.show(face(1), face(2, at=(110, 105)), for_s=5)
    assert alarms(told) == [(2.0, 1), (7.0, 2)]


def test_the_same_person_is_quiet_for_a_minute_and_then_told_once(scene):
    told = scene.show(face(1), for_s=5) + scene.show(face(1, MASKED), for_s=5)
    told += scene.show(face(1), for_s=100)  # the mask is off again
    assert alarms(told) == [(2.0, 1), (62.0, 1)]
    second, third = told[1:]
    assert second[0] == 12.0 and not second[1].is_alarm and second[1].is_new
    assert third[1].is_alarm and not third[1].is_new


def test_a_breach_that_is_over_before_the_quiet_is_told_no_more(scene):
    told = scene.show(face(1), for_s=5) + scene.show(face(1, MASKED), for_s=5)
    told += scene.show(face(1), for_s=5) + scene.show(face(1, MASKED), for_s=200)
    assert alarms(told) == [(2.0, 1)]


def test_a_breach_after_the_quiet_is_an_alarm_of_its_own(scene):
    told = scene.show(face(1), for_s=5) + scene.show(face(1, MASKED), for_s=60)
    told += scene.show(face(1), for_s=5)
    assert alarms(told) == [(2.0, 1), (67.0, 1)]


def test_who_leaves_and_returns_raises_nothing_new(scene):
    told = scene.show(face(1), for_s=5) + scene.show(for_s=20)
    told += scene.show(face(2, at=(150, 130), side=70), for_s=10) + scene.show(for_s=100)
    assert alarms(told) == [(2.0, 1)]


def test_who_returns_and_stays_is_told_when_the_quiet_is_over(scene):
    told = scene.show(face(1), for_s=5) + scene.show(for_s=20)
    told += scene.show(face(2, at=(150, 130)), for_s=100)
    assert alarms(told) == [(2.0, 1), (62.0, 2)]


def test_tracks_that_are_lost_again_and_again_are_one_alarm(scene):
    told = []
    for track in range(1, 60):  # each is the same face, which the tracker lost for a second
        told += scene.show(face(track), for_s=2.5) + scene.show(for_s=1.2)
    assert alarms(told) == [(2.0, 1)]


@pytest.mark.parametrize("at, side", [((300, 100), 60), ((100, 250), 60), ((100, 100), 120)])
def test_who_comes_elsewhere_or_in_another_size_is_another(scene, at, side):
    told = scene.show(face(1), for_s=5) + scene.show(for_s=2)
    told += scene.show(face(2, at=at, side=side), for_s=5)
    assert alarms(told) == [(2.0, 1), (9.0, 2)]


def test_who_comes_there_long_after_is_another(scene):
    told = scene.show(face(1), for_s=5) + scene.show(for_s=61)
    told += scene.show(face(2), for_s=5)
    assert alarms(told) == [(2.0, 1), (68.0, 2)]


def test_who_comes_where_a_masked_person_was_is_another(scene):
    told = scene.show(face(1, MASKED), for_s=5) + scene.show(for_s=2)
    told += scene.show(face(2), for_s=5)
    assert alarms(told) == [(9.0, 2)]


def test_people_who_pass_one_after_the_other_are_not_one_who_stays(scene):
    for track in range(1, 6):
        assert scene.show(face(track), for_s=1.5) == []


def test_one_place_is_taken_by_one_newcomer_the_nearest(scene):
    told = scene.show(face(1), for_s=5) + scene.show(for_s=2)
    told += scene.show(face(2, at=(160, 100)), face(3, at=(105, 100)), for_s=5)
    assert len(alarms(told)) == 2  # the first, and one of the two newcomers


def test_sources_have_nothing_to_do_with_each_other():
    rules = AlarmRules()
    door, hall = Scene(rules, "DOOR"), Scene(rules, "HALL")
    told = []
    for _ in range(50):  # the same track number, the same place, another camera
        told += door.show(face(1)) + hall.show(face(1))
    assert [(time_s, breach.event.source) for time_s, breach in told] == [
        (2.0, "DOOR"), (2.0, "HALL"),
    ]  # fmt: skip
    assert all(breach.is_alarm for _, breach in told)


def test_time_in_which_a_camera_gave_nothing_is_no_breach():
    rules = AlarmRules()
    for time_s in (0.0, 30.0):
        assert rules.update(Frame(IMAGE, 0, time_s, "DOOR"), [face(1)]) == []


def test_photos_raise_none_and_leave_nothing_behind():
    rules = AlarmRules(AlarmOptions(after_s=0))
    for number in range(50):
        still = Frame(IMAGE, 0, 0.0, f"photo{number}.jpg", is_still=True)
        assert rules.update(still, [face(None)]) == []
    assert rules._people == {}


def test_the_rules_forget_who_is_gone():
    scene = Scene(AlarmRules())
    for track in range(1, 40):
        scene.show(face(track, at=(200 * track, 0)), for_s=3)
    scene.show(for_s=61)
    assert scene.rules._people == {}


def test_a_mask_worn_wrongly_is_a_breach_where_that_is_asked_for():
    assert Scene(AlarmRules()).show(face(1, WRONG), for_s=5) == []
    both = AlarmRules(AlarmOptions(read_alarm_on("missing,wrong")))
    assert alarms(Scene(both).show(face(1, WRONG), for_s=5)) == [(2.0, 1)]


def test_a_breach_goes_on_from_wrongly_to_not_at_all():
    scene = Scene(AlarmRules(AlarmOptions(read_alarm_on("missing,wrong"))))
    told = scene.show(face(1, WRONG), for_s=1) + scene.show(face(1), for_s=9)
    assert alarms(told) == [(2.0, 1)] and told[0][1].event.verdict == BARE


def test_classes_that_are_not_about_masks_alarm_by_their_names():
    names = ("ok_front", "def_front")
    rules = AlarmRules(AlarmOptions(alarm_on=read_alarm_on("def_front", names)))
    scene = Scene(rules)
    assert scene.show(face(1, "ok_front", names=names), for_s=5) == []
    (told,) = scene.show(face(1, "def_front", names=names), for_s=5)
    assert told[1].event.verdict == "def_front"


def test_what_raises_an_alarm_is_read_from_words():
    assert read_alarm_on("missing") == AlarmOptions().alarm_on
    assert read_alarm_on(" missing, wrong,") == {Meaning.MISSING, Meaning.WRONG}
    assert read_alarm_on("wrong,cat", ("cat", "dog")) == {Meaning.WRONG, "cat"}
    for text in ("", ",", "bare", "missing,def_front"):
        with pytest.raises(MaskDetectorError, match="expected"):
            read_alarm_on(text, ("with_mask",))
