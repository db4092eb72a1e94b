"""The health page over real HTTP; Prometheus' own parser reads what is meant for it."""

import json
import re
import socket
import threading
import tracemalloc
import urllib.error
import urllib.request

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import MaskDetectorError
from mask_detector.events.records import SourceChange
from mask_detector.health import HealthBoard, HealthSink
from mask_detector.health_server import HealthServer
from mask_detector.types import Face, FaceBox, Frame

IMAGE = np.zeros((48, 64, 3), np.uint8)


class Clock:
    """Seconds that go on only when told to."""

    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def board(clock):
    return HealthBoard(timeout_s=5, clock=clock)


def write(board, source="door", tracks=(), *, is_live=True, is_still=False):
    faces = [
        Face(FaceBox(0, 0, 9, 9, 1.0), (1.0,), ("with_mask",), track_id=track) for track in tracks
    ]
    utc_s = 1.8e9 if is_live else None
    frame = Frame(IMAGE, 0, 0.0, source, is_still=is_still, utc_s=utc_s)
    HealthSink(board).write(AnnotatedFrame(frame, faces))


def watch(board, clock, seconds, per_second, **frame):
    """Frames at an even pace."""
    for _ in range(round(seconds * per_second)):
        clock.now_s += 1 / per_second
        write(board, **frame)


def get(url, method="GET", headers=None):
    """Status, headers and body."""
    request = urllib.request.Request(url, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def health(server):
    status, headers, body = get(f"{server.url}/healthz")
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def metrics(server, parse=text_string_to_metric_families, accept="text/plain"):
    """`{(name, source): value}` of our own metrics, as a Prometheus server reads them."""
    status, headers, body = get(f"{server.url}/metrics", headers={"Accept": accept})
    assert status == 200 and headers["Content-Type"].startswith(accept)
    return {
        (sample.name.removeprefix("mask_detector_"), sample.labels["source"]): sample.value
        for family in parse(body.decode())
        for sample in family.samples
        if sample.name.startswith("mask_detector_")
    }


@pytest.fixture
def server(board):
    with HealthServer(board, "0") as server:
        yield server


def test_the_page_tells_rate_age_and_tracks_of_each_source(server, board, clock):
    assert server.url.startswith("http://127.0.0.1:")
    watch(board, clock, 20, 25, tracks=(1, 2, None))
    watch(board, clock, 2, 4, source="yard.mp4", is_live=False)
    clock.now_s += 1
    status, page = health(server)
    assert (status, page["status"], list(page["sources"])) == (200, "ok", ["door", "yard.mp4"])
    door, yard = page["sources"].values()
    # Of the last 10 s of the door there were 7 with 25 frames each, and the one at the very edge.
    assert door["frames_per_second"] == pytest.approx(17.5, abs=0.15)
    assert yard["frames_per_second"] == pytest.approx(8 / 2.75, abs=0.01)
    assert (door["last_frame_age_s"], yard["last_frame_age_s"]) == (3.0, 1.0)
    assert (door["frames"], yard["frames"]) == (500, 8)
    assert (door["tracks"], yard["tracks"]) == (2, 0)
    assert (door["is_live"], yard["is_live"]) == (True, False)


def test_a_rate_is_right_from_the_second_on_and_falls_to_nothing(server, board, clock):
    board.await_source("door")
    clock.now_s += 60  # until it gives its first frame
    watch(board, clock, 3, 10)
    assert health(server)[1]["sources"]["door"]["frames_per_second"] == pytest.approx(10, rel=0.05)
    clock.now_s += 11
    assert health(server)[1]["sources"]["door"]["frames_per_second"] == 0


@pytest.mark.parametrize(
    "parse, accept",
    [
        (text_string_to_metric_families, "text/plain"),
        (open_metrics, "application/openmetrics-text"),
    ],
)
def test_prometheus_reads_the_same_numbers(server, board, clock, parse, accept):
    board.await_source("gate")
    watch(board, clock, 4, 5, tracks=(7,))
    board.source_changed(SourceChange("door", True, 1.8e9, "unplugged"))
    read, sources = metrics(server, parse, accept), health(server)[1]["sources"]
    names = {
        "frames": "frames_total", "frames_per_second": "frames_per_second", "tracks": "tracks",
        "last_frame_age_s": "last_frame_age_seconds", "is_connected": "source_connected",
        "is_stalled": "source_stalled", "losses": "source_losses_total",
    }  # fmt: skip
    expected = {
        (names[field], source): value
        for source, values in sources.items()
        for field, value in values.items()
        if field in names and value is not None
    }
    created = {key: value for key, value in read.items() if key[0].endswith("_created")}
    assert expected == {key: read[key] for key in read.keys() - created.keys()}
    assert expected["frames_total", "door"] == 20 and expected["source_losses_total", "door"] == 1
    assert ("last_frame_age_seconds", "gate") not in read


def test_the_process_tells_its_memory_and_open_files(server):
    families = {
        f.name: f for f in text_string_to_metric_families(get(f"{server.url}/metrics")[2].decode())
    }
    memory = families["process_resident_memory_bytes"].samples[0].value
    assert 10e6 < memory < 100e9 and families["process_open_fds"].samples[0].value > 3


def test_a_lost_source_is_503_until_it_is_back(server, board, clock):
    watch(board, clock, 1, 5, tracks=(1,))
    watch(board, clock, 1, 5, source="gate")
    sink = HealthSink(board)
    sink.source_changed(SourceChange("door", True, 1.8e9, "no frame for 10 s"))
    status, page = health(server)
    door, gate = page["sources"]["door"], page["sources"]["gate"]
    assert (status, page["status"]) == (503, "stalled")
    assert (door["is_connected"], door["is_stalled"], door["tracks"]) == (False, True, 0)
    assert (door["losses"], door["problem"]) == (1, "no frame for 10 s")
    assert (gate["is_stalled"], gate["losses"]) == (False, 0)
    assert metrics(server)["source_connected", "door"] == 0
    sink.source_changed(SourceChange("door", False, 1.8e9, ""))
    watch(board, clock, 1, 5)
    status, page = health(server)
    door = page["sources"]["door"]
    assert (status, page["status"], door["is_connected"]) == (200, "ok", True)
    assert (door["losses"], door["problem"], door["frames"]) == (1, "", 10)


def test_silence_is_503_for_a_live_source_only(server, board, clock):
    board.await_source("door")
    write(board, source="clip.mp4", is_live=False)
    clock.now_s += 5
    assert health(server)[0] == 200
    clock.now_s += 0.1
    status, page = health(server)
    assert status == 503 and page["sources"]["door"]["last_frame_age_s"] is None
    assert [s["is_stalled"] for s in page["sources"].values()] == [True, False]
    write(board)
    assert health(server)[0] == 200
    clock.now_s += 5.1
    assert health(server)[0] == 503


def test_any_number_of_photos_is_one_source(server, board):
    for number in range(50):
        write(board, f"photos/{number}.jpg", is_live=False, is_still=True)
    sources = health(server)[1]["sources"]
    assert [(name, s["frames"]) for name, s in sources.items()] == [("photos", 50)]


def test_any_name_can_be_told(server, board):
    names = ['a "b" \\ {c="d"}\n#', "Tür 1", b"bad\xff.mp4".decode(errors="surrogateescape")]
    for name in names:
        write(board, name)
    told = [*names[:2], "bad\\udcff.mp4"]
    assert list(health(server)[1]["sources"]) == told
    assert {source for _, source in metrics(server)} == set(told)


def test_frames_that_nobody_asks_about_take_no_memory(board, clock):
    watch(board, clock, 10, 25)
    tracemalloc.start()
    watch(board, clock, 800, 25)
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown_bytes < 100_000  # 20,000 times would take five times that


def test_nothing_else_is_answered(server):
    for path in ("/", "/healthz/", "/metrics/x", "/../etc/passwd", "/favicon.ico"):
        status, _, body = get(server.url + path)
        assert status == 404 and body == b"expected /healthz or /metrics\n"
    assert get(server.url + "/healthz?probe=1")[0] == 200
    assert get(server.url + "/healthz", "POST")[0] == 501


def test_head_is_get_without_its_body(server, board):
    for path in ("/healthz", "/metrics", "/none"):
        with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as client:
            client.send(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
            with client.makefile("rb") as reply:
                head, body = reply.read().split(b"\r\n\r\n")
        assert int(head.split()[1]) == get(server.url + path)[0] and body == b""
        assert int(re.search(rb"Content-Length: (\d+)", head)[1]) > 10
    board.source_changed(SourceChange("door", True, 1.8e9, "unplugged"))
    assert get(server.url + "/healthz", "HEAD")[0] == 503


def test_a_client_that_says_nothing_keeps_nobody_waiting(server):
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as silent:
        silent.send(b"GET /heal")
        assert health(server)[0] == 200


def test_it_is_gone_when_the_context_is_left(board):
    before = threading.active_count()
    with HealthServer(board, "127.0.0.1:0") as server:
        port = server.url.rsplit(":", 1)[1]
        assert health(server)[0] == 200
        with pytest.raises(MaskDetectorError, match=rf"--health {port} can't.*: Address already"):
            HealthServer(board, port)
    with pytest.raises(urllib.error.URLError):
        get(server.url + "/healthz")
    assert not [t for t in threading.enumerate() if t.name == "health"], before
    with HealthServer(board, port):  # at once free again
        pass


def test_it_listens_at_the_address_asked_for_and_no_other(board):
    with HealthServer(board, "127.0.0.2:0") as server:
        assert server.url.startswith("http://127.0.0.2:") and health(server)[0] == 200
        with pytest.raises(urllib.error.URLError):
            get(server.url.replace("127.0.0.2", "127.0.0.1"))
    with HealthServer(board, "0.0.0.0:0") as server:
        assert health(server)[0] == 200


def test_an_address_of_ip_version_6_will_do(board):
    try:
        with HealthServer(board, "[::1]:0") as server:
            assert server.url.startswith("http://[::1]:") and health(server)[0] == 200
    except MaskDetectorError as error:
        pytest.skip(f"needs IP version 6: {error}")


@pytest.mark.parametrize(
    "address, words",
    [
        ("http", "expected PORT or HOST:PORT"),
        ("", "expected PORT or HOST:PORT"),
        (":8080", "expected PORT or HOST:PORT"),
        ("::1:8080", "expected PORT or HOST:PORT"),
        ("http://x:80", "expected PORT or HOST:PORT"),
        ("65536", "from 0 to 65535"),
        ("-1", "from 0 to 65535"),
        ("no-such-host.invalid:0", "can't be listened at"),
        ("203.0.113.7:0", "can't be listened at"),  # of a net for examples, so nobody's
    ],
)
def test_an_address_that_cannot_be_is_one_line(board, address, words):
    with pytest.raises(MaskDetectorError, match="^--health .*" + words) as caught:
        HealthServer(board, address)
    assert "\n" not in str(caught.value) and "None" not in str(caught.value)
