"""What stages take: counted once, in order, from any thread; and nothing where nobody asked."""

import threading
import time

import numpy as np
import pytest

from mask_detector import profiling
from mask_detector.profiling import NO_PROFILE, STAGES, Profile


class Clock:
    """A clock at the border, which shows what it is told to."""

    def __init__(self):
        self.now_s = 100.0

    def perf_counter(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(profiling, "time", clock)
    return clock


def test_median_and_95_percent_of_each_stage(clock):
    profile = Profile()
    rng = np.random.default_rng(0)
    taken_ms = {name: rng.uniform(1, 50, 99) for name in ("write", "detect")}
    for passes in zip(*taken_ms.values(), strict=True):
        for name, milliseconds in zip(taken_ms, passes, strict=True):
            with profile.stage(name):
                clock.now_s += milliseconds / 1000
    assert list(profile.milliseconds) == ["detect", "write"]  # as a frame passes them
    for name, (median, high) in profile.milliseconds.items():
        in_order = np.sort(taken_ms[name])
        assert median == pytest.approx(in_order[49])
        assert in_order[92] < high < in_order[95]


def test_the_shares_are_of_the_whole_and_add_up(clock):
    profile = Profile()
    for name, seconds in (("detect", 0.006), ("classify", 0.003), ("draw", 0.001)):
        for _ in range(7):
            with profile.stage(name):
                clock.now_s += seconds
    shares = profile.shares
    assert profile.totals_s == pytest.approx({"detect": 0.042, "classify": 0.021, "draw": 0.007})
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == pytest.approx({"detect": 0.6, "classify": 0.3, "draw": 0.1})


def test_what_items_take_to_come_is_counted_and_not_what_is_done_with_them(clock):
    def camera():
        for index in range(5):
            clock.now_s += 0.03
            yield index
        clock.now_s += 9.0  # the end is no frame

    profile = Profile()
    taken = []
    for item in profile.timed("capture", camera()):
        taken.append(item)
        clock.now_s += 1.0
    assert taken == [0, 1, 2, 3, 4]
    assert profile.milliseconds == {"capture": pytest.approx((30, 30))}


def test_a_pass_that_fails_is_not_counted(clock):
    profile = Profile()
    with pytest.raises(OSError), profile.stage("write"):
        raise OSError
    assert profile.milliseconds == {}


def test_stages_in_two_threads_keep_their_own_time():
    profile = Profile()

    def pass_through(name):
        for _ in range(20):
            with profile.stage(name):
                time.sleep(0.002)

    threads = [threading.Thread(target=pass_through, args=(name,)) for name in ("detect", "draw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(profile.milliseconds) == {"detect", "draw"}
    assert all(median >= 2 for median, _ in profile.milliseconds.values())


def test_only_the_last_passes_are_kept_and_all_are_summed_up(clock):
    profile = Profile()
    for seconds in [9.0] * 10 + [0.001] * Profile.MOST_PASSES:
        with profile.stage("detect"):
            clock.now_s += seconds
    assert profile.milliseconds["detect"] == pytest.approx((1, 1))
    assert profile.totals_s["detect"] == pytest.approx(90 + Profile.MOST_PASSES / 1000)


def test_the_table_has_a_line_for_each_stage_that_was_passed(clock):
    profile = Profile()
    for name, seconds in (("capture", 0.001), ("detect", 0.0125), ("write", 0.0365)):
        with profile.stage(name):
            clock.now_s += seconds
    head, *lines = profile.table().splitlines()
    assert head.split() == ["stage", "median", "ms", "95", "%", "ms", "share"]
    assert [line.split() for line in lines] == [
        ["capture", "1.00", "1.00", "2%"],
        ["detect", "12.50", "12.50", "25%"],
        ["write", "36.50", "36.50", "73%"],
    ]
    assert len({len(line) for line in [head, *lines]}) == 1  # columns


def test_without_a_profile_nothing_is_kept_and_items_pass_untouched():
    items = [1, 2]
    for name in STAGES:
        with NO_PROFILE.stage(name):
            pass
    assert NO_PROFILE.timed("capture", items) is items
    assert NO_PROFILE.milliseconds == {} and NO_PROFILE.stage("draw") is NO_PROFILE.stage("write")
