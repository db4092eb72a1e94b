"""How sources are named: `DOOR=...`, patterns, lists, addresses whose password nobody sees."""

import os

import cv2
import numpy as np
import pytest
from conftest import textured_photo, write_video

from mask_detector.capture.source_names import shown, source_texts, split_name, unlike
from mask_detector.capture.stills import StillSource
from mask_detector.errors import SourceError
from mask_detector.sources import open_source, open_sources


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The working directory: three photos, two clips of 3 frames, and a text."""
    monkeypatch.chdir(tmp_path)
    frames = [np.full((48, 64, 3), 40 * index, np.uint8) for index in range(3)]
    for index in range(3):
        cv2.imwrite(f"p{index}.png", textured_photo(index))
    for name in ("b.mp4", "a=1.mp4"):
        write_video(tmp_path / name, frames)
    (tmp_path / "notes.md").write_text("no picture")
    return tmp_path


def names_of(sources):
    try:
        return [source.name for source in sources]
    finally:
        for source in sources:
            source.close()


@pytest.mark.parametrize(
    "text, name, source",
    [
        ("door=0", "door", "0"),
        ("Main gate = rtsp://host/x?a=b", "Main gate", "rtsp://host/x?a=b"),
        ("rtsp://host/x?a=b", "", "rtsp://host/x?a=b"),
        ("videos/a=b.mp4", "", "videos/a=b.mp4"),
        ("C:x=y", "", "C:x=y"),
        ("=0", "", "=0"),
        ("door=", "", "door="),
        ("0", "", "0"),
        ("a=1.mp4", "", "a=1.mp4"),  # a file is called so
        ("a=2.mp4", "a", "2.mp4"),
    ],
)
def test_a_name_may_stand_before_a_source(text, name, source, places):
    assert split_name(text) == (name, source)


def test_a_name_is_what_frames_say_but_photos_keep_their_path(places):
    with open_source("clip=b.mp4") as source:
        assert source.name == "clip" and {frame.source for frame in source} == {"clip"}
    with open_source("b.mp4", "given") as source:
        assert {frame.source for frame in source} == {"given"}
    with open_source("photo=p1.png") as source:
        assert source.name == "photo" and [frame.source for frame in source] == ["p1.png"]
    with pytest.raises(SourceError, match=r"no source none\.mp4"):
        open_source("clip=none.mp4")


def test_doubles_get_a_number(places):
    sources = open_sources(["b.mp4", "b.mp4", "x=b.mp4", "x=p1.png", "b.mp4 (2)=p2.png"])
    assert names_of(sources) == ["b.mp4", "b.mp4 (2)", "x", "x (2)", "b.mp4 (2) (2)"]
    assert unlike(["a", "a (2)", "a", "a"]) == ["a", "a (2)", "a (3)", "a (4)"]


def test_a_pattern_gives_its_photos_as_one_source_and_each_video_as_one(places, caplog):
    with open_source("*.png") as source:
        assert isinstance(source, StillSource) and source.name == "*.png"
        assert [frame.source for frame in source] == ["p0.png", "p1.png", "p2.png"]
    with open_source("[b]*") as source:
        assert source.name == "b.mp4" and len(list(source)) == 3
    sources = open_sources(["all=*"])
    assert names_of(sources) == ["all", "all (2)", "all (3)"]
    assert [isinstance(source, StillSource) for source in sources] == [False, False, True]
    assert len(list(open_sources(["*"])[-1])) == 3 and "notes.md" in caplog.text
    with pytest.raises(SourceError, match=r"\* stands for 3 videos"):
        open_source("*")
    with pytest.raises(SourceError, match=r"no source none/\*\.jpg"):
        open_sources(["none/*.jpg"])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(places):
    (places / "p[0].png").write_bytes((places / "p2.png").read_bytes())
    with open_source("p[0].png") as source:
        assert [frame.source for frame in source] == ["p[0].png"]


def test_a_text_file_lists_sources(places):
    (places / "list.txt").write_text(
        "\ufeff# the doors\n\nx=b.mp4   # front\n  p1.png\n#p2.png\nrtsp://host/a#b\n", "utf-8"
    )
    expected = ["x=b.mp4", "p1.png", "rtsp://host/a#b"]
    assert source_texts(["0", "list.txt", "9"]) == ["0", *expected, "9"]
    (places / "list.txt").write_text("x=b.mp4\np1.png")
    assert names_of(open_sources(["list.txt", "p1.png"])) == ["x", "p1.png", "p1.png (2)"]


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe\x00"])
def test_a_list_without_sources_is_an_error(content, places):
    (places / "list.txt").write_bytes(content)
    with pytest.raises(SourceError, match=r"list of sources list\.txt"):
        open_sources(["list.txt"])


def test_all_are_closed_where_one_is_not_there(places):
    with pytest.raises(SourceError, match=r"no source none\.mp4"):
        open_sources(["b.mp4", "p1.png", "none.mp4"])


@pytest.mark.parametrize(
    "address, public",
    [
        ("rtsp://user:secret@host:554/x", "rtsp://host:554/x"),
        ("rtsp://user:se/cr?et@x@host/x", "rtsp://host/x"),
        ("http://host/x?user=me&password=secret#secret", "http://host/x"),
        ("rtsp://host/user=me_password=secret_channel=1/live", "rtsp://host/user=***/live"),
        ("rtsp://host/mpeg4&passwd=secret&x=1", "rtsp://host/mpeg4&passwd=***&x=1"),
        ("user:secret@host/x", "host/x"),
        ("photo@2x.jpg", "photo@2x.jpg"),
        ("rtmp://host/app/stream", "rtmp://host/app/stream"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address, public):
    assert shown(address) == public


@pytest.mark.parametrize(
    "text", ["²", "9" * 30, "\0", "x" * 5000, "~nobody-of-that-name/x.mp4", "", "https://", "a\nb"]
)
def test_whatever_is_typed_is_an_error_for_people(text):
    with pytest.raises(SourceError):
        open_source(text)
    with pytest.raises(SourceError):
        open_sources([text])


def test_what_is_neither_file_nor_folder_is_refused_rather_than_waited_for(places):
    os.mkfifo("pipe")
    with pytest.raises(SourceError, match="pipe is neither a file nor a folder"):
        open_source("pipe")
