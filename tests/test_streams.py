"""Streams of real servers, RTSP and MJPEG, that are killed, frozen and started again."""

import logging
import os
import threading
import time

import cv2
import numpy as np
import pytest
from conftest import textured_photo
from stream_servers import MjpegServer, RtspServer, silent_server

from mask_detector.capture.captures import prepare_for_streams
from mask_detector.errors import SourceError
from mask_detector.sources import LiveOptions, open_source, open_sources

QUICK = LiveOptions(timeout_s=0.5, first_wait_s=0.05, longest_wait_s=0.2)
PATIENT = LiveOptions(timeout_s=2.0, first_wait_s=0.1)  # RTSP takes a second to begin


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No thread and no file handle remains of a source that was closed."""
    before = threading.active_count(), handles()
    yield
    deadline = time.monotonic() + 10
    while (threading.active_count(), handles()) != before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (threading.active_count(), handles()) == before


def handles():
    """How many files, sockets and pipes this process holds."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of JPEG files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(5):
        cv2.imwrite(str(folder / f"{seed}.jpg"), textured_photo(seed, size=(120, 160)))
    return folder


def rtsp_pattern(request):
    return RtspServer()


def rtsp_clip(request):
    return RtspServer.of_clip(request.getfixturevalue("data") / "videos" / "qengineering.mp4")


def mjpeg(request):
    return MjpegServer(request.getfixturevalue("pictures"))


def take(frames, count):
    return [next(frames) for _ in range(count)]


@pytest.mark.parametrize(
    "kind, options, deaths",
    [(rtsp_pattern, PATIENT, 1), (rtsp_clip, PATIENT, 1), (mjpeg, QUICK, 3)],
)
def test_a_server_that_dies_and_comes_back_is_watched_on(kind, options, deaths, request, caplog):
    changes = []
    caplog.set_level(logging.INFO)
    with kind(request) as server, open_source(server.address, "", options, changes.append) as src:
        assert src.is_live and src.fps == pytest.approx(25, abs=1)
        watching = iter(src)
        frames = take(watching, 5)
        for death in range(deaths):
            assert len(changes) == 2 * death
            server.kill()
            server.start()
            while len(changes) < 2 * (death + 1):
                frames.append(next(watching))
            frames += take(watching, 3)
    assert [(change.source, change.is_lost) for change in changes] == [
        (server.address, True), (server.address, False)
    ] * deaths  # fmt: skip
    assert 0 < changes[1].utc_s - changes[0].utc_s < 20 and abs(time.time() - changes[1].utc_s) < 60
    assert_goes_on(frames, server.address)
    lines = [record.getMessage() for record in caplog.records]
    assert ["is lost" in line for line in lines] == [True, False] * deaths
    assert ["is back after" in line for line in lines] == [False, True] * deaths


def assert_goes_on(frames, name):
    """Numbers and times rise; each picture was read, and is named and dated."""
    assert np.diff([frame.index for frame in frames]).min() >= 1 and frames[0].index == 0
    assert np.diff([frame.time_s for frame in frames]).min() > 0
    assert np.diff([frame.utc_s for frame in frames]).min() > 0
    assert abs(frames[-1].utc_s - time.time()) < 60
    assert {frame.source for frame in frames} == {name}
    assert all(frame.image.dtype == np.uint8 and frame.image.std() > 5 for frame in frames)


def test_a_server_that_freezes_is_lost_after_the_timeout(pictures):
    changes, options = [], LiveOptions(timeout_s=1.0, first_wait_s=0.1)
    with MjpegServer(pictures) as server, open_source(
        server.address, "", options, changes.append
    ) as source:  # fmt: skip
        watching = iter(source)
        take(watching, 3)
        server.freeze()
        frozen_s = time.time()
        threading.Timer(1.8, server.thaw).start()
        while len(changes) < 2:
            next(watching)
    lost, returned = changes
    assert 0.9 < lost.utc_s - frozen_s < 2.0
    assert lost.is_lost and "no frame for 1 s" in lost.reason and not returned.is_lost


def test_a_server_that_is_gone_for_good_is_named_after_the_last_try(pictures):
    changes, options = [], LiveOptions(timeout_s=0.5, retries=2, first_wait_s=0.05)
    with MjpegServer(pictures) as server, open_source(
        f"DOOR={server.address}", "", options, changes.append
    ) as source:  # fmt: skip
        watching = iter(source)
        take(watching, 3)
        server.kill()
        with pytest.raises(
            SourceError, match=r"DOOR gave no more frames.*2 tries.*nothing answers"
        ):
            take(watching, 500)
    assert [(change.source, change.is_lost) for change in changes] == [("DOOR", True)]


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_never_says_a_word_is_an_error_at_the_start(scheme):
    started = time.monotonic()
    with (
        silent_server() as port,
        pytest.raises(SourceError, match="can't be opened: nothing answers"),
    ):
        open_source(f"{scheme}://127.0.0.1:{port}/x", live=LiveOptions(timeout_s=0.5))
    assert time.monotonic() - started < 3


def test_a_dead_server_keeps_no_other_waiting(pictures):
    """OpenCV would open one capture at a time; here each has a thread, and no lock is shared."""
    options = LiveOptions(timeout_s=2.0, wait=True)
    with silent_server() as port, MjpegServer(pictures) as server:

        def open_dead():
            with open_source(f"rtsp://127.0.0.1:{port}/x", live=options):
                pass

        opening = threading.Thread(target=open_dead)
        opening.start()
        time.sleep(0.2)  # it is in the middle of opening now
        started = time.monotonic()
        with open_source(server.address, live=options) as source:
            take(iter(source), 3)
        assert time.monotonic() - started < 1.2
        opening.join()


def test_one_dead_camera_among_live_ones_is_an_error_that_closes_all(pictures):
    with silent_server() as port, MjpegServer(pictures) as server:
        texts = [server.address, f"rtsp://127.0.0.1:{port}/x", server.address]
        with pytest.raises(SourceError, match=f"127.0.0.1:{port}"):
            open_sources(texts, LiveOptions(timeout_s=0.5))


def test_pictures_that_cannot_be_decoded_do_not_end_a_stream(pictures, tmp_path):
    whole = [path.read_bytes() for path in sorted(pictures.iterdir())]
    for index in range(20):
        part = whole[index % 5] if index % 10 < 2 else bytes(500)
        (tmp_path / f"{index:02d}.jpg").write_bytes(part)
    changes, options = [], LiveOptions(timeout_s=0.6)  # damaged ones follow for 0.32 s each time
    with MjpegServer(tmp_path) as server, open_source(
        server.address, "", options, changes.append
    ) as source:  # fmt: skip
        frames = take(iter(source), 6)
    assert changes == [] and len(frames) == 6


def test_password_and_query_are_never_told(caplog, capfd):
    changes = []
    with RtspServer(user="joe", password="secret") as server, caplog.at_level(logging.DEBUG):
        address = server.address.replace("://", "://joe:secret@") + "?token=secret"
        with open_source(address, "", PATIENT, changes.append) as source:
            (frame,) = take(iter(source), 1)
        with pytest.raises(SourceError) as refused:
            open_source(address.replace("secret@", "secret2@"), live=PATIENT)
        options = LiveOptions(timeout_s=2.0, retries=1, first_wait_s=0.05)
        with open_source(address, "", options, changes.append) as source:
            take(iter(source), 1)
            server.kill()
            with pytest.raises(SourceError) as lost:
                take(iter(source), 500)
    told = f"{caplog.text} {''.join(capfd.readouterr())} {changes}"
    told += f" {refused.value} {lost.value} {frame.source} {source.name}"
    assert server.address in told and "is lost" in told
    assert "secret" not in told and "joe" not in told


def test_closing_wakes_whoever_waits_for_a_lost_camera(pictures):
    changes = []
    options = LiveOptions(timeout_s=0.5, first_wait_s=60)
    with MjpegServer(pictures) as server, open_source(
        server.address, "", options, changes.append
    ) as source:  # fmt: skip
        watcher = threading.Thread(target=lambda: list(source))
        watcher.start()
        time.sleep(0.2)
        server.kill()
        deadline = time.monotonic() + 10
        while not changes and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        source.close()
        watcher.join(5)
        assert not watcher.is_alive() and time.monotonic() - started < 0.5


def test_an_absent_server_is_waited_for_where_that_is_asked_for(pictures):
    server, changes = MjpegServer(pictures), []
    options = LiveOptions(timeout_s=1.0, wait=True, first_wait_s=0.1, longest_wait_s=0.2)
    with server, open_source(server.address, "", options, changes.append) as source:
        server.kill()  # before the first frame is asked for
        server.start()
        take(iter(source), 3)
    server = MjpegServer(pictures)
    with open_source(server.address, "", options, changes.append) as source:
        threading.Timer(0.6, server.start).start()
        frames = take(iter(source), 3)
        server.kill()
    lost, returned = changes[-2:]
    assert (
        lost.is_lost
        and "can't be opened: nothing answers" in lost.reason
        and "http://127.0.0.1" in lost.reason
    )
    assert not returned.is_lost and frames[0].index == 0 and frames[0].time_s == 0


def test_rtsp_goes_over_tcp_unless_the_user_wants_it_otherwise(monkeypatch):
    options = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    monkeypatch.setenv(options, "rtsp_transport;udp")
    prepare_for_streams()
    assert os.environ[options] == "rtsp_transport;udp"
    monkeypatch.delenv(options)
    prepare_for_streams()
    assert os.environ[options] == "rtsp_transport;tcp"
