"""Pictures of breaches: what they show, how they are called, and when they go."""

import logging
import os
import time

import cv2
import numpy as np
import pytest
from alarm_receivers import wait_until
from small_disk import small_disk

from mask_detector.blurring import WIDENED
from mask_detector.drawing import AnnotatedFrame
from mask_detector.errors import MaskDetectorError
from mask_detector.events.records import WatchEvent
from mask_detector.snapshots import SnapshotKeeper, file_name
from mask_detector.types import Face, Frame

TIME = "2026-11-21T18:40:00.123+00:00"
EVENT = WatchEvent("alarm", TIME, "DOOR", 7, "without_mask", 0.97, (0, 0, 9, 9), 3.2)
NAME = "20261121T184000.123Z_DOOR_7_without_mask.jpg"
DAY_S = 86_400


@pytest.fixture(scope="module")
def detector(face_folder):
    from mask_detector.face_detectors import open_detector

    return open_detector("ssd", folder=face_folder, confidence=0.5)


@pytest.fixture(scope="module")
def two_people(portrait, masked_portrait, detector):
    """Two people side by side, one of whom wears no mask."""
    image = np.hstack([portrait, masked_portrait])
    boxes = sorted(detector.detect(image), key=lambda box: box.left)
    names, verdicts = ("with_mask", "without_mask"), ((0.03, 0.97), (0.99, 0.01))
    assert len(boxes) == 2
    faces = [Face(box, v, names, n) for n, (box, v) in enumerate(zip(boxes, verdicts, strict=True))]
    return AnnotatedFrame(Frame(image, 0, 0.0, "DOOR"), faces, with_ids=True)


@pytest.fixture
def small():
    """A picture of some kilobytes without anybody."""
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return AnnotatedFrame(Frame(image, 0, 0.0, "DOOR"), [])


def aged(path, days, content=b"old"):
    path.write_bytes(content)
    then_s = time.time() - days * DAY_S
    os.utime(path, (then_s, then_s))
    return path


def test_a_snapshot_shows_everything_but_who_it_is(tmp_path, two_people, detector):
    with SnapshotKeeper(tmp_path / "new" / "breaches") as keeper:
        path = keeper.save(two_people, EVENT)
    assert path == tmp_path / "new" / "breaches" / NAME
    kept, image = cv2.imread(str(path)), two_people.frame.image
    assert kept.shape == image.shape
    assert detector.detect(kept) == []
    is_outside = np.ones(image.shape[:2], bool)
    for face in two_people.faces:
        place = face.box.widened(WIDENED).within(image.shape[1], image.shape[0])
        is_outside[place.top - 30 : place.bottom + 10, place.left - 90 : place.right + 90] = False
    assert is_outside.mean() > 0.3
    assert np.abs(kept[is_outside].astype(int) - image[is_outside]).mean() < 4  # JPEG
    box = two_people.faces[0].box
    blue, green, red = kept[(box.top + box.bottom) // 2, box.left].astype(int)
    assert red > 1.5 * max(blue, green)  # the box is drawn over the blur


def test_faces_stay_where_that_was_asked_for(tmp_path, two_people, detector):
    with SnapshotKeeper(tmp_path, is_blurred=False) as keeper:
        kept = cv2.imread(str(keeper.save(two_people, EVENT)))
    assert len(detector.detect(kept)) == 2


def test_a_face_missed_in_this_frame_is_blurred_too(tmp_path, two_people, detector):
    seen, missed = two_people.faces
    annotated = AnnotatedFrame(two_people.frame, [seen], missed=(missed.box,))
    with SnapshotKeeper(tmp_path) as keeper:
        assert detector.detect(cv2.imread(str(keeper.save(annotated, EVENT)))) == []


@pytest.mark.parametrize(
    "event, name",
    [
        (EVENT, NAME),
        (WatchEvent("alarm", "2026-11-21T19:40:00.123+01:00", "DOOR", 7, "without_mask"), NAME),
        (WatchEvent("alarm", 83.32, "videos/my clip.mp4", 12, "not sure"),
         "000083.320s_videos-my-clip.mp4_12_not_sure.jpg"),
        (WatchEvent("alarm", TIME, "../../etc/pass\0wd", 1, "a/b"),
         "20261121T184000.123Z_etc-pass-wd_1_a_b.jpg"),
        (WatchEvent("alarm", TIME, "north_door", 1, "x"),
         "20261121T184000.123Z_north-door_1_x.jpg"),
        (WatchEvent("alarm", TIME, "//", None, ""), "20261121T184000.123Z_x_none_x.jpg"),
        (WatchEvent("alarm", TIME, "caf\udce9 門", 1, "x"), "20261121T184000.123Z_caf-門_1_x.jpg"),
    ],
)  # fmt: skip
def test_the_name_says_when_where_who_and_what(event, name, tmp_path, small):
    assert file_name(event) == name
    with SnapshotKeeper(tmp_path) as keeper:
        assert keeper.save(small, event) == tmp_path / name


def test_a_name_is_never_too_long_for_a_file(tmp_path, small):
    event = WatchEvent("alarm", TIME, "門" * 500, 10**9, "klasse" * 100)
    with SnapshotKeeper(tmp_path) as keeper:
        assert keeper.save(small, event).is_file()


def test_nothing_is_overwritten(tmp_path, small):
    (tmp_path / NAME).write_bytes(b"someone's")
    with SnapshotKeeper(tmp_path) as keeper:
        names = [keeper.save(small, EVENT).name for _ in range(2)]
    stem = NAME.removesuffix(".jpg")
    assert names == [f"{stem}_2.jpg", f"{stem}_3.jpg"]
    assert (tmp_path / NAME).read_bytes() == b"someone's"


def test_old_pictures_go_and_nothing_else_does(tmp_path, caplog):
    (tmp_path / "folder").mkdir()
    outside = aged(tmp_path.parent / f"{tmp_path.name}_{NAME}", 99)
    old = [
        aged(tmp_path / name, 31)
        for name in (NAME, NAME.replace(".jpg", "_2.jpg"), "000083.320s_clip.mp4_12_no_mask.jpg")
    ]
    others = [
        aged(tmp_path / name, 99)
        for name in ("holiday.jpg", "events.jsonl", "20261121.jpg", f"copy of {NAME}",
                     NAME.replace("_7_", "_seven_"), NAME.replace(".jpg", ".png"),
                     NAME + ".bak", f"folder/{NAME}")
    ]  # fmt: skip
    young = aged(tmp_path / NAME.replace("DOOR", "HALL"), 29)
    named_like = tmp_path / NAME.replace("DOOR", "FOLDER")
    named_like.mkdir()
    os.utime(named_like, (0, 0))
    link = tmp_path / NAME.replace("DOOR", "LINK")
    link.symlink_to(outside)
    os.utime(link, (0, 0), follow_symlinks=False)
    with SnapshotKeeper(tmp_path, keep_days=30):
        wait_until(lambda: not any(path.exists() for path in old))
    for path in [*others, young, named_like, link, outside]:
        assert path.exists(), path
    assert not caplog.records


def test_old_pictures_go_while_the_watch_runs_and_nobody_is_seen(tmp_path, small):
    with SnapshotKeeper(tmp_path, keep_days=1, tidy_every_s=0.05) as keeper:
        path = keeper.save(small, EVENT)
        time.sleep(0.2)
        assert path.exists()
        aged(path, 1.01, path.read_bytes())
        wait_until(lambda: not path.exists())


def test_a_full_disk_is_said_once_and_leaves_no_part_of_a_picture(tmp_path, small, caplog):
    caplog.set_level(logging.INFO)
    with small_disk(tmp_path / "disk", "64k") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * 60_000)
        with SnapshotKeeper(disk) as keeper:
            assert [keeper.save(small, EVENT) for _ in range(3)] == [None] * 3
            assert [path.name for path in disk.iterdir()] == ["filler"]
            (said,) = caplog.records
            assert "No space left" in said.getMessage()
            filler.unlink()
            path = keeper.save(small, EVENT)
            assert cv2.imread(str(path)).shape == small.frame.image.shape
            assert keeper.save(small, EVENT)
    assert len(caplog.records) == 2 and caplog.records[1].getMessage().endswith("3 were lost")


def test_a_folder_that_vanishes_is_made_again(tmp_path, small):
    folder = tmp_path / "breaches"
    with SnapshotKeeper(folder) as keeper:
        folder.rmdir()
        assert keeper.save(small, EVENT).is_file()


def test_a_folder_that_can_not_be_written_is_a_clear_error_at_once(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MaskDetectorError, match="can't be written"):
        SnapshotKeeper(tmp_path / "file")
    with pytest.raises(MaskDetectorError, match="can't be written"):
        SnapshotKeeper(tmp_path / "file" / "below")
