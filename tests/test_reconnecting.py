"""A camera that stalls, drops and returns: step by step, with a device at the border."""

import itertools
import logging
import threading
import time

import cv2
import numpy as np
import pytest

from mask_detector.capture import reconnecting
from mask_detector.capture.reconnecting import LiveOptions, LiveSource
from mask_detector.capture.thread import CaptureThread
from mask_detector.errors import SourceError

PICTURE = (True, np.full((48, 64, 3), 9, np.uint8))
NOTHING = (False, None)
QUICK = LiveOptions(timeout_s=0.2, first_wait_s=0.01, longest_wait_s=0.02)


class Device:
    """A camera at the border: each time it is opened it gives the next of these answers.

    A picture waits until the one before has been taken, so that all are seen. `None` among the
    answers is a read that hangs until `wake`; a text for all of them is an opening that fails.
    """

    def __init__(self, *lives):
        self._lives = iter(lives)
        self.opened, self.wake = [], threading.Event()

    def open(self):
        answers = next(self._lives, "unplugged")
        self.opened.append(None)
        if isinstance(answers, str):
            raise SourceError(f"no camera 7: {answers}")
        self.opened[-1] = FakeCapture(answers, self.wake)
        return self.opened[-1]

    @property
    def captures(self):
        return [capture for capture in self.opened if capture]


class FakeCapture:
    def __init__(self, answers, wake):
        self._answers, self._wake = iter(answers), wake
        self.is_free = threading.Semaphore(1)
        self.release_count, self.threads = 0, {threading.get_ident()}

    def get(self, prop):
        return 30.0 if prop == cv2.CAP_PROP_FPS else -1.0

    def read(self):
        self.threads.add(threading.get_ident())
        answer = next(self._answers, NOTHING)
        if answer is None:
            self._wake.wait(10)
            return NOTHING
        if answer is PICTURE:
            self.is_free.acquire(timeout=10)
        return answer

    def release(self):
        self.threads.add(threading.get_ident())
        self.release_count += 1


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def watch(device, options=QUICK, count=10**9, changes=None):
    """Take so many frames; returns them and what the source said when it ended, if it did."""
    frames, on_change = [], changes.append if changes is not None else None
    try:
        with LiveSource("7", device.open, options, on_change) as source:
            for frame in itertools.islice(source, count):
                frames.append(frame)
                device.captures[-1].is_free.release()
    except SourceError as error:
        return frames, str(error)
    finally:
        device.wake.set()
    return frames, ""


def once(**options):
    return LiveOptions(timeout_s=0.2, retries=0, **options)


def test_a_camera_that_never_gives_a_frame_is_an_error_and_is_released():
    device = Device([])
    frames, message = watch(device, LiveOptions())  # with the usual patience
    assert frames == [] and "camera 7 opened but gave no frame" in message
    assert [capture.release_count for capture in device.captures] == [1]


@pytest.mark.parametrize("slow_start", [NOTHING, (True, None), (True, np.empty((0, 0, 3)))])
def test_a_camera_may_give_nothing_at_first(slow_start):
    device = Device([slow_start] * 5 + [PICTURE] * 3)
    frames, message = watch(device, once())
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert all(frame.image is PICTURE[1] for frame in frames)
    assert "no more frames after 3" in message
    assert [capture.release_count for capture in device.captures] == [1]


def test_without_retries_the_first_loss_is_the_end(caplog):
    changes = []
    frames, message = watch(Device([PICTURE] * 4), once(), changes=changes)
    assert len(frames) == 4 and message == "camera 7 gave no more frames after 4"
    assert [change.is_lost for change in changes] == [True] and caplog.records == []


def test_a_camera_is_opened_again_and_its_frames_count_on(caplog):
    device, changes = Device([PICTURE] * 3, "still away", [PICTURE] * 2, [PICTURE] * 9), []
    with caplog.at_level(logging.INFO):
        frames, _ = watch(device, count=7, changes=changes)
    assert [frame.index for frame in frames] == list(range(7))
    assert np.diff([frame.time_s for frame in frames]).min() >= 0 and frames[0].time_s == 0
    assert [change.is_lost for change in changes] == [True, False, True, False]
    assert all(change.source == "7" and abs(change.utc_s - time.time()) < 60 for change in changes)
    assert [capture.release_count for capture in device.captures] == [1, 1, 1]
    assert [record.getMessage().split(":")[0][:17] for record in caplog.records] == [
        "camera 7 is lost", "camera 7 is back ", "camera 7 is lost", "camera 7 is back ",
    ]  # fmt: skip


def test_a_device_belongs_to_one_thread_each_time_it_is_opened():
    device = Device([PICTURE] * 2, [PICTURE] * 2)
    watch(device, count=4)
    threads = [capture.threads for capture in device.captures]
    assert all(len(some) == 1 and threading.get_ident() not in some for some in threads)


def test_a_read_that_hangs_is_given_up_and_released_when_it_returns():
    device, changes = Device([PICTURE, None], [PICTURE] * 9), []
    with LiveSource("7", device.open, QUICK, changes.append) as source:
        watching = iter(source)
        next(watching)
        device.captures[0].is_free.release()
        started = time.monotonic()
        assert next(watching).index == 1
        assert QUICK.timeout_s <= time.monotonic() - started < QUICK.timeout_s + 2
        assert "no frame for 0.2 s" in changes[0].reason
        assert device.captures[0].release_count == 0  # the driver still has it
        device.captures[1].is_free.release(9)
        device.wake.set()
        deadline = time.monotonic() + 5
        while not device.captures[0].release_count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert device.captures[0].release_count == 1


def test_a_driver_that_never_returns_is_not_asked_for_ever():
    device = Device([PICTURE, None], *[[None]] * 50)
    options = LiveOptions(timeout_s=0.05, retries=8, first_wait_s=0.01, longest_wait_s=0.01)
    frames, message = watch(device, options)
    assert len(frames) == 1 and "8 tries to open it again failed" in message
    assert len(device.opened) == reconnecting._MOST_STUCK


def test_a_camera_is_back_when_some_reads_return_that_were_stuck_for_long():
    wakes = [threading.Event() for _ in range(reconnecting._MOST_STUCK)]
    stuck = [FakeCapture([PICTURE, None], wakes[0]), *(FakeCapture([None], w) for w in wakes[1:])]
    captures = iter([*stuck, FakeCapture([PICTURE], wakes[0])])
    options = LiveOptions(timeout_s=0.05, first_wait_s=0.01, longest_wait_s=0.01)
    with LiveSource("7", lambda: next(captures), options) as source:
        watching = iter(source)
        next(watching)
        started = time.monotonic()
        returning = threading.Timer(0.5, lambda: [wake.set() for wake in wakes[:-1]])
        returning.start()  # until then it is found stuck dozens of times
        assert next(watching).index == 1 and time.monotonic() - started < 5
        wakes[-1].set()
        returning.join()


def test_tries_are_counted_in_a_row_and_the_last_reason_is_told():
    lives = [PICTURE] * 2, "a", "b", [PICTURE] * 2, "c", "d", "e", [PICTURE] * 99
    options = LiveOptions(timeout_s=0.2, retries=3, first_wait_s=0.001)
    device = Device(*lives)
    frames, message = watch(device, options)
    assert len(frames) == 4 and len(device.opened) == 7
    assert message == (
        "camera 7 gave no more frames after 4 (3 tries to open it again failed: no camera 7: e)"
    )


def test_each_try_waits_twice_as_long_up_to_a_limit():
    usual = LiveOptions()
    assert (usual.timeout_s, usual.first_wait_s, usual.longest_wait_s) == (10, 1, 60)
    opened_s, device = [], Device([PICTURE])

    def open_and_note():
        opened_s.append(time.monotonic())
        return device.open()

    options = LiveOptions(timeout_s=0.05, retries=6, first_wait_s=0.03, longest_wait_s=0.2)
    with LiveSource("7", open_and_note, options) as source, pytest.raises(SourceError):
        list(source)
    waits = np.diff(opened_s)[1:]  # the first one begins with the loss, which takes a while
    assert np.all(waits >= [0.06, 0.12, 0.2, 0.2, 0.2]) and np.all(waits[:2] < [0.12, 0.24])


def test_an_absent_camera_is_an_error_at_the_start():
    device = Device("not there", [PICTURE])
    with LiveSource("7", device.open, QUICK) as source:
        with pytest.raises(SourceError, match="no camera 7: not there"):
            source.wait_until_open()
        assert list(source) == []
    assert len(device.opened) == 1


@pytest.mark.parametrize("beginning", [["not there"], [[NOTHING]], ["no", [NOTHING], "no"]])
def test_an_absent_camera_is_lost_from_the_start_where_it_is_to_be_waited_for(beginning):
    changes, options = [], LiveOptions(timeout_s=0.1, wait=True, first_wait_s=0.01)
    device = Device(*beginning, [PICTURE] * 3)
    frames, _ = watch(device, options, 3, changes)
    assert [change.is_lost for change in changes] == [True, False]
    assert [frame.index for frame in frames] == [0, 1, 2] and frames[0].time_s == 0


def test_waiting_ends_with_the_tries():
    options = LiveOptions(timeout_s=0.1, wait=True, retries=2, first_wait_s=0.01)
    assert watch(Device("a", "b", "c"), options) == (
        [], "no camera 7: c (2 tries to open it again failed)"
    )  # fmt: skip


@pytest.mark.parametrize("where", ["while a read hangs", "between two tries", "while it opens"])
def test_closing_from_another_thread_ends_the_frames_at_once(where):
    device, is_lost = Device([PICTURE, None]), threading.Event()
    options = LiveOptions(timeout_s=0.1 if where == "between two tries" else 30, first_wait_s=30)

    def open_slowly():
        if where == "while it opens":
            device.wake.wait(10)
        return device.open()

    with LiveSource("7", open_slowly, options, lambda change: is_lost.set()) as source:
        taken = []
        watcher = threading.Thread(target=lambda: taken.extend(source))
        watcher.start()
        assert where != "between two tries" or is_lost.wait(5)
        time.sleep(0.1)
        started = time.monotonic()
        source.close()
        watcher.join(5)
        assert not watcher.is_alive() and time.monotonic() - started < 0.5
        device.wake.set()
    assert len(taken) == (where != "while it opens") and len(device.captures) == 1
    assert list(source) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_camera_is_released_when_the_loop_fails(error):
    device = Device([PICTURE] * 10)
    with pytest.raises(error), LiveSource("7", device.open, QUICK) as source:
        for _ in source:
            device.captures[0].is_free.release(10)
            raise error
    assert device.captures[0].release_count == 1


def test_a_source_that_nobody_iterates_opens_nothing_and_closes():
    device = Device([PICTURE])
    with LiveSource("7", device.open, QUICK):
        pass
    assert device.opened == []


def test_frames_read_before_anyone_wanted_them_do_not_count():
    """While models load a camera is read on, or its first frames would be old ones."""
    device = Device([PICTURE] * 9)
    with LiveSource("7", device.open, QUICK) as source:
        source.start()
        source.wait_until_open()
        device.captures[0].is_free.release(4)
        time.sleep(0.1)  # the fifth is the newest now
        watching, now = iter(source), time.time()
        first = next(watching)
        device.captures[0].is_free.release(1)
        second = next(watching)
        device.captures[0].is_free.release(9)
    assert (first.index, first.time_s, second.index) == (0, 0, 1)
    assert now - 2 < first.utc_s <= second.utc_s and second.time_s > 0


def test_what_is_not_taken_in_time_is_over_and_counted():
    device = Device([PICTURE] * 50)
    with LiveSource("7", device.open, QUICK) as source:
        watching = iter(source)
        assert next(watching).index == 0
        device.captures[0].is_free.release(10)
        time.sleep(0.1)
        assert next(watching).index == 10
        device.captures[0].is_free.release(99)


@pytest.mark.parametrize("is_slow, is_patient", [(True, True), (False, False)])
def test_pictures_that_arrive_damaged_are_no_end(is_slow, is_patient):
    """A read that fails after a while has had something to decode: a stream still comes."""

    class Damaged:
        count = 0

        def get(self, prop):
            return 0.0

        def read(self):
            self.count += 1
            time.sleep(0.01 if is_slow else 0)
            return PICTURE if self.count > 40 else NOTHING

        def release(self):
            pass

    capture = CaptureThread(Damaged, patience_s=0.1)
    capture.start()
    reading = capture.take(10)
    capture.stop()
    assert capture.join(5) and (reading is not None) == is_patient


def test_what_opencv_throws_is_told_without_its_words():
    """They hold the address, and that may hold a password."""

    def fail():
        raise cv2.error("can't open rtsp://joe:secret@host/x")

    with LiveSource("7", fail, QUICK) as source, pytest.raises(SourceError) as raised:
        source.wait_until_open()
    assert str(raised.value) == "OpenCV failed with error"
