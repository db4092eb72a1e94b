"""What a watch tells and whom: the order of events, alarms with their pictures, sums of people."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from mask_detector.alarms.rules import AlarmOptions, AlarmRules
from mask_detector.drawing import AnnotatedFrame
from mask_detector.events.records import SourceChange
from mask_detector.guard import GuardSink
from mask_detector.summaries import SummarySink
from mask_detector.types import Face, FaceBox, Frame

IMAGE = np.full((240, 320, 3), 90, np.uint8)
NAMES = ("with_mask", "without_mask")


def face(track_id, is_masked, left=20):
    probabilities = (0.97, 0.03) if is_masked else (0.03, 0.97)
    box = FaceBox(left, 60, left + 40, 110, 0.9)
    return Face(box, probabilities, NAMES, track_id, verdict=NAMES[not is_masked])


def play(sink, seconds, people, source="door", begin_s=0.0, utc_s=None):
    """Ten frames a second of these people: `{track: (is masked, left edge)}`."""
    for index in range(round(seconds * 10)):
        time_s = begin_s + index / 10
        frame = Frame(IMAGE, index, time_s, source, utc_s=utc_s and utc_s + time_s)
        faces = [face(track, *look) for track, look in people.items()]
        sink.write(AnnotatedFrame(frame, faces))


class Keeping:
    """Stands at the border: takes what would be sent or kept."""

    def __init__(self):
        self.saved, self.sent = [], []

    def save(self, annotated, event):
        self.saved.append((annotated.frame.source, event.track))
        return f"{event.track}.jpg"

    def send(self, event, picture):
        self.sent.append((event.track, picture))


def test_events_are_told_in_order_and_once():
    events = []
    with GuardSink([events.append]) as guard:
        play(guard, 3, {1: (True, 20), 2: (False, 200)})
        play(guard, 3, {2: (False, 200)}, begin_s=3.0)
    told = [(event.event, event.track, event.verdict) for event in events]
    assert told == [
        ("settled", 1, "with_mask"), ("settled", 2, "without_mask"),
        ("left", 1, "with_mask"), ("left", 2, "without_mask"),
    ]  # fmt: skip
    assert [event.time for event in events] == sorted(event.time for event in events)


def test_a_breach_is_kept_as_a_picture_and_told_as_an_alarm():
    events, keeping = [], Keeping()
    rules = AlarmRules(AlarmOptions(after_s=2.0, every_s=60.0))
    with GuardSink([events.append], rules, keeping, keeping) as guard:
        play(guard, 1.9, {1: (False, 20)})
        assert keeping.saved == keeping.sent == []
        play(guard, 5, {1: (False, 20)}, begin_s=1.9)
    assert keeping.saved == [("door", 1)] and keeping.sent == [(1, "1.jpg")]
    assert [event.event for event in events] == ["settled", "alarm", "left"]


def test_a_breach_in_quiet_time_is_kept_but_not_sent():
    keeping = Keeping()
    rules = AlarmRules(AlarmOptions(after_s=1.0, every_s=60.0))
    with GuardSink([], rules, keeping, keeping) as guard:
        play(guard, 3, {1: (False, 20)})
        play(guard, 5, {}, begin_s=3.0)
        play(guard, 3, {2: (False, 22)}, begin_s=8.0)  # who has just been there, it seems
    assert keeping.saved == [("door", 1), ("door", 2)] and keeping.sent == [(1, "1.jpg")]


def test_a_lost_camera_is_an_event_and_its_people_leave():
    events = []
    with GuardSink([events.append]) as guard:
        play(guard, 2, {1: (True, 20)}, utc_s=1_700_000_000.0)
        guard.source_changed(SourceChange("door", True, 1_700_000_009.0, "no frame for 5 s"))
        guard.source_changed(SourceChange("door", False, 1_700_000_020.5, "after 11.5 s"))
        play(guard, 2, {9: (True, 20)}, begin_s=20.5, utc_s=1_700_000_000.0)
    told = [(event.event, event.track, event.time) for event in events]
    assert told[:4] == [
        ("settled", 1, "2023-11-14T22:13:20.500+00:00"),
        ("left", 1, "2023-11-14T22:13:21.900+00:00"),
        ("lost", None, "2023-11-14T22:13:29.000+00:00"),
        ("returned", None, "2023-11-14T22:13:40.500+00:00"),
    ]
    assert events[2].message == "no frame for 5 s" and [t[0] for t in told[4:]] == [
        "settled",
        "left",
    ]


def test_photos_are_no_people():
    events = []
    with GuardSink([events.append], AlarmRules()) as guard:
        for index in range(50):
            still = Frame(IMAGE, index, float(index), f"{index}.jpg", is_still=True)
            guard.write(AnnotatedFrame(still, [face(1, False)]))
    assert events == []


def test_people_are_summed_up_by_the_clock_of_their_source():
    lines = []
    summaries = SummarySink(minutes=0.5, say=lines.append)
    with summaries, GuardSink([summaries.add]) as guard:
        for source, utc_s in (("film", None), ("door", 1_700_000_000.0)):
            for begin_s, people in (
                (0.0, {1: (True, 20), 2: (False, 200)}),
                (20.0, {3: (True, 20)}),
                (40.0, {4: (False, 20)}),
            ):
                for sink in (guard, summaries):
                    play(sink, 20, people, source, begin_s, utc_s)
    film = [line for line in lines if line.startswith("film, ")]
    assert film == [
        "film, 0:00:00 to 0:00:30: 3 people: Mask 2, No Mask 1; compliance 66.7 %",
        "film, 0:00:30 to 0:00:59: 1 person: No Mask 1; compliance 0.0 %",
    ]
    door = [line for line in lines if line.startswith("door, ")]
    assert door[0].startswith("door, 22:13:20 UTC to 22:13:50 UTC: 3 people") and len(door) == 2


STOPPED = """
import sys, threading, time
from mask_detector.stopping import stop_on_signals
with stop_on_signals() as stop:
    print("ready", flush=True)
    while not stop.is_set() or sys.argv[1] == "busy":
        time.sleep(0.01)
print("files are closed", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["idle", "busy"])
def test_a_signal_ends_the_watch_between_two_frames_and_a_second_one_at_once(number, what):
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, what],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    if what == "busy":
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    if what == "idle":
        assert process.returncode == 0 and out == "files are closed\n"
    else:
        assert "KeyboardInterrupt" in errors and process.returncode != 0
