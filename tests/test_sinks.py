"""Where annotated frames go: files are read back, windows are real ones on a virtual display."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import textured_photo

from mask_detector.commands.video import summary
from mask_detector.drawing import AnnotatedFrame, draw_faces
from mask_detector.errors import MaskDetectorError
from mask_detector.sinks import (
    VIDEO_CODECS,
    PictureSink,
    SinkPerStream,
    TallySink,
    VideoSink,
)
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


def test_the_tally_keeps_the_sources_apart():
    """Both number their people from 1, and their frames from 0."""
    tally = TallySink()
    for index in range(0, 20, 2):
        for source in ("door", "yard"):
            faces = [dataclasses.replace(FACES[0], track_id=1)]
            tally.write(annotated(textured_photo(1), faces, index=index, source=source))
    assert (tally.frame_count, tally.people_count, tally.dropped_count) == (20, 2, 2 * 9)


def test_the_tally_of_people_does_not_grow_for_ever(monkeypatch):
    monkeypatch.setattr(TallySink, "_MOST_TRACKS", 10)
    tally, photo = TallySink(), textured_photo(1)
    for index in range(600):
        faces = [dataclasses.replace(FACES[0], track_id=index // 6)]  # each for six frames
        tally.write(annotated(photo, faces, index=index))
    assert tally.people_count == 100 and len(tally._seen["x"]) <= 10


def test_each_stream_has_a_file_of_its_own(tmp_path):
    sink = SinkPerStream(lambda stream: VideoSink(tmp_path / f"{stream}.avi", 10.0))
    with sink:
        for index in range(6):
            sink.write(
                annotated(textured_photo(index), index=index, source="door", time_s=index / 10)
            )
        for index in range(3):
            sink.write(annotated(textured_photo(9), index=index, source="yard", time_s=index / 10))
            still = Frame(textured_photo(2), index, float(index), f"{index}.jpg", is_still=True)
            sink.write(AnnotatedFrame(still, []))
    counts = {path.stem: len(read_video(path)[0]) for path in tmp_path.iterdir()}
    assert counts["door"] == 6 and counts["yard"] == 3
    assert set(counts) == {"door", "yard", "photos"}


def test_the_tally_counts_the_frames_that_a_live_source_gave_in_vain():
    tally = TallySink()
    for index in (0, 1, 4, 5, 11):
        tally.write(annotated(textured_photo(1), index=index))
    assert (tally.frame_count, tally.dropped_count) == (5, 7)
    assert summary(tally, 1.0) == "5 frames, 0 faces, 5.0 frames/s, 7 frames dropped"


def test_a_recording_of_a_slow_camera_keeps_real_time(tmp_path):
    """Ten frames judged in a second, at 25 frames/s: the film lasts a second too."""
    with VideoSink(tmp_path / "slow.mp4", 25.0) as sink:
        for index in range(11):
            image = textured_photo(index)
            sink.write(annotated(image, index=index, time_s=3.0 + index / 10))
    images, fps = read_video(tmp_path / "slow.mp4")
    assert (len(images), fps) == (26, 25.0)


def test_while_nothing_comes_the_last_picture_stands_but_not_for_hours(tmp_path):
    dark, light = (np.full((48, 64, 3), value, np.uint8) for value in (20, 220))
    with VideoSink(tmp_path / "gaps.avi", 10.0) as sink:
        for index, (image, time_s) in enumerate(
            [(dark, 0.0), (light, 2.0), (dark, 2.1), (light, 3602.1), (dark, 3602.2)]
        ):
            sink.write(annotated(image, index=index, time_s=time_s))
    images, _ = read_video(tmp_path / "gaps.avi")
    is_light = [bool(image.mean() > 128) for image in images]
    ten_seconds = 100  # of the hour
    assert is_light == [False] * 20 + [True] + [False] * (1 + ten_seconds) + [True, False]


def test_a_file_is_written_frame_by_frame(tmp_path):
    with VideoSink(tmp_path / "same.mp4", 30.0) as sink:
        for index in range(50):
            sink.write(annotated(textured_photo(index), index=index, time_s=index / 30.0))
    assert len(read_video(tmp_path / "same.mp4")[0]) == 50
