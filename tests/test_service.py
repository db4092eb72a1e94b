"""Left running as `docs/service.md` says: unit, configuration, health while a camera is away."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request

import cv2
import pytest
from conftest import ROOT, SHIPPED_MODEL
from stream_servers import MjpegServer

from mask_detector.alarms.sending import AlarmSender
from mask_detector.commands import check, video
from mask_detector.config_file import with_config
from mask_detector.health import HealthBoard
from mask_detector.health_server import HealthServer

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
UNIT = ROOT / "docs" / "mask-detector.service"


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_alarms_of_the_page_are_addresses():
    with AlarmSender(tomllib.loads(blocks("toml")[0])["alarm"]):
        pass  # nothing is sent


@pytest.mark.parametrize("command", [video, check], ids=["video", "check"])
def test_the_configuration_of_the_page_is_one(command, tmp_path):
    (text,) = blocks("toml")
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = with_config(parser, ["--config", str(tmp_path / "config.toml")])
    options = parser.parse_args(words)
    for key, value in tomllib.loads(text).items():
        made = getattr(options, key.replace("-", "_"))
        assert made == value or str(made) == value, key


def test_systemd_takes_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze (Debian: apt-get install systemd)")
    text = UNIT.read_text(encoding="utf-8")
    program = re.search(r"ExecStart=(\S+)", text)[1]
    assert f"{program} \\\n" in PAGE or program in PAGE
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(program, sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert done.returncode == 0 and ours == [], done.stderr


def test_the_paths_of_unit_and_page_are_the_same():
    text = UNIT.read_text(encoding="utf-8")
    for path in ("/etc/mask-detector/config.toml", "/var/lib/mask-detector", "/opt/mask-detector"):
        assert path in text and path in PAGE
    user = re.search(r"(?m)^User=(.*)$", text)[1]
    assert re.search(rf"useradd --system .* {user}\n", PAGE)


def test_the_page_names_every_number_that_there_is():
    with HealthServer(HealthBoard(), "0") as server:
        metrics = urllib.request.urlopen(f"{server.url}/metrics", timeout=10).read().decode()
    served = set(re.findall(r"^# TYPE (mask_detector_\w+)", metrics, re.MULTILINE))
    assert served == set(re.findall(r"^\| `(mask_detector_\w+)` ", PAGE, re.MULTILINE))
    board = HealthBoard()
    board.await_source("door")
    (example,) = blocks("json")
    shown = json.loads(example)["sources"]["door"]
    assert list(shown) == list(vars(board.sources()["door"]))


@pytest.fixture
def camera(portrait, tmp_path):
    """A network camera that can be switched off and on."""
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "1.jpg"), cv2.resize(portrait, (256, 300)))
    with MjpegServer(tmp_path / "photos") as server:
        yield server


@pytest.fixture
def page(camera, tmp_path):
    """The address of the health page while `video` watches that camera; and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "c.toml").write_text(
        f'source = "door={camera.address}"\nno-display = true\ntimeout = 0.5\nhealth = {port}\n'
        f'model = "{SHIPPED_MODEL.with_suffix(".tflite")}"\nevents = "events.jsonl"\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mask_detector", "video", "--config", "c.toml"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}/healthz", process
    process.kill()
    process.communicate()


def door_once(address, status, timeout_s=30, **values):
    """What the page says of the door as soon as it answers with that status and values."""
    deadline = time.monotonic() + timeout_s
    answer = None
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5) as reply:
                answer = reply.status, json.load(reply)["sources"]["door"]
        except urllib.error.HTTPError as error:
            answer = error.code, json.load(error)["sources"]["door"]
        except (urllib.error.URLError, KeyError):
            answer = None  # not yet there
        if answer and answer[0] == status and values.items() <= answer[1].items():
            return answer[1]
        time.sleep(0.05)
    raise AssertionError(f"no {status} {values} at {address}: {answer}")


def test_a_camera_that_goes_and_comes_back_shows_on_the_page_and_in_the_events(
    page, camera, face_folder, tmp_path
):
    address, process = page
    door = door_once(address, 200, tracks=1)
    assert door["frames"] > 0 and door["is_connected"] and door["losses"] == 0
    camera.kill()
    lost = door_once(address, 503, is_connected=False)
    assert lost["losses"] == 1 and lost["tracks"] == 0 and lost["problem"]
    camera.start()
    back = door_once(address, 200, is_connected=True, tracks=1)
    assert back["frames"] > lost["frames"] and back["losses"] == 1 and back["problem"] == ""
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in stderr, stderr
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["event"] for line in lines]
    assert kinds.count("lost") == kinds.count("returned") == 1
    assert kinds.index("lost") < kinds.index("returned")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)
