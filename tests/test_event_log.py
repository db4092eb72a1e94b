"""The events file through kills, full disks, rotation and many threads, read back after each."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT
from small_disk import small_disk

from mask_detector.errors import MaskDetectorError
from mask_detector.events.lines import format_of
from mask_detector.events.log import EventLog
from mask_detector.events.reading import events_files, read_events
from mask_detector.events.records import WatchEvent

NAMES = ["events.jsonl", "events.csv"]
EVENT = WatchEvent(
    "settled", "2026-11-21T18:40:00.123+00:00", "door", 7, "with_mask", 0.9712, (1, -2, 30, 40), 3.2
)
ODD = [
    EVENT,
    WatchEvent("left", 12.5, 'Tür "2", <b>;\'', 1, "not_sure", 0.5, (0, 0, 9, 9), 0.0),
    WatchEvent("lost", 0.0, "a,b", message='no frame, "10 s"'),
    WatchEvent("returned", "2026-11-21T18:40:00+00:00", "\U0001f637 \u2028x"),
]
WRITER = """
import sys
from pathlib import Path
from mask_detector.events.log import EventLog
from mask_detector.events.records import WatchEvent
log = EventLog(Path(sys.argv[1]), max_bytes=20_000, backups=3)
print("ready", flush=True)
for n in range(10**9):
    log.write(WatchEvent("settled", float(n), "door", n, "with_mask", 0.5, (1, 2, 3, 4), 1.0))
"""


def numbered(track):
    return WatchEvent("settled", float(track), "door", track, "with_mask", 0.5, (1, 2, 3, 4), 1.0)


def read_all(path):
    return [event for file in events_files([path])[0] for event in read_events(file)]


def tracks_in(path):
    return [event.track for event in read_all(path)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(tmp_path, name):
    with EventLog(tmp_path / "new" / "folder" / name) as log:
        for event in ODD:
            log.write(event)
    expected = [*ODD[:3], WatchEvent("returned", ODD[3].time, "\U0001f637  x")]
    assert read_all(tmp_path / "new" / "folder" / name) == expected


def test_json_and_csv_are_what_other_programs_read(tmp_path):
    for name in NAMES:
        with EventLog(tmp_path / name) as log:
            log.write(ODD[0])
            log.write(ODD[1])
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == EVENT.to_dict() | {"box": [1, -2, 30, 40]}
    with (tmp_path / "events.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["left"] == "1" and rows[0]["top"] == "-2" and rows[0]["message"] == ""
    assert rows[1]["source"] == ODD[1].source and rows[1]["time"] == "12.5"


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_a_line(tmp_path, name):
    odd = os.fsdecode(b"caf\xe9\n\r\n{'x': 1}\x85\x0c.mp4")  # what a file may be called
    with EventLog(tmp_path / name) as log:
        log.write(WatchEvent("lost", 1.0, odd, message=odd))
        log.write(EVENT)
    events = read_all(tmp_path / name)
    assert events[1] == EVENT and events[0].source.startswith("caf\\udce9 ")


@pytest.mark.parametrize("name", NAMES)
def test_each_line_is_there_before_the_next_is_written(tmp_path, name):
    log = EventLog(tmp_path / name)
    for track in range(3):
        log.write(numbered(track))
        assert tracks_in(tmp_path / name) == list(range(track + 1))
    log.close()
    log.write(EVENT)  # nobody is there any more: neither an error nor a line
    assert len(read_all(tmp_path / name)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_kill_loses_nothing_that_was_written_and_damages_no_line(tmp_path, name):
    path = tmp_path / name
    for number in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.15 + 0.03 * number)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        files = events_files([path])[0]
        for file in files:
            lines = file.read_bytes().split(b"\n")
            assert all(format_of(file).decode(line) for line in lines[:-1] if line[:6] != b"event,")
        tracks = [event.track for file in files for event in read_events(file) if event]
        run = tracks[len(tracks) - tracks[-1] :] if tracks[-1] < len(tracks) else tracks
        assert run == list(range(run[0], run[-1] + 1)) and len(run) > 50
    with EventLog(path) as log:
        log.write(EVENT)
    assert read_all(path)[-1] == EVENT and None not in read_all(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [1, 20, 40])
def test_half_a_line_is_cut_off_when_the_file_is_opened_again(tmp_path, name, cut, caplog):
    path = tmp_path / name
    with EventLog(path) as log:
        log.write(numbered(0))
        log.write(numbered(1))
    path.write_bytes(path.read_bytes()[:-cut])
    with EventLog(path) as log:
        log.write(numbered(2))
    assert tracks_in(path) == [0, 2]
    assert "half a line" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_killed_in_its_first_line_begins_anew(tmp_path, name):
    path = tmp_path / name
    with EventLog(path) as log:
        log.write(EVENT)
    whole = path.read_bytes()
    for size in (1, 5, 20, len(whole) - 1):
        path.write_bytes(whole[:size])
        with EventLog(path) as log:
            log.write(EVENT)
        assert path.read_bytes() == whole


def test_a_half_line_larger_than_a_block_and_zeros_of_a_power_cut(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.write(EVENT)
    path.write_bytes(path.read_bytes() + b"\0" * 200_000)
    with EventLog(path) as log:
        log.write(EVENT)
    assert read_all(path) == [EVENT, EVENT]
    path.write_bytes(b"\0" * 100)
    with EventLog(path) as log:
        log.write(EVENT)
    assert read_all(path) == [EVENT]


@pytest.mark.parametrize("name", NAMES)
def test_files_are_put_aside_by_size_and_the_oldest_go(tmp_path, name):
    path = tmp_path / name
    with EventLog(path, max_bytes=1000, backups=3) as log:
        for track in range(100):
            log.write(numbered(track))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [name, f"{name}.1", f"{name}.2", f"{name}.3"]
    assert all(file.stat().st_size <= 1000 for file in files)
    tracks = tracks_in(path)
    assert tracks == list(range(tracks[0], 100)) and 10 < len(tracks) < 100


def test_an_event_larger_than_a_file_has_one_to_itself(tmp_path):
    path = tmp_path / "events.jsonl"
    with EventLog(path, max_bytes=10) as log:
        for track in range(3):
            log.write(numbered(track))
    assert tracks_in(path) == [0, 1, 2] and len(list(tmp_path.iterdir())) == 3


def test_a_file_that_cannot_be_put_aside_grows_on(tmp_path, caplog):
    path = tmp_path / "events.jsonl"
    (tmp_path / "events.jsonl.1").mkdir()  # nothing can be renamed over it
    with EventLog(path, max_bytes=500, backups=1) as log:
        for track in range(20):
            log.write(numbered(track))
    assert [event.track for event in read_events(path)] == list(range(20))
    assert caplog.text.count("can't be put aside") == 1


@pytest.mark.parametrize("name", NAMES)
def test_threads_write_whole_lines_and_all_of_them(tmp_path, name):
    path = tmp_path / name
    with EventLog(path, max_bytes=30_000, backups=20) as log:

        def work(first):
            for track in range(first, first + 250):
                log.write(numbered(track))

        threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tracks = tracks_in(path)
    assert sorted(tracks) == [1000 * n + i for n in range(8) for i in range(250)]
    for n in range(8):
        mine = [track for track in tracks if track // 1000 == n]
        assert mine == sorted(mine)


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_said_once_and_so_is_that_there_is_room_again(tmp_path, name, caplog):
    with small_disk(tmp_path / "disk", "64k") as disk:
        path, filler = disk / name, disk / "filler"
        filler.write_bytes(b"x" * 52_000)
        with EventLog(path) as log:
            for track in range(400):  # more than there is room for
                log.write(numbered(track))
            written = tracks_in(path)
            assert path.read_bytes().endswith(b"\n")
            assert written == list(range(len(written))) and 20 < len(written) < 350
            assert [r.levelno for r in caplog.records] == [logging.WARNING]
            assert "No space left" in caplog.text and str(path) in caplog.text
            filler.unlink()
            log.write(numbered(400))
            log.write(numbered(401))
        assert tracks_in(path) == [*written, 400, 401]
    assert len(caplog.records) == 2 and f"; {400 - len(written)} were lost" in caplog.text


def test_a_file_that_may_not_grow_leaves_no_half_line(tmp_path):
    pytest.importorskip("resource")
    limited = WRITER.replace("range(10**9)", "range(300)").replace("20_000", "10**9").replace(
        "import sys", "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n",
    )  # fmt: skip
    path = tmp_path / "events.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", limited + "\nlog.close()", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    tracks = tracks_in(path)
    assert path.stat().st_size <= 5000 and tracks == list(range(len(tracks))) and len(tracks) > 20
    assert done.stderr.count("File too large") == 1
    assert f"{300 - len(tracks)} events are not in" in done.stderr


def test_a_file_that_someone_moves_or_deletes_is_begun_again(tmp_path):
    path = tmp_path / "events.csv"
    with EventLog(path) as log:
        log.write(numbered(0))
        path.rename(tmp_path / "kept.csv")
        log.write(numbered(1))
        path.unlink()
        log.write(numbered(2))
    assert tracks_in(tmp_path / "kept.csv") == [0] and tracks_in(path) == [2]


@pytest.mark.parametrize("name", ["events.txt", "events", "folder.csv", "file/events.csv"])
def test_what_cannot_be_written_is_a_clear_error(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    words = "can't be written" if name.endswith(".csv") else "ending in .jsonl or .csv"
    with pytest.raises(MaskDetectorError, match=words):
        EventLog(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, name):
    path = tmp_path / name
    path.write_text("name,salary\nAda,9000")
    with pytest.raises(MaskDetectorError, match="holds something other than events"):
        EventLog(path)
    assert path.read_text() == "name,salary\nAda,9000"


def test_two_runs_do_not_write_one_file(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "events.jsonl"
    with EventLog(path), pytest.raises(MaskDetectorError, match="another run"):
        EventLog(path)
    EventLog(path).close()
