"""`check`: each thing is tried, each failure is one line that says how to mend it."""

import http.server
import json
import re
import shutil
import threading

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL, assert_clear_error, write_video
from stream_servers import MjpegServer, silent_server

MODEL = ("--model", SHIPPED_MODEL.with_suffix(".tflite"))  # the quick one
SECRETS = ("secret", "tok3n", "us3r")


@pytest.fixture(scope="module")
def clip(portrait, tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", [portrait] * 3)


@pytest.fixture
def webhook():
    """A real HTTP server that keeps what it is sent."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.received = []
        server.address = f"json://us3r:secret@127.0.0.1:{server.server_address[1]}/tok3n/"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def findings(done):
    """`(is fine, line)` of each thing; nothing else is printed, and no secret."""
    assert "Traceback" not in done.stderr and "error:" not in done.stderr, done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    lines = done.stdout.splitlines()
    assert all(line[:6] in ("ok    ", "FAIL  ") for line in lines), done.stdout
    assert done.returncode == (1 if any(line.startswith("FAIL") for line in lines) else 0)
    return [(line.startswith("ok"), line[6:]) for line in lines]


@pytest.mark.parametrize(
    ("options", "size", "command"),
    [
        ([], (640, 480), "prepare"),
        (["--detect-size", "400"], (640, 360), "prepare --detect-size 400"),
        (["--detect-size", "400"], (480, 640), "prepare --detect-size 400 --every-shape"),
    ],
)
def test_a_slow_face_detector_comes_with_the_command_for_a_quick_one(
    options, size, command, run, portrait, face_folder, tmp_path
):
    slow = shutil.copytree(
        face_folder, tmp_path / "face", ignore=shutil.ignore_patterns("*.tflite")
    )
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.resize(portrait, size))
    options = ["--face", slow, "--source", photo, *MODEL, "--no-display", *options]
    done = run("-m", "mask_detector", "check", *options)
    (line,) = [line for _, line in findings(done) if line.startswith("face detector")]
    assert line.startswith("face detector ssd: run by OpenCV"), line
    assert f" (`python -m mask_detector {command}` builds" in line, line


def test_what_works_is_said_line_by_line_and_nothing_is_left_behind(
    run, clip, webhook, face_folder, tmp_path
):
    done = run(
        "-m", "mask_detector", "check", "--source", f"door={clip}", *MODEL, "--no-display",
        "--events", "new/events.jsonl", "--snapshots", "new/snapshots", "--output", "out.mp4",
        "--alarm", webhook.address, "--health", "0", "--detector", "ssd-opencv", cwd=tmp_path,
    )  # fmt: skip
    port = webhook.server_address[1]
    expected = [
        "options go together",
        "source door: 512x600 at 25 frames/s",
        "people are followed from frame to frame",
        f"model {MODEL[1]}: run by LiteRT, int8; tells apart: Mask, No Mask",
        "face detector ssd-opencv: run by OpenCV; 1 face in a frame of 512x600",
        f"alarm json://127.0.0.1:{port}: a test was sent",
        r"events new/events.jsonl: can be written, [\d.]+ GB are free",
        r"snapshots new/snapshots: can be written, [\d.]+ GB are free",
        r"output out.mp4: can be written, [\d.]+ GB are free",
        r"health page http://127.0.0.1:\d+/healthz can be answered",
    ]
    found = findings(done)
    assert len(found) == len(expected), done.stdout
    for (is_fine, line), pattern in zip(found, expected, strict=True):
        assert is_fine and re.fullmatch(pattern.replace("/tok3n", ""), line), line
    (message,) = webhook.received
    assert "test" in message["message"]
    assert list(tmp_path.iterdir()) == []


def test_each_failure_is_a_line_and_hides_no_other(run, clip, face_folder, tmp_path):
    (tmp_path / "cameras.txt").write_text(
        f"rtsp://us3r:secret@127.0.0.1:1/x?key=tok3n\nyard={clip}  # fine\n77\nnone.mp4\n"
    )
    (tmp_path / "model.tflite").write_text("no model")
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "dir.csv").mkdir()
    with silent_server() as port:
        done = run(
            "-m", "mask_detector", "check", "--source", "cameras.txt", "--timeout", "1",
            "--source", f"http://us3r:secret@127.0.0.1:{port}/", "--model", "model.tflite",
            "--events", "dir.csv", "--snapshots", "taken", "--output", "/proc/out.mp4",
            "--alarm", "json://us3r:secret@127.0.0.1:1/tok3n", "--alarm", "carrier-pigeon",
            "--health", str(port), cwd=tmp_path, timeout=60,
        )  # fmt: skip
    expected = [
        (True, "options"),
        (False, "source: rtsp://127.0.0.1:1/x can't be opened: nothing answers within 1 s"),
        (True, "source yard: 512x600"),
        (False, "source: no camera 77; plug one in"),
        (False, "source: no source none.mp4"),
        (False, f"source: http://127.0.0.1:{port}/ can't be opened"),
        (True, "people are followed"),
        (False, "display: there is no display; add --no-display"),
        (False, f"model: {tmp_path}/model.tflite is not a model file"),
        (True, "face detector ssd: run by"),
        (False, "alarm: json://127.0.0.1:1"),
        (False, "alarm: "),
        (False, "events: dir.csv can't be written"),
        (False, "snapshots: taken can't be written"),
        (False, "output: /proc/out.mp4 can't be written"),
        (False, f"health: --health {port} can't be listened at: Address already in use"),
    ]
    found = findings(done)
    assert len(found) == len(expected), done.stdout
    for (is_fine, line), (should_be_fine, beginning) in zip(found, expected, strict=True):
        assert is_fine == should_be_fine and line.startswith(beginning), line
    assert "expected for instance sound" in found[11][1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cameras.txt", "dir.csv", "model.tflite", "taken",
    ]  # fmt: skip
    assert (tmp_path / "taken").read_text() == "a file"


def test_what_video_would_refuse_fails_here_too(run, clip, tmp_path):
    (tmp_path / "photo.png").write_bytes(cv2.imencode(".png", np.zeros((90, 90, 3)))[1].tobytes())
    for options, words in (
        (["--source", clip, "--output", clip], "output: --output"),
        (["--source", clip, "--output", "x.wmv"], "output: --output x.wmv ends in .wmv"),
        (["--source", clip, "--alarm", "json://127.0.0.1:1", "--alarm-on", "wrong"],
         "model: --alarm-on wrong would never raise an alarm"),
        (["--source", "photo.png", "--events", "e.jsonl"], "people: --events: photos show nobody"),
    ):  # fmt: skip
        arguments = (*options, *MODEL, "--no-display", "--no-alarms", "--detector", "haar")
        done = run("-m", "mask_detector", "check", *arguments, cwd=tmp_path)
        failures = [line for is_fine, line in findings(done) if not is_fine]
        assert done.returncode == 1 and len(failures) == 1, done.stdout
        assert failures[0].startswith(words)


def test_options_may_come_from_a_file_and_alarms_may_be_left_out(run, clip, webhook, tmp_path):
    (tmp_path / "c.toml").write_text(
        f'source = ["{clip}"]\nno-display = true\nalarm = ["{webhook.address}"]\n'
        f'model = "{MODEL[1]}"\ndetector = "haar"\nevents = "e.txt"\nalarm-on = "hats"\n'
    )
    options = ("--config", "c.toml", "--no-alarms", "--events", "e.csv")
    found = findings(run("-m", "mask_detector", "check", *options, cwd=tmp_path))
    assert [(is_fine, line.split(" ")[0]) for is_fine, line in found] == [
        (True, "options"), (True, "source"), (True, "people"), (False, "model:"), (True, "face"),
        (True, "events"),
    ]  # fmt: skip
    assert "'hats' can't raise an alarm" in found[3][1] and webhook.received == []
    assert found[4][1].startswith("face detector haar: ")
    found = findings(run("-m", "mask_detector", "check", *options[:3], cwd=tmp_path))
    assert not found[-1][0] and "ending in .jsonl or .csv" in found[-1][1]
    (tmp_path / "c.toml").write_text("sorce = '0'")
    done = run("-m", "mask_detector", "check", *options, cwd=tmp_path)
    assert_clear_error(done, "c.toml, line 1", "did you mean source?", code=2)


def test_options_that_contradict_each_other_are_told_like_the_rest(run, clip, tmp_path):
    options = ("--no-tracks", "--events", "e.jsonl", "--no-display", "--source", clip)
    found = findings(run("-m", "mask_detector", "check", *options, *MODEL, cwd=tmp_path))
    assert not found[0][0] and found[0][1].startswith("options: --no-tracks")
    assert all(is_fine for is_fine, _ in found[1:])


def test_a_display_that_is_there_is_fine(run, clip, screen):
    done = run("-m", "mask_detector", "check", "--source", clip, *MODEL, env=screen.env)
    assert (True, "display shows windows") in findings(done)


def test_a_stream_that_freezes_at_once_fails_in_time(run, portrait, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "1.jpg"), cv2.resize(portrait, (128, 150)))
    options = ("--timeout", "1", "--no-display", *MODEL, "--source")
    with MjpegServer(photos) as server:
        found = findings(run("-m", "mask_detector", "check", *options, server.address))
        assert found[1][0] and found[1][1].startswith(f"source {server.address}: 128x150")
        server.freeze()
        found = findings(run("-m", "mask_detector", "check", *options, server.address, timeout=30))
        server.thaw()
    assert not found[1][0] and found[1][1].startswith("source: ")
