"""`detect_mask_video.py` as people use it: clips, photos, windows, Ctrl-C, and every wrong turn.

Windows are real ones on a virtual display, keys are real key presses.
"""

import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import cv2
import numpy as np
import pytest
from conftest import ROOT, SHIPPED_MODEL, assert_clear_error, write_video
from small_disk import small_disk

from mask_detector.face_detectors import open_detector

SCRIPT = "detect_mask_video.py"
SUMMARY = re.compile(
    r"(\d+) frames?, (\d+) faces?( \((.*)\))?, [\d.]+ frames/s(, (\d+) (person|people))?"
)
MODEL = ("--model", SHIPPED_MODEL.with_suffix(".tflite"))  # the quick one
LONG = 4000  # frames: minutes of work, so whoever ends early was ended


@pytest.fixture(scope="module")
def clips(portrait, tmp_path_factory):
    """A folder with a short clip, a long one, photos and files that are not what they seem."""
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "short.mp4", [portrait] * 12)
    write_video(folder / "long.mp4", [cv2.resize(portrait, (256, 300))] * LONG)
    writer = cv2.VideoWriter(
        str(folder / "whole.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (256, 300)
    )
    for _ in range(20):
        writer.write(cv2.resize(portrait, (256, 300)))
    writer.release()
    whole = (folder / "whole.avi").read_bytes()
    (folder / "breaks_off.avi").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.mp4").write_bytes((folder / "short.mp4").read_bytes()[:9000])
    (folder / "text.mp4").write_text("no video\n" * 99)
    (folder / "notes.txt").write_text("no video\n" * 99)
    (folder / "page.keras").write_text("<!DOCTYPE html><title>404</title>")
    with zipfile.ZipFile(folder / "cardless.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name in ("photos", "nothing"):
        (folder / name).mkdir()
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(folder / "photos" / name), portrait)
    (folder / "photos" / "0_broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def start(tmp_path):
    """Start the script without waiting for its end; what still runs after the test is killed."""
    processes = []

    def start_script(*arguments, env=None):
        hidden = ("DISPLAY", "WAYLAND_DISPLAY")
        clean = {name: value for name, value in os.environ.items() if name not in hidden}
        process = subprocess.Popen(
            [sys.executable, str(ROOT / SCRIPT), *map(str, arguments)],
            cwd=tmp_path, env={**clean, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start_script
    for process in processes:
        process.kill()
        process.communicate()


def frame_count_of(path):
    """Count by reading: a header may promise more than there is."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    capture.release()
    return count


def last_frame_of(path):
    capture = cv2.VideoCapture(str(path))
    image = None
    while True:
        has_frame, following = capture.read()
        if not has_frame:
            return image
        image = following


def counts_in(stdout):
    """Frames and faces of the summary, which is the last line."""
    match = SUMMARY.fullmatch(stdout.splitlines()[-1])
    assert match, stdout
    frame_count, face_count = int(match[1]), int(match[2])
    per_class = [int(part.split()[-1]) for part in (match[4] or "0").split(", ")]
    assert sum(per_class) == face_count
    return frame_count, face_count


def assert_boxed(image, bare, box):
    """The box's left line was drawn, and nothing was touched far from the face."""
    changed = np.abs(image.astype(int) - bare).max(axis=2) > 60
    line = changed[box.top + 10 : box.bottom - 10, box.left - 2 : box.left + 3].any(axis=1)
    assert line.mean() > 0.9
    assert changed[box.bottom + 20 :].mean() < 0.01


def test_a_clip_is_annotated_from_any_folder_and_without_a_display(
    run, clips, portrait, face_folder, tmp_path
):
    source = clips / "short.mp4"
    done = run(SCRIPT, "--source", source, "--output", "new/out.mp4", *MODEL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "there is no display; going on without a window\n"
    assert done.stdout.splitlines()[0] == "saved new/out.mp4"
    assert counts_in(done.stdout) == (12, 12)
    assert done.stdout.endswith(" frames/s, 1 person\n")
    written = tmp_path / "new" / "out.mp4"
    assert frame_count_of(written) == 12
    (box,) = open_detector("ssd", folder=face_folder, confidence=0.5).detect(portrait)
    assert_boxed(last_frame_of(written), last_frame_of(source), box)


def test_the_profile_says_what_each_stage_takes(run, clips, face_folder, tmp_path):
    options = ("--source", clips / "short.mp4", "--output", "out.mp4", "--no-display", "--profile")
    done = run(SCRIPT, *options, *MODEL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    saved, summary, head, *lines = done.stdout.splitlines()
    assert saved == "saved out.mp4" and counts_in(summary) == (12, 12)
    assert head.split() == ["stage", "median", "ms", "95", "%", "ms", "share"]
    stages = [line.split() for line in lines]
    assert [name for name, *_ in stages] == [
        "capture", "detect", "track", "classify", "draw", "write",
    ]  # fmt: skip
    for _, median, high, share in stages:
        assert 0 <= float(median) <= float(high) and share.endswith("%")
    assert 97 <= sum(int(share[:-1]) for *_, share in stages) <= 103  # each is rounded
    assert float(stages[1][1]) == max(float(median) for _, median, *_ in stages)  # the detector


@pytest.mark.parametrize("mode", ["--every-frame", "--no-tracks", "--show-ids"])
def test_faces_are_followed_unless_nobody_wants_it(mode, run, clips, face_folder, tmp_path):
    options = ("--source", clips / "short.mp4", "--output", "out.mp4", "--no-display", mode)
    done = run(SCRIPT, *options, *MODEL, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert counts_in(done.stdout) == (12, 12)
    assert ("1 person" in done.stdout) == (mode != "--no-tracks")
    assert frame_count_of(tmp_path / "out.mp4") == 12


def test_watching_with_a_litert_model_loads_nothing_that_it_does_not_need(
    run, clips, face_folder, tmp_path
):
    options = ("--source", clips / "short.mp4", "--no-display", *MODEL)
    command = ["video", *map(str, options)]
    code = (
        "import sys\n"
        "from mask_detector.cli import main\n"
        f"assert main({command!r}) == 0\n"
        "slow = {'tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'PIL', 'imutils',\n"
        "        'pooch', 'requests', 'tqdm', 'h5py', 'subprocess', 'concurrent'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    done = run("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_photo_gives_a_picture_scaled_as_asked(run, clips, tmp_path):
    done = run(
        SCRIPT, "--source", clips / "photos" / "1.png", "--output", "out.jpg",
        "--width", "256", "--confidence", "0.01", "--no-display", *MODEL, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done.stderr
    frame_count, face_count = counts_in(done.stdout)
    assert frame_count == 1 and face_count >= 1
    assert cv2.imread(str(tmp_path / "out.jpg")).shape == (300, 256, 3)


def test_a_video_that_breaks_off_is_saved_as_far_as_it_goes_and_is_an_error(run, clips, tmp_path):
    source = clips / "breaks_off.avi"
    options = ("--source", source, "--output", "out.avi", "--no-display")
    done = run(SCRIPT, *options, *MODEL, cwd=tmp_path)
    frame_count, _ = counts_in(done.stdout)
    assert_clear_error(done, str(source), f"broke off after {frame_count} of 20 frames")
    assert 5 < frame_count < 15 and frame_count_of(tmp_path / "out.avi") == frame_count


def test_a_full_disk_leaves_no_film_and_is_an_error(run, clips, tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        done = run(SCRIPT, "--source", clips / "whole.avi", *MODEL, "--no-display",
                   "--output", disk / "out.avi")  # fmt: skip
        assert_clear_error(done, f"{disk}/out.avi can't be written: it holds", "of 20 frames",
                           "is the disk full?")  # fmt: skip
    assert "saved" not in done.stdout and "20 frames" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")
def test_an_output_that_takes_nothing_is_one_line_and_stops_no_watch(clips):
    command = [sys.executable, str(ROOT / SCRIPT), "--source", str(clips / "whole.avi"),
               *map(str, MODEL), "--no-display", "--summary", "0.01"]  # fmt: skip
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count("summaries can't be written") == 1
    assert done.stderr.splitlines()[-1].startswith("error: [Errno 28]")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_whoever_closes_its_streams_can_watch(closed, clips, tmp_path):
    words = f"{sys.executable} {ROOT / SCRIPT} --source {clips / 'whole.avi'} --no-display"
    line = f"{words} {' '.join(map(str, MODEL))} --output {tmp_path / 'out.mp4'} {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert frame_count_of(tmp_path / "out.mp4") == 20


def test_two_films_are_saved_under_their_names(run, clips, tmp_path):
    done = run(SCRIPT, "--source", clips / "short.mp4", "--source", clips / "whole.avi", *MODEL,
               "--no-display", "--output", tmp_path / "seen.mp4")  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {"seen_short.mp4", "seen_whole.mp4"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {line.rpartition("/")[2] for line in done.stdout.splitlines()[:2]} == names


@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_or_a_service_manager_ends_with_the_summary_and_a_whole_file(
    asked_by, start, clips, tmp_path
):
    written = tmp_path / "out.mp4"
    process = start("--source", clips / "long.mp4", "--output", written, "--no-display", *MODEL)
    deadline = time.monotonic() + 120
    while not written.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(asked_by)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0 and stderr == "", stderr
    frame_count, _ = counts_in(stdout)
    assert 0 < frame_count < LONG
    # Ctrl-C may come between the tally and the file.
    assert frame_count_of(written) in (frame_count, frame_count - 1)


@pytest.mark.parametrize("end", ["q", "the window's cross"])
def test_a_clip_in_a_window_ends_when_the_watcher_wants(end, start, screen, clips):
    process = start("--source", clips / "long.mp4", *MODEL, env=screen.env)
    window = screen.wait_for_window(process)
    time.sleep(1)
    if end == "q":
        screen.press(window, "q")
    else:
        screen.ask_to_close(window)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "no display" not in stderr and "Traceback" not in stderr
    frame_count, face_count = counts_in(stdout)
    assert 0 < frame_count < LONG and face_count == frame_count


def test_photos_in_a_window_stay_until_a_key_and_escape_ends(start, screen, clips, tmp_path):
    process = start("--source", clips / "photos", "--output", "out.mp4", *MODEL, env=screen.env)
    window = screen.wait_for_window(process)
    time.sleep(2)
    assert process.poll() is None
    screen.press(window, "space")
    time.sleep(2)
    assert process.poll() is None
    screen.press(window, "Escape")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0 and "0_broken.jpg" in stderr, stderr
    assert counts_in(stdout) == (2, 2)
    assert frame_count_of(tmp_path / "out.mp4") == 2


MODEL_WORDS = tuple(map(str, MODEL))
NO_MODEL = ("--model", "no/such.keras")  # for what must be refused before a model is loaded


@pytest.mark.parametrize(
    "case",
    [
        (["--source", "99"], ["no camera 99", "--source"]),
        (["--source", "none.mp4"], ["none.mp4", "expected a camera index"]),
        (["--source", "{clips}/cut.mp4"], ["cut.mp4", "9000 bytes"]),
        (["--source", "{clips}/text.mp4"], ["text.mp4", "neither a photo nor a video"]),
        (["--source", "{clips}/notes.txt", *NO_MODEL], ["no source no video"]),
        (["--source", "{clips}/nothing"], ["nothing", "expected photos"]),
        (["--source", "rtsp://me:secret@127.0.0.1:1/x"], ["nothing answers", "127.0.0.1"]),
        ([*NO_MODEL], ["no/such.keras", "{cwd}", str(ROOT)]),
        (["--model", "{clips}/page.keras"], ["page.keras", "web page"]),
        (["--model", "{clips}/cardless.keras"], ["cardless.keras", "--classes with_mask,"]),
        (["--model", "{clips}/photos"], ["photos", "saved_model.pb"]),
        (["--classes", "mask,mask", *map(str, MODEL)], ["--classes mask,mask", "twice"]),
        (["--output", "out.xyz"], ["out.xyz", ".mp4", ".png"]),
        (["--output", "out"], ["--output out", ".mp4"]),
        (["--output", "out.png", *NO_MODEL], ["out.png", ".mp4"]),
        (["--output", "{clips}/short.mp4"], ["short.mp4", "is a source itself"]),
        (["--source", "{clips}/sho*.mp4", "--output", "{clips}/short.mp4", *NO_MODEL],
         ["short.mp4", "is a source itself"]),
        (["--source", "file://{clips}/short.mp4", "--output", "{clips}/short.mp4", *NO_MODEL],
         ["short.mp4", "is a source itself"]),
        (["--source", "{clips}/photos", "--events", "{cwd}/e.jsonl", *MODEL_WORDS],
         ["--events", "photos show nobody over time"]),
        (["--detector", "haar", "--confidence", "0.5"], ["--confidence", "--detector haar"]),
        (["--source", "{clips}/photos", "--output", "one.png", *NO_MODEL], ["one.png", ".mp4"]),
        (["--source", "{clips}/photos", "--output", "{clips}/photos/1.png", *NO_MODEL],
         ["photos/1.png"]),
        (["--width", "5"], ["--width 5", "16 to 16384"]),
        (["--width", "-640"], ["--width -640", "16 to 16384"]),
        (["--width", "99999"], ["--width 99999"]),
    ],
    ids=lambda case: " ".join(case[0]),
)  # fmt: skip
def test_a_wrong_turn_is_one_clear_line(run, clips, tmp_path, face_folder, case):
    options, words = case
    before = {path: path.stat().st_mtime_ns for path in clips.rglob("*")}
    places = {"clips": clips, "cwd": tmp_path}
    options = [option.format(**places) for option in options]
    if "--source" not in options:
        options += ["--source", str(clips / "short.mp4")]
    done = run(SCRIPT, *options, cwd=tmp_path)
    at_fault = {"--classes", "--output", "--width", "--events", "--confidence"}
    code = 2 if at_fault & set(options) else 1
    assert_clear_error(done, *(word.format(**places) for word in words), code=code)
    assert done.stderr.count("\n") == 1 and "secret" not in done.stderr, done.stderr
    assert done.stdout == "" and list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in clips.rglob("*")} == before


@pytest.mark.parametrize(
    "options",
    [
        ["--confidence", "1.5"],
        ["--confidence", "-0.1"],
        ["--confidence", "nan"],
        ["--confidence", "high"],
        ["--width", "wide"],
        ["--no-tracks", "--every-frame"],
        ["--detector", "dlib"],
        ["--input-range", "0"],
        ["--input-range", "nan,1"],
        ["--input-range", "1,-1"],
        ["--min-face", "-4"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_unusable_arguments_exit_with_2_and_the_usage(run, options):
    done = run(SCRIPT, *options)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"usage: {SCRIPT}") and options[0] in done.stderr
    assert "Traceback" not in done.stderr


def test_an_opencv_without_libgl_names_both_cures(run, tmp_path):
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    done = run(SCRIPT, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert_clear_error(done, "libGL.so.1", "apt-get install libgl1", "opencv-python-headless<5")


def test_a_missing_package_names_the_pip_line(run, clips, face_folder, tmp_path):
    (tmp_path / "imutils.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'imutils'\", name='imutils')"
    )
    options = ("--source", clips / "short.mp4", "--width", "256", "--no-display", *MODEL)
    done = run(SCRIPT, *options, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert_clear_error(done, "imutils", "pip install -r requirements.txt")
