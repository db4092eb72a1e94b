"""`video` left running, as a user starts it: events, alarms, snapshots, sums, several sources."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from conftest import ROOT, SHIPPED_MODEL, assert_clear_error, write_video
from stream_servers import MjpegServer

MODEL = ("--model", SHIPPED_MODEL.with_suffix(".tflite"))
WATCH = ("detect_mask_video.py", "--no-display", *MODEL)


@pytest.fixture(scope="module")
def clips(portrait, masked_portrait, tmp_path_factory):
    """A bare face for four seconds, and one that puts its mask on after two."""
    folder = tmp_path_factory.mktemp("clips")
    bare, masked = (cv2.resize(picture, (256, 300)) for picture in (portrait, masked_portrait))
    write_video(folder / "bare.mp4", [bare] * 100)
    write_video(folder / "puts_on.mp4", [bare] * 40 + [masked] * 70)
    cv2.imwrite(str(folder / "photo.jpg"), bare)
    return folder


class Webhook(http.server.ThreadingHTTPServer):
    """A real server that keeps what it is sent."""

    def __init__(self):
        self.bodies = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self):
        return f"json://127.0.0.1:{self.server_address[1]}/masks"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, form, *values):
        pass


@pytest.fixture
def webhook():
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def events_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_two_sources_are_watched_kept_and_told_of(run, clips, webhook, tmp_path):
    sources = f"bare={clips}/bare.mp4", f"{clips}/puts_on.mp4"
    done = run(
        *WATCH, "--source", sources[0], "--source", sources[1], "--events", "e.jsonl",
        "--summary", "1", "--snapshots", "kept", "--alarm", webhook.address, "--output", "s.avi",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    events = events_in(tmp_path / "e.jsonl")
    told = {source: [e for e in events if e["source"] == source] for source in ("bare", sources[1])}
    assert [e["event"] for e in told["bare"]] == ["settled", "alarm", "left"]
    verdicts = [(e["event"], e["verdict"]) for e in told[sources[1]]]
    assert verdicts == [
        ("settled", "without_mask"), ("changed", "with_mask"), ("left", "with_mask")
    ]  # fmt: skip
    settled, alarm, left = told["bare"]
    assert settled["time"] == pytest.approx(0.5, abs=0.1) and alarm["time"] >= 2.0
    assert left["seconds_seen"] == pytest.approx(3.96, abs=0.05)
    lines = done.stdout.splitlines()
    assert "bare, 0:00:00 to 0:00:03: 1 person: No Mask 1; compliance 0.0 %" in lines
    assert f"{sources[1]}, 0:00:00 to 0:00:04: 1 person: Mask 1; compliance 100.0 %" in lines
    outputs = sorted(path.name for path in tmp_path.glob("*.avi"))
    assert outputs == ["s_bare.avi", "s_puts_on.avi"]
    assert all(f"saved {name}" in done.stdout for name in outputs)
    assert "210 frames" in done.stdout and "2 people" in done.stdout
    by_source = {body["source"]: body for body in webhook.bodies}
    assert by_source["bare"]["verdict"] == "without_mask" and by_source["bare"]["track"]


def test_a_snapshot_shows_nobody_unless_that_is_asked_for(run, clips, portrait, tmp_path):
    for folder, option in (("hidden", []), ("shown", ["--no-blur"])):
        done = run(
            *WATCH, "--source", clips / "bare.mp4", "--snapshots", folder, *option, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    original = cv2.resize(portrait, (256, 300)).astype(int)
    differences = []
    for folder in ("hidden", "shown"):
        (path,) = (tmp_path / folder).glob("*_without_mask.jpg")
        picture = cv2.imread(str(path)).astype(int)
        differences.append(np.abs(picture - original)[90:130, 100:150].mean())  # nose and mouth
    assert differences[0] > 3 * differences[1]


def test_a_stopped_watch_tells_who_was_there_and_a_killed_one_leaves_whole_lines(clips, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes((clips / "photo.jpg").read_bytes())
    with MjpegServer(tmp_path / "photos") as server:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(
                [sys.executable, ROOT / WATCH[0], *map(str, WATCH[1:]), "--source",
                 f"door={server.address}", "--events", "e.jsonl"],
                cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            before = len(events_in(tmp_path / "e.jsonl")) if number != signal.SIGKILL else 0
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                path = tmp_path / "e.jsonl"
                if path.exists() and len(path.read_text().splitlines()) > before:
                    break
                time.sleep(0.1)
            process.send_signal(number)
            out, errors = process.communicate(timeout=30)
            events = events_in(tmp_path / "e.jsonl")  # every line is whole
            assert events[before]["event"] == "settled" and events[before]["source"] == "door"
            if number == signal.SIGKILL:
                continue
            assert process.returncode == 0 and "frames/s" in out, errors
            assert events[-1]["event"] == "left"
            assert events[-1]["time"].endswith("+00:00")


def test_a_dead_camera_among_others_is_an_error_or_waited_for(run, clips, tmp_path):
    (tmp_path / "cameras.txt").write_text(
        f"bare={clips}/bare.mp4\n# the yard's is not there yet\nyard=rtsp://me:secret@127.0.0.1:1/x\n"
    )
    options = ("--source", "cameras.txt", "--events", "e.jsonl", "--timeout", "0.5")
    done = run(*WATCH, *options, cwd=tmp_path)
    assert_clear_error(done, "127.0.0.1:1/x")
    assert "secret" not in done.stdout + done.stderr
    done = run(*WATCH, *options, "--wait", "--retries", "1", cwd=tmp_path)
    assert_clear_error(done, "127.0.0.1:1/x")  # in the end, after the others
    assert "100 frames" in done.stdout
    kinds = [(event["source"], event["event"]) for event in events_in(tmp_path / "e.jsonl")]
    assert ("yard", "lost") in kinds and ("bare", "left") in kinds
    assert "secret" not in done.stdout + done.stderr + (tmp_path / "e.jsonl").read_text()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--no-tracks", "--events", "e.jsonl"], ["--no-tracks", "--events"]),
        (["--events", "e.txt"], ["e.txt", ".jsonl"]),
        (["--alarm", "pigeon://roof"], ["pigeon://", "mailto://"]),
        (["--alarm", "sound", "--alarm-on", "sneeze"], ["sneeze", "missing"]),
        (["--health", "99999"], ["--health 99999", "PORT"]),
        (["--retries", "-1"], ["--retries -1"]),
        (["--config", "none.toml"], ["none.toml"]),
    ],
)
def test_a_wrong_option_is_one_clear_line(options, words, run, clips, tmp_path):
    done = run(*WATCH, "--source", clips / "bare.mp4", *options, cwd=tmp_path)
    assert_clear_error(done, *words, code=1 if "--config" in options else 2)


@pytest.mark.parametrize("option", ["--alarm-after", "--timeout", "--summary", "--keep-days"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_span_must_be_a_number_above_0(option, value, run):
    done = run(*WATCH, f"{option}={value}")
    assert done.returncode == 2 and "expected a number above 0" in done.stderr
