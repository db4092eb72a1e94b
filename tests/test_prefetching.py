"""Iterating ahead: every item and its order, the newest of a live source, and no thread left."""

import itertools
import sys
import threading
import time

import pytest

from mask_detector import prefetching
from mask_detector.prefetching import Prefetcher

SOON_S = 10.0  # a test that waits longer has failed; on a busy machine a thread may wait its turn


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    wait_until(lambda: threading.active_count() == before)


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
