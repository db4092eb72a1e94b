"""Frames from photos, folders, videos, cameras and addresses; and what each says when it fails."""

import functools
import http.server
import logging
import threading

import cv2
import numpy as np
import pytest
from conftest import textured_photo, write_video
from PIL import Image
from variable_rate import write_variable_rate

from mask_detector.capture.captures import VideoSource
from mask_detector.errors import SourceError
from mask_detector.sources import open_source

FRAME_COUNT = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Frames that tell their number by their brightness, 20 a second; its index comes last."""
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3), dtype=np.uint8)
    frames = [noise + np.uint8(4 * index) for index in range(FRAME_COUNT)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames, fps=20)


@pytest.fixture(scope="module")
def streamable_clip(clip):
    """The same as AVI: the header stands first, so a part of the file can be played."""
    path = clip.with_suffix(".avi")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (160, 120))
    capture = cv2.VideoCapture(str(clip))
    for _ in range(FRAME_COUNT):
        writer.write(capture.read()[1])
    writer.release()
    capture.release()
    return path


def read_all(text):
    with open_source(str(text)) as source:
        return list(source)


def test_a_photo_is_one_frame(tmp_path):
    photo = textured_photo(1)
    cv2.imwrite(str(tmp_path / "p.png"), photo)
    (frame,) = read_all(tmp_path / "p.png")
    np.testing.assert_array_equal(frame.image, photo)
    assert frame.is_still and frame.index == 0 and frame.source == str(tmp_path / "p.png")


def test_a_rotated_photo_stands_upright(tmp_path):
    upright = textured_photo(2, size=(64, 96))
    rgb = cv2.cvtColor(upright, cv2.COLOR_BGR2RGB)
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(rgb)))  # 90 degrees to the left
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn it 90 degrees to the right to see it upright"
    lying.save(tmp_path / "p.png", exif=exif)
    (frame,) = read_all(tmp_path / "p.png")
    np.testing.assert_array_equal(frame.image, upright)


def test_a_folder_gives_its_photos_in_order_with_subfolders(tmp_path):
    names = ("b.png", "a/2.png", "a/1.jpg", "c d/ü.bmp", ".hidden.png", ".cache/x.png")
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(textured_photo(seed)).save(tmp_path / name)
    frames = read_all(tmp_path)
    assert [frame.source for frame in frames] == [
        str(tmp_path / name) for name in ("a/1.jpg", "a/2.png", "b.png", "c d/ü.bmp")
    ]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]


def test_unreadable_files_of_a_folder_are_named_and_counted(tmp_path, caplog):
    cv2.imwrite(str(tmp_path / "good.png"), textured_photo(1))
    cut = (tmp_path / "good.png").read_bytes()[:-300]
    for name, content in (("cut.png", cut), ("notes.txt", b"hello"), ("zero.jpg", b"")):
        (tmp_path / name).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        (frame,) = read_all(tmp_path)
    assert frame.index == 0 and frame.source.endswith("good.png")
    for name in ("cut.png", "notes.txt", "zero.jpg"):
        assert str(tmp_path / name) in caplog.text
    assert "3 unreadable files skipped" in caplog.text and "good.png" not in caplog.text


def test_a_folder_without_one_readable_photo_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match="holds no readable photo"):
        read_all(tmp_path)


@pytest.mark.parametrize("name", [None, ".hidden.png"])
def test_an_empty_folder_is_an_error(name, tmp_path):
    if name:
        cv2.imwrite(str(tmp_path / name), textured_photo(1))
    with pytest.raises(SourceError, match="holds no files; expected photos"):
        read_all(tmp_path)


def test_a_video_gives_every_frame_in_order_with_its_time(clip):
    with open_source(str(clip)) as source:
        assert source.fps == pytest.approx(20)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(FRAME_COUNT))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(FRAME_COUNT) / 20)
    assert all(frame.image.shape == (120, 160, 3) and not frame.is_still for frame in frames)
    brightness = [frame.image.mean() for frame in frames]
    assert np.all(np.diff(brightness) > 2)  # by 4 each, were it not for the codec


def test_the_content_tells_a_video_from_a_photo(clip, tmp_path):
    path = tmp_path / "looks_like_a.jpg"
    path.write_bytes(clip.read_bytes())
    assert len(read_all(path)) == FRAME_COUNT


@pytest.mark.parametrize(
    "name, damage",
    [
        ("cut.mp4", lambda data: data[: len(data) // 2]),
        ("no_moov.mp4", lambda data: data[: data.index(b"moov") - 4]),
        ("empty.mp4", lambda data: b""),
        ("text.mp4", lambda data: b"no video\n" * 99),
        ("text.txt", lambda data: b"no video\n" * 99),
        ("noise", lambda data: np.random.default_rng(0).bytes(9000)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_played_says_so(clip, tmp_path, name, damage):
    path = tmp_path / name
    path.write_bytes(damage(clip.read_bytes()))
    with pytest.raises(SourceError) as raised:
        read_all(path)
    assert str(path) in str(raised.value) and str(path.stat().st_size) in str(raised.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_cut_off_photo_is_refused_rather_than_shown_in_part(tmp_path, suffix, portrait):
    path = tmp_path / f"cut{suffix}"
    data = cv2.imencode(suffix, portrait)[1].tobytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError):
        read_all(path)


def test_a_video_that_breaks_off_gives_what_it_has_and_then_says_so(streamable_clip, tmp_path):
    data = streamable_clip.read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(data[: len(data) // 2])
    frames = []
    with open_source(str(path)) as source, pytest.raises(SourceError) as raised:
        frames.extend(source)  # keeps those that came before the error
    assert 0.3 * FRAME_COUNT < len(frames) < 0.7 * FRAME_COUNT
    assert f"broke off after {len(frames)} of {FRAME_COUNT} frames" in str(raised.value)


@pytest.mark.parametrize("text", ["99", "/dev/video99", "no/such/clip.mp4"])
def test_what_is_not_there_is_named(text):
    with pytest.raises(SourceError, match=f"no (camera|source) {text}"):
        open_source(text)


def test_an_absent_camera_says_no_camera_and_what_else_to_name():
    with pytest.raises(SourceError, match=r"no camera 99.*--source"):
        open_source("99")


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://user:secret@127.0.0.1:1/x",
        "http://user:secret@127.0.0.1:1/x",
        "rtsp://user:with/secret@127.0.0.1:1/x",
        "http://127.0.0.1:1/x?user=me&password=secret",
    ],
)
def test_an_address_that_does_not_answer_keeps_its_password_secret(address, capfd):
    with pytest.raises(SourceError) as raised:
        open_source(address)
    said = str(raised.value) + "".join(capfd.readouterr())
    assert f"{address.split(':')[0]}://127.0.0.1:1/x" in str(raised.value)
    assert "secret" not in said and "user" not in said


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_film_on_a_server_is_a_file_and_named_without_its_password(streamable_clip):
    handler = functools.partial(QuietHandler, directory=streamable_clip.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            place = f"127.0.0.1:{server.server_port}/{streamable_clip.name}"
            with open_source(f"http://user:secret@{place}?token=secret") as source:
                frames = list(source)
        finally:
            server.shutdown()
            thread.join()
    assert len(frames) == FRAME_COUNT and frames[0].source == f"http://{place}"
    assert not source.is_live and source.fps == 20 and frames[1].utc_s is None
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(FRAME_COUNT) / 20)


def test_frames_of_no_steady_rate_have_the_times_of_the_file(tmp_path):
    times_ms = [0, 40, 80, 1000, 1040, 3000, 3500, 3540]
    images = [np.full((64, 96, 3), 25 * index, np.uint8) for index in range(len(times_ms))]
    clip = write_variable_rate(tmp_path / "phone.mkv", images, times_ms)
    with open_source(str(clip)) as source:
        frames = list(source)
    assert [frame.time_s * 1000 for frame in frames] == pytest.approx(times_ms)


@pytest.mark.parametrize("told", [0.0, float("nan"), float("-inf"), 1e300])
def test_where_a_file_has_no_clock_frames_are_equally_far_apart(told):
    capture = FakeFile([PICTURE] * 5)
    capture._values[cv2.CAP_PROP_POS_MSEC] = told
    with VideoSource(capture, "v") as source:
        assert [frame.time_s for frame in source] == pytest.approx(np.arange(5) / 30)


class FakeFile:
    """A capture at the border: gives what it is told to, and counts its releases."""

    def __init__(self, answers, fps=30.0, count=-1.0):
        self._answers = iter(answers)
        self._values = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: count}
        self.release_count = 0

    def get(self, prop):
        return self._values.get(prop, 0.0)

    def read(self):
        answer = next(self._answers, (False, None))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self):
        self.release_count += 1


PICTURE = (True, np.full((48, 64, 3), 9, np.uint8))


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), 90_000.0])
def test_an_impossible_frame_rate_is_no_frame_rate(fps):
    assert VideoSource(FakeFile([], fps=fps), "7").fps is None


@pytest.mark.parametrize("announced", [-1.0, 0.0, 1e18, 10.0])
def test_a_file_that_announces_nothing_or_one_too_many_ends_without_error(announced):
    capture = FakeFile([PICTURE] * 10, count=announced)
    with VideoSource(capture, "v") as source:
        assert len(list(source)) == 10
    assert capture.release_count == 1


@pytest.mark.parametrize("answers", [[], [(True, None)], [cv2.error("no memory")]])
def test_a_video_that_opens_but_holds_no_frame_is_damaged(answers):
    capture = FakeFile(answers, count=10)
    with pytest.raises(SourceError, match="the file is damaged"), VideoSource(capture, "v") as src:
        list(src)
    assert capture.release_count == 1


def test_a_file_that_is_closed_meanwhile_is_at_its_end_rather_than_damaged():
    source = VideoSource(FakeFile([PICTURE] * 10, count=10), "v")
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
