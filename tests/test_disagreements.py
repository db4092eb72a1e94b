"""Boxes around no marked face, and marked faces that no box found: which, where, and shown."""

import csv

import cv2
import numpy as np
import pytest

from mask_detector.chain.disagreements import find_disagreements, write_disagreements
from mask_detector.chain.judging import JudgedPhotos, Setting
from mask_detector.detection_scores import ScoredPhoto
from mask_detector.errors import MaskDetectorError

NAMES = ("with_mask", "without_mask", "hat")
SETTING = Setting(confidence=0.5, margin=0.2)
FOUND, FALSE, WEAK = (31, 41, 70, 80), (8, 90, 28, 110), (120, 90, 140, 110)
MISSED, LARGER = (100, 10, 120, 30), (0, 0, 60, 70)


def scored(faces, labels, boxes, scores, probabilities):
    return ScoredPhoto(
        np.array(faces, float).reshape(-1, 4), np.array(labels, int),
        np.array(boxes, float).reshape(-1, 4), np.array(scores, float),
        np.array(probabilities, float).reshape(-1, 2),
    )  # fmt: skip


@pytest.fixture
def judged(tmp_path):
    """Two photos: in the first all happens that can, in the second a larger face is missed."""
    first = np.full((120, 160, 3), 60, np.uint8)
    first[FALSE[1] : FALSE[3], FALSE[0] : FALSE[2]] = (0, 255, 255)  # yellow, BGR
    paths = tmp_path / "first.png", tmp_path / "second.png"
    for path, photo in zip(paths, (first, np.full((90, 90, 3), 60, np.uint8)), strict=True):
        cv2.imwrite(str(path), photo)
    photos = [
        scored([(30, 40, 70, 80), MISSED], [0, 2], [FOUND, FALSE, WEAK], [0.9, 0.7, 0.4],
               [(0.8, 0.2), (0.1, 0.9), (0.5, 0.5)]),
        scored([LARGER], [1], [], [], []),
    ]  # fmt: skip
    return JudgedPhotos(NAMES, 2, 0.0, paths, {(0, 0.2): photos}, 0)


def test_what_has_no_counterpart_is_found_surest_and_largest_first(judged):
    found = find_disagreements(judged, SETTING, iou=0.4)
    assert found.false_boxes == ((0, 1),)  # the weak box is none at this confidence
    assert found.missed_faces == ((1, 0), (0, 1))
    strict = find_disagreements(judged, SETTING, iou=0.99)
    assert strict.false_boxes == ((0, 0), (0, 1))


def test_all_are_listed_and_the_first_are_shown(judged, tmp_path):
    folder = tmp_path / "deep" / "out"
    write_disagreements(find_disagreements(judged, SETTING, 0.4), judged, SETTING, folder)
    lines = (folder / "disagreements.csv").read_text("utf-8").splitlines()
    head, *rows = csv.reader(lines)
    assert head == ["what", "photo", "left", "top", "right", "bottom", "class", "score"]
    assert rows == [
        ["no marked face", str(judged.paths[0]), *map(str, FALSE), "without_mask", "0.7000"],
        ["not found", str(judged.paths[1]), *map(str, LARGER), "without_mask", ""],
        ["not found", str(judged.paths[0]), *map(str, MISSED), "hat", ""],
    ]
    sheet = cv2.imread(str(folder / "false_boxes.png")).astype(int)
    tile = sheet[40 : 40 + 112, 16 : 16 + 112]
    is_yellow = (tile[..., 2] > 200) & (tile[..., 1] > 200) & (tile[..., 0] < 60)
    assert np.argwhere(is_yellow).mean(axis=0) == pytest.approx((56, 56), abs=2)  # in the middle
    assert is_yellow.mean() == pytest.approx(1 / 9, abs=0.02)  # a third of its side
    assert (tile[:, :8] == 0).all()  # beyond the photo's edge
    is_red = (tile[..., 2] > 150) & (tile[..., 1] < 90) & (tile[..., 0] < 90)
    assert is_red.sum() > 100  # the box itself
    assert cv2.imread(str(folder / "missed_faces.png")).shape == sheet.shape


def test_where_all_agree_the_sheets_are_empty(judged, tmp_path):
    agreed = JudgedPhotos(NAMES, 2, 0.0, judged.paths, {(0, 0.2): [scored([], [], [], [], [])]}, 0)
    write_disagreements(find_disagreements(agreed, SETTING, 0.4), agreed, SETTING, tmp_path)
    assert len((tmp_path / "disagreements.csv").read_text().splitlines()) == 1


def test_a_place_that_cannot_be_written_says_so(judged, tmp_path):
    (tmp_path / "file").write_text("")
    found = find_disagreements(judged, SETTING, 0.4)
    with pytest.raises(MaskDetectorError, match=r"disagreements.csv can't be written"):
        write_disagreements(found, judged, SETTING, tmp_path / "file")
