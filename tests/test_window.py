"""The window: a real one on a virtual display, with real keys."""

import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from conftest import ROOT, textured_photo

from mask_detector.mosaic import Mosaic, letterbox


def display_problem(**env):
    """What it answers in a process of its own, which must live to answer."""
    code = "from mask_detector.display import display_problem; print(display_problem())"
    clean = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no DISPLAY")
def test_without_a_display_the_problem_is_named():
    assert display_problem() == "there is no display"


@pytest.mark.parametrize("env", [{"DISPLAY": ":987"}, {"WAYLAND_DISPLAY": "no-such-socket"}])
def test_a_display_that_is_not_there_is_told_rather_than_aborted_on(env):
    assert "can't be opened" in display_problem(**env) or "headless" in display_problem(**env)


def test_a_display_that_works_has_no_problem(screen):
    assert display_problem(**screen.env) == "None"


WATCHER = """
import sys, time
import cv2
import numpy as np
from mask_detector.sinks import TallySink
from mask_detector.types import Frame
from mask_detector.events.records import SourceChange
from mask_detector.watching import Annotator, Signals, watch
from mask_detector.window import WindowSink

what, folder = sys.argv[1:]
is_still, names = what == "photos", ["door", "yard"] if what == "grid" else ["door"]
signals, tally, shown = Signals(), TallySink(), []
show, cv2.imshow = cv2.imshow, lambda title, image: (shown.append(image.copy()), show(title, image))

def frames(name):
    for index in range(3000 if what != "lost" else 5):
        size = (2000, 4000, 3) if what == "large" else (240, 320, 3)
        image = np.full(size, (index if name == "door" else 200) % 256, np.uint8)
        yield Frame(image, index, index / 25, name, is_still=is_still)
        time.sleep(0 if is_still else 0.01)
    signals.changes.put(SourceChange(name, True, 1_700_000_000.0, "gone"))
    time.sleep(60 if what == "lost" else 0)

with WindowSink(names) as sink:
    sources = [frames(name) for name in names]
    watch(sources, Annotator(lambda frame: []), [tally, sink], signals=signals)
cv2.imwrite(folder + "/first.png", shown[0])
cv2.imwrite(folder + "/last.png", shown[-1])
print(tally.frame_count, *sorted({image.shape[1::-1] for image in shown}))
"""


@pytest.fixture
def watcher(screen, tmp_path):
    """Someone watches: the process that shows frames, and its window."""
    processes = []

    def watch(what):
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHER, what, str(tmp_path)],
            cwd=ROOT, env={**os.environ, **screen.env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process, screen.wait_for_window(process)

    yield watch
    for process in processes:
        process.kill()
        process.communicate()


def end_of(process):
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return int(shown.split()[0])


def test_a_large_picture_opens_in_a_window_that_fits_a_screen(watcher, screen):
    process, window = watcher("large")
    deadline = time.monotonic() + 20  # it is there before its first picture
    while (size := screen.size_of(window)) == (400, 300) and time.monotonic() < deadline:
        time.sleep(0.1)
    width, height = size
    assert width <= 1280 and height <= 720 and width / height == pytest.approx(2, rel=0.05)
    screen.press(window, "q")
    end_of(process)


@pytest.mark.parametrize("what", ["video", "photos"])
@pytest.mark.parametrize("key", ["q", "Q", "Escape", "the window's cross"])
def test_a_key_or_closing_the_window_ends_the_watch(what, key, watcher, screen):
    process, window = watcher(what)
    if key == "the window's cross":
        screen.ask_to_close(window)
    else:
        screen.press(window, key)
    assert end_of(process) < (2 if what == "photos" else 3000)


def test_a_photo_stays_until_a_key_is_pressed(watcher, screen):
    process, window = watcher("photos")
    time.sleep(1)
    for key in ("shift", "alt", "space", "n", "q"):  # who goes to another window presses Alt
        screen.press(window, key)
    assert end_of(process) == 3


def test_another_key_does_not_end_a_video(watcher, screen):
    process, window = watcher("video")
    screen.press(window, "x")
    time.sleep(0.5)
    assert process.poll() is None
    screen.press(window, "q")
    end_of(process)


def test_a_window_is_cared_for_although_no_frame_comes(watcher, screen, tmp_path):
    """A camera is lost: its last picture stays, the window says so, and q still ends it."""
    process, window = watcher("lost")
    time.sleep(1)
    screen.press(window, "q")
    started = time.monotonic()
    assert end_of(process) == 5 and time.monotonic() - started < 10
    last = cv2.imread(str(tmp_path / "last.png"))
    height, width = last.shape[:2]
    is_noted = (last != 4).any(axis=2)  # the fifth frame's grey
    assert is_noted[-10:, : width // 4].any() and not is_noted[: height // 2].any()


def test_several_sources_share_the_window_as_a_grid(watcher, screen, tmp_path):
    process, window = watcher("grid")
    time.sleep(1)
    screen.press(window, "q")
    assert end_of(process) > 10
    last = cv2.imread(str(tmp_path / "last.png"))
    assert last.shape == (360, 1280, 3)
    assert (last[100, 960] == 200).all() and (last[100, 320] != 200).all()


@pytest.mark.parametrize("count, columns, rows", [(2, 2, 1), (3, 2, 2), (4, 2, 2), (7, 3, 3)])
def test_each_source_of_a_grid_has_its_cell(count, columns, rows):
    names = [f"camera {number}" for number in range(count)]
    mosaic = Mosaic(names)
    height, width = mosaic.picture.shape[0] // rows, mosaic.picture.shape[1] // columns
    assert width / height == pytest.approx(16 / 9, rel=0.02)
    for number, name in enumerate(names):
        mosaic.lay(name, np.full((90, 160, 3), 10 + number, np.uint8))
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        cell = mosaic.picture[row * height : (row + 1) * height, column * width :][:, :width]
        assert (np.median(cell) == 10 + number) == (number < count)


@pytest.mark.parametrize("shape", [(100, 200), (300, 100), (10, 10)])
def test_a_picture_is_fitted_in_whole_with_its_proportions(shape):
    photo = textured_photo(3, size=shape)
    fitted = letterbox(photo, (200, 100))
    assert fitted.shape == (100, 200, 3)
    rows, columns = (np.flatnonzero(fitted.any(axis=(2, other))) for other in (1, 0))
    assert len(columns) / len(rows) == pytest.approx(shape[1] / shape[0], rel=0.05)
    assert len(rows) == 100 or len(columns) == 200
