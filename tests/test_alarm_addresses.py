"""What an alarm says, how an address is shown, and the sound of the machine itself."""

import wave
from datetime import UTC, datetime

import numpy as np
import pytest

from mask_detector.alarms.addresses import Alarm, open_address, shown_address
from mask_detector.alarms.sending import check
from mask_detector.alarms.sound import write_tones
from mask_detector.errors import MaskDetectorError
from mask_detector.events.records import WatchEvent

NOW = datetime(2026, 11, 21, 18, 41, tzinfo=UTC)
TIME = "2026-11-21T18:40:02.987+00:00"


@pytest.mark.parametrize(
    "event, text",
    [
        (WatchEvent("alarm", TIME, "DOOR", 7, "without_mask", 0.97, seconds_seen=3.21),
         "No Mask at DOOR: 18:40:02 UTC, seen 3.2 s, 97 %"),
        (WatchEvent("alarm", "2026-11-20T23:40:02+00:00", "DOOR", 7, "without_mask", 1.0),
         "No Mask at DOOR: 2026-11-20 23:40:02 UTC, 100 %"),  # it could not be sent before
        (WatchEvent("alarm", "2026-11-21T20:40:02+02:00", "DOOR", 7, "incorrect_mask"),
         "Mask worn wrongly at DOOR: 18:40:02 UTC"),
        (WatchEvent("alarm", 3683.4, "clip.mp4", 7, "def_front", 0.5, seconds_seen=2.0),
         "def_front at clip.mp4: 1:01:23 from the beginning, seen 2.0 s, 50 %"),
        (WatchEvent("test", TIME, "test", message="This is a test."), "This is a test."),
    ],
)  # fmt: skip
def test_an_alarm_is_one_line(event, text):
    assert Alarm(event).text(NOW) == text
    assert Alarm(event).title == f"Mask detector: {event.source}"


@pytest.mark.parametrize(
    "address, shown",
    [
        ("sound", "sound"),
        ("json://bob:secret@host:8080/hook/T0KEN?+X-Key=abcd", "json://host:8080"),
        ("jsons://host/hook", "jsons://host"),
        ("mqtt://bob:secret@host:1884/masks/door?qos=0", "mqtt://host:1884/masks/door"),
        ("mailto://bob:secret@gmail.com", "mailtos://gmail.com"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "tgram://1...p/12315544"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
         "slack://T...2/A...D/T...Q"),
        ("foo://bob:secret@host", "foo://..."),
        ("bob@example.com", "the address"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert shown_address(address) == shown


def test_the_tones_are_a_sound_file_with_two_tones(tmp_path):
    with wave.open(str(write_tones(tmp_path / "alarm.wav"))) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(10**6), np.int16)
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
    quarter_s = rate // 4
    highest = []
    for start in range(0, len(samples) - quarter_s + 1, quarter_s):
        spectrum = np.abs(np.fft.rfft(samples[start : start + quarter_s]))
        highest.append(round(np.fft.rfftfreq(quarter_s, 1 / rate)[spectrum.argmax()], -1))
    assert highest == [880, 660, 880, 660]
    assert 10_000 < samples.max() < 20_000
    assert np.abs(np.diff(samples.astype(int))).max() < 5_000  # no clicks


@pytest.fixture
def player(tmp_path, monkeypatch):
    """A player, the only one on this machine, that notes what it was to play."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(exit_code):
        program = folder / "ffplay"
        program.write_text(
            "#!/bin/sh\n"
            'for last; do :; done; [ -f "$last" ] && /usr/bin/wc -c < "$last" >> '
            f"{tmp_path}/played\n[ $1 = -version ] || exit {exit_code}\n"
        )
        program.chmod(0o755)
        return tmp_path / "played"

    return install


def check_in_a_new_process(run, address):
    code = f"from mask_detector.alarms.sending import check\nprint(check({address!r}))"
    done = run("-c", code, timeout=30)
    assert done.returncode == 0 and not done.stderr.strip("\n").count("Traceback"), done.stderr
    return done.stdout.strip()


def test_a_sound_is_played_by_the_machines_player(run, player, tmp_path):
    played = player(exit_code=0)
    assert check_in_a_new_process(run, "sound") == "None"
    mine = tmp_path / "siren.wav"
    mine.write_bytes(b"12345")
    assert check_in_a_new_process(run, f"sound:{mine}") == "None"
    sizes = played.read_text().split()
    assert int(sizes[0]) > 20_000 and sizes[1] == "5"


def test_a_sound_that_the_player_refuses_or_no_player_is_told(run, player, tmp_path):
    assert "no player" in check_in_a_new_process(run, "sound")
    player(exit_code=1)
    assert "can't play" in check_in_a_new_process(run, "sound")


def test_a_sound_that_failed_is_said_once_and_not_tried_again(run, player):
    """Hours later it would tell nobody anything."""
    code = (
        "import time\n"
        "from mask_detector.alarms.sending import AlarmSender\n"
        "from mask_detector.events.records import WatchEvent\n"
        "with AlarmSender(['sound'], first_wait_s=0.01) as sender:\n"
        "    for _ in range(2):\n"
        "        sender.send(WatchEvent('alarm', 12.5, 'clip.mp4', 4, 'without_mask'))\n"
        "        time.sleep(0.8)\n"
    )
    done = run("-c", code, timeout=20)
    assert done.returncode == 0 and done.stderr.count("\n") == 1, done.stderr
    assert "no player for sounds was found" in done.stderr and "again" not in done.stderr
    played = player(exit_code=1)
    done = run("-c", code, timeout=20)
    assert done.stderr.count("\n") == 1 and "can't play" in done.stderr, done.stderr
    assert len(played.read_text().split()) == 2


def test_a_sound_that_gives_way_while_another_is_played_is_no_news(run, player):
    """The newest is played after it; that the others are not is as it should be."""
    player(exit_code=0)
    code = (
        "import logging, time\n"
        "from mask_detector.alarms import addresses\n"
        "from mask_detector.alarms.sending import AlarmSender\n"
        "from mask_detector.events.records import WatchEvent\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "played = []\n"
        "def play(path):\n"
        "    played.append(path)\n"
        "    time.sleep(0.4)\n"
        "addresses.play_alarm = play\n"
        "with AlarmSender(['sound']) as sender:\n"
        "    for track in range(4):\n"
        "        sender.send(WatchEvent('alarm', 12.5, 'clip.mp4', track, 'without_mask'))\n"
        "        time.sleep(0.1)\n"
        "print(len(played))\n"
    )
    done = run("-c", code, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_a_sound_file_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(MaskDetectorError, match="no such file"):
        open_address(f"sound:{tmp_path}/siren.wav")
    assert "no such file" in check("sound:siren-that-is-not-there.wav")
