"""Iterating ahead: every item and its order, the newest of a live source, and no thread left."""

import itertools
import sys
import threading
import time

import pytest

from mask_detector.capture import prefetching
from mask_detector.capture.prefetching import Interleaver, Prefetcher

SOON_S = 10.0  # a test that waits longer has failed; on a busy machine a thread may wait its turn


pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture(autouse=True)
def threads_change_places_often():
    """As often as the interpreter can: what depends on who comes first fails here."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def wait_until(condition):
    deadline = time.monotonic() + SOON_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


class Camera:
    """A live source at the border: a frame every millisecond, whether anyone takes it or not."""

    given = 0

    def __iter__(self):
        while True:
            self.given += 1
            time.sleep(0.001)
            yield self.given


@pytest.mark.parametrize("count", [0, 1, 3, 2000])
@pytest.mark.parametrize("depth", [1, 2, 7])
def test_every_item_comes_once_and_in_order(count, depth):
    with Prefetcher(range(count), depth=depth) as items:
        assert list(items) == list(range(count))
        assert list(items) == []  # what has ended stays so


def test_two_stages_give_every_item_in_order():
    numbers = Prefetcher(range(1000))
    squares = Prefetcher(n * n for n in numbers)
    with squares, numbers:
        assert list(squares) == [n * n for n in range(1000)]


def test_the_work_is_done_in_another_thread():
    workers = []
    with Prefetcher(workers.append(threading.get_ident()) for _ in range(3)) as items:
        list(items)
    assert len(workers) == 3 and threading.get_ident() not in workers


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_than_its_depth_is_fetched_before_it_is_asked_for(depth):
    fetched = []

    def numbers():
        for number in itertools.count():
            fetched.append(number)
            yield number

    with Prefetcher(numbers(), depth=depth) as items:
        for taken in range(1, 4):
            next(items)
            wait_until(lambda: len(fetched) >= taken + depth)  # noqa: B023 (called at once)
            time.sleep(0.05)
            assert len(fetched) == taken + depth


def test_while_one_item_is_used_the_next_is_made():
    is_made = threading.Event()

    def numbers():
        yield 1
        is_made.set()
        yield 2

    with Prefetcher(numbers(), depth=1) as items:
        assert next(items) == 1
        assert is_made.wait(SOON_S)


def test_a_live_source_gives_the_newest_and_never_the_same_twice():
    camera = Camera()
    with Prefetcher(camera, newest_only=True) as frames:
        last = 0
        for _ in range(20):
            begun = camera.given  # so the one before has come
            frame = next(frames)
            assert frame >= begun - 1 and frame > last
            last = frame
            wait_until(lambda: camera.given > last + 5)  # noqa: B023 (called at once)


def test_who_is_quick_enough_misses_no_frame_of_a_live_source():
    is_taken = threading.Semaphore(0)

    def patient_camera():
        for index in range(20):
            yield index
            is_taken.acquire(timeout=SOON_S)

    with Prefetcher(patient_camera(), newest_only=True) as frames:
        for expected in range(20):
            assert next(frames) == expected
            is_taken.release()


@pytest.mark.parametrize("newest_only", [False, True])
def test_what_goes_wrong_is_told_after_the_items_that_came_before(newest_only):
    def breaks_off():
        yield "last frame"
        raise OSError("unplugged")

    with Prefetcher(breaks_off(), newest_only=newest_only) as items:
        time.sleep(0.1)
        assert next(items) == "last frame"
        with pytest.raises(OSError, match="unplugged"):
            next(items)
        with pytest.raises(StopIteration):
            next(items)


def test_an_error_passes_through_both_stages():
    def breaks_off():
        yield 1
        raise OSError("unplugged")

    first = Prefetcher(breaks_off())
    second = Prefetcher(2 * number for number in first)
    with second, first:
        assert next(second) == 2
        with pytest.raises(OSError, match="unplugged"):
            next(second)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
@pytest.mark.parametrize("newest_only", [False, True])
def test_whoever_leaves_in_the_middle_leaves_no_thread(error, newest_only):
    first = Prefetcher(Camera(), newest_only=newest_only)
    second = Prefetcher(map(str, first), depth=1)
    with pytest.raises(error), second, first:
        for _ in second:
            raise error  # the fixture counts the threads


def test_nothing_is_fetched_before_it_is_asked_for():
    camera = Camera()
    with Prefetcher(camera):
        time.sleep(0.05)
    assert camera.given == 0


def test_a_stage_that_waits_for_a_silent_source_ends_at_once():
    is_over = threading.Event()

    def silent():
        yield 1
        is_over.wait(SOON_S)  # in a driver, for all that anyone knows
        yield 2

    first = Prefetcher(silent(), newest_only=True)
    second = Prefetcher(map(str, first))
    with second, first:
        assert next(second) == "1"
        threading.Timer(0.1, is_over.set).start()
        started = time.monotonic()
    assert time.monotonic() - started < SOON_S / 2


def test_a_source_that_never_answers_is_left_after_a_while(monkeypatch, caplog):
    monkeypatch.setattr(prefetching, "_PATIENCE_S", 0.2)
    is_over = threading.Event()

    def dead():
        yield 1
        is_over.wait()
        yield 2

    started = time.monotonic()
    with Prefetcher(dead()) as items:
        next(items)
    assert 0.2 <= time.monotonic() - started < SOON_S / 2
    assert "still busy" in caplog.text
    is_over.set()  # and should it answer after all, its thread ends too
    with pytest.raises(StopIteration):
        next(items)


def test_none_comes_in_the_place_of_an_item_that_does_not():
    """Whoever waits has other things to do; and no item is lost or late by that."""
    gate = threading.Event()

    def items():
        yield 1
        gate.wait(SOON_S)
        yield 2

    with Prefetcher(items()) as prefetcher:
        given = prefetcher.or_none_after(0.01)
        assert next(given) == 1
        assert [next(given) for _ in range(3)] == [None] * 3
        gate.set()
        rest = [item for item in given if item is not None]
        assert rest == [2]


def test_what_is_raised_comes_through_where_none_may_come():
    def items():
        yield 1
        raise ValueError("lost")

    with Prefetcher(items()) as prefetcher, pytest.raises(ValueError, match="lost"):
        for item in prefetcher.or_none_after(SOON_S):
            assert item == 1


@pytest.mark.parametrize("counts", [(), (0,), (5,), (3, 0, 400), (100, 100, 1, 100)])
def test_of_several_every_item_comes_once_and_each_in_its_order(counts):
    parts = [
        Prefetcher(zip(itertools.repeat(s), range(c), strict=False)) for s, c in enumerate(counts)
    ]
    with Interleaver(parts) as items:
        given = list(items)
        assert list(items) == []  # what has ended stays so
    for source, count in enumerate(counts):
        assert [n for from_source, n in given if from_source == source] == list(range(count))


def test_sources_that_have_something_take_turns():
    parts = [Prefetcher(itertools.repeat(name), depth=4) for name in "abc"]
    with Interleaver(parts) as items:
        given = [next(items) for _ in range(300) if not time.sleep(0.0005)]
    assert all(70 <= given.count(name) <= 130 for name in "abc"), given


def test_one_that_has_nothing_yet_keeps_nobody_waiting():
    gate = threading.Event()

    def late():
        gate.wait(SOON_S)
        yield "late"

    with Interleaver([Prefetcher(late()), Prefetcher(range(50))]) as items:
        assert [next(items) for _ in range(50)] == list(range(50))
        gate.set()
        assert list(items) == ["late"]


def test_of_live_sources_the_newest_is_given_and_of_files_every_item():
    camera = Camera()
    parts = [Prefetcher(camera, newest_only=True), Prefetcher(-n for n in range(1, 6))]
    newest, from_file = [], []
    with Interleaver(parts) as items:
        for item in itertools.islice(items, 25):
            (newest if item > 0 else from_file).append(item)
            time.sleep(0.01)
        assert camera.given - newest[-1] <= 15
    assert from_file == [-1, -2, -3, -4, -5]
    assert sorted(set(newest)) == newest and newest[-1] > 2 * len(newest)


def test_one_that_fails_stops_no_other_and_is_told_in_the_end(caplog):
    def failing():
        yield "first"
        raise ValueError("camera is lost")

    given = []
    with Interleaver([Prefetcher(failing()), Prefetcher(range(200))]) as items:
        with pytest.raises(ValueError, match="camera is lost"):
            given.extend(items)
        assert list(items) == []
    assert sorted(map(str, given)) == sorted(["first", *map(str, range(200))])
    assert "the other sources go on" in caplog.text


def test_leaving_ends_all_threads_and_wakes_who_waits():
    parts = [Prefetcher(Camera(), newest_only=True), Prefetcher(itertools.count())]
    got = []
    items = Interleaver(parts)
    waiter = threading.Thread(target=lambda: got.extend(items))
    with items:
        waiter.start()
        wait_until(lambda: len(got) > 10)
    waiter.join(SOON_S)
    assert not waiter.is_alive()
