"""Where annotated frames go: files are read back, windows are real ones on a virtual display."""

import dataclasses
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from conftest import ROOT, textured_photo

from mask_detector.commands.video import summary
from mask_detector.drawing import AnnotatedFrame, draw_faces
from mask_detector.errors import MaskDetectorError
from mask_detector.sinks import VIDEO_CODECS, PictureSink, TallySink, VideoSink
from mask_detector.types import Face, FaceBox, Frame

FACES = [Face(FaceBox(20, 30, 60, 80, 0.9), (0.1, 0.9), ("with_mask", "without_mask"))]


def annotated(image, faces=(), *, index=0, source="x", time_s=0.0):
    return AnnotatedFrame(Frame(image, index, time_s, source), list(faces))


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    assert capture.isOpened()
    fps = capture.get(cv2.CAP_PROP_FPS)
    images = []
    while True:
        has_frame, image = capture.read()
        if not has_frame:
            break
        images.append(image)
    capture.release()
    return images, fps


@pytest.mark.parametrize("suffix", [*VIDEO_CODECS, ".MP4"])
def test_a_video_can_be_read_back_as_it_was_written(suffix, tmp_path):
    path = tmp_path / "new folder" / f"ü{suffix}"
    photo = textured_photo(1, size=(120, 160))
    with VideoSink(path, fps=12.5) as sink:
        for index in range(15):
            sink.write(annotated(photo, FACES, index=index))
    images, fps = read_video(path)
    assert len(images) == 15 and fps == pytest.approx(12.5)
    drawn = draw_faces(photo, FACES).astype(int)
    for image in images:
        assert image.shape == photo.shape
        to_drawn, to_bare = np.abs(image - drawn).mean(), np.abs(image - photo.astype(int)).mean()
        assert to_drawn < 12 and to_drawn < to_bare  # not 0: the codec loses something


def test_pictures_of_other_sizes_are_fitted_in_with_black_around(tmp_path):
    path = tmp_path / "v.avi"
    # Each picture's height and width, and the share of the 100 x 200 video it must fill.
    shares = {(100, 200): 1.0, (300, 100): 1 / 6, (10, 10): 0.5, (30, 240): 0.25, (200, 400): 1.0}
    with VideoSink(path, fps=1) as sink:
        for shape in shares:
            sink.write(annotated(np.full((*shape, 3), 255, np.uint8)))
    images, _ = read_video(path)
    for image, share in zip(images, shares.values(), strict=True):
        lit = image.max(axis=2) > 128
        assert lit.shape == (100, 200) and lit.mean() == pytest.approx(share, abs=0.03)
        assert np.argwhere(lit).mean(axis=0) == pytest.approx((49.5, 99.5), abs=2)  # the middle


@pytest.mark.parametrize("shape", [(121, 161), (17, 3000), (2, 2)])
def test_a_video_of_any_size_is_written(shape, tmp_path):
    with VideoSink(tmp_path / "v.mp4", fps=25) as sink:
        sink.write(annotated(np.full((*shape, 3), 200, np.uint8)))
    images, _ = read_video(tmp_path / "v.mp4")
    assert len(images) == 1
    assert abs(images[0].shape[0] - shape[0]) <= 1 and abs(images[0].shape[1] - shape[1]) <= 1


def bad_places(tmp_path):
    (tmp_path / "file").write_text("no folder")
    for suffix in (".mp4", ".png"):
        (tmp_path / f"folder{suffix}").mkdir()
    return {
        "a file as folder": tmp_path / "file" / "out",
        "a file as folder, deeper": tmp_path / "file" / "deeper" / "out",
        "a folder": tmp_path / "folder",
    }


@pytest.mark.parametrize("place", ["a file as folder", "a file as folder, deeper", "a folder"])
@pytest.mark.parametrize("kind", ["video", "picture"])
def test_a_place_that_cannot_be_written_says_so(kind, place, tmp_path):
    suffix = ".mp4" if kind == "video" else ".png"
    path = bad_places(tmp_path)[place].with_suffix(suffix)
    sink = VideoSink(path, fps=25) if kind == "video" else PictureSink(path)
    with pytest.raises(MaskDetectorError) as raised, sink:
        sink.write(annotated(textured_photo(1)))
    assert str(path) in str(raised.value) and "can't be written" in str(raised.value)


def test_nothing_is_written_before_the_first_frame(tmp_path):
    with VideoSink(tmp_path / "new" / "v.mp4", fps=25), PictureSink(tmp_path / "new" / "p.png"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_picture_is_written_where_it_is_named(tmp_path):
    path = tmp_path / "neu" / "bild mit ü.png"
    photo = textured_photo(3)
    with PictureSink(path) as sink:
        sink.write(annotated(photo, FACES))
    np.testing.assert_array_equal(cv2.imread(str(path)), draw_faces(photo, FACES))


def test_pictures_keep_their_subfolders_and_names(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    names = ("a.png", "sub/deep/b.PNG", "with space & ü.jpg", "moving.gif", "no_suffix", "x.y.webp")
    photo = textured_photo(4)
    with PictureSink(out, below=photos) as sink:
        for index, name in enumerate(names):
            sink.write(annotated(photo, index=index, source=str(photos / name)))
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    renamed = {"moving.gif": "moving.gif.png", "no_suffix": "no_suffix.png"}
    assert written == {renamed.get(name, name) for name in names}
    for name in written:
        image = cv2.imread(str(out / name))
        assert image.shape == photo.shape and np.abs(image.astype(int) - photo).mean() < 15, name


def test_the_tally_counts_frames_and_faces_by_class():
    tally = TallySink()
    for faces in ([], FACES, FACES * 2):
        tally.write(annotated(textured_photo(1), faces))
    assert tally.frame_count == 3 and tally.face_counts == {"without_mask": 3}
    assert not tally.wants_stop


def test_the_tally_counts_faces_without_a_sure_verdict_by_themselves():
    tally = TallySink()
    unsure = dataclasses.replace(FACES[0], least_confidence=0.95)
    tally.write(annotated(textured_photo(1), [*FACES, unsure, unsure]))
    assert tally.face_counts == {"without_mask": 1, "Not sure": 2}
    assert "3 faces (Not sure 2, No Mask 1)" in summary(tally, 1.0)


def test_the_tally_counts_people_by_their_tracks():
    tally = TallySink()
    for index in range(20):
        ids = [1, None] + [2] * (index % 2) + [3] * (index == 7)  # the last is seen once: a mistake
        faces = [dataclasses.replace(FACES[0], track_id=track_id) for track_id in ids]
        tally.write(annotated(textured_photo(1), faces, index=index))
    assert tally.people_count == 2
    assert summary(tally, 10.0) == "20 frames, 51 faces (No Mask 51), 2.0 frames/s, 2 people"


def test_the_tally_counts_the_frames_that_a_live_source_gave_in_vain():
    tally = TallySink()
    for index in (0, 1, 4, 5, 11):
        tally.write(annotated(textured_photo(1), index=index))
    assert (tally.frame_count, tally.dropped_count) == (5, 7)
    assert summary(tally, 1.0) == "5 frames, 0 faces, 5.0 frames/s, 7 frames dropped"


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
import numpy as np
from mask_detector.drawing import AnnotatedFrame
from mask_detector.sinks import WindowSink
from mask_detector.types import Frame
is_still = sys.argv[1] == "photos"
with WindowSink() as sink:
    for index in range(3000):
        image = np.full((240, 320, 3), index % 256, np.uint8)
        sink.write(AnnotatedFrame(Frame(image, index, 0.0, "x", is_still=is_still), []))
        if sink.wants_stop:
            break
        time.sleep(0 if is_still else 0.01)
print(index + 1)
"""


@pytest.fixture
def watcher(screen):
    """Someone watches: the process that shows frames, and its window."""
    processes = []

    def watch(what):
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHER, what],
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
    return int(shown)


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
    for key in ("space", "n", "q"):
        screen.press(window, key)
    assert end_of(process) == 3


def test_another_key_does_not_end_a_video(watcher, screen):
    process, window = watcher("video")
    screen.press(window, "x")
    time.sleep(0.5)
    assert process.poll() is None
    screen.press(window, "q")
    end_of(process)


def test_a_recording_of_a_slow_camera_keeps_real_time(tmp_path):
    """Ten frames judged in a second, at 25 frames/s: the film lasts a second too."""
    with VideoSink(tmp_path / "slow.mp4", 25.0) as sink:
        for index in range(11):
            image = textured_photo(index)
            sink.write(annotated(image, index=index, time_s=3.0 + index / 10))
    images, fps = read_video(tmp_path / "slow.mp4")
    assert (len(images), fps) == (26, 25.0)


def test_a_file_is_written_frame_by_frame(tmp_path):
    with VideoSink(tmp_path / "same.mp4", 30.0) as sink:
        for index in range(50):
            sink.write(annotated(textured_photo(index), index=index, time_s=index / 30.0))
    assert len(read_video(tmp_path / "same.mp4")[0]) == 50
