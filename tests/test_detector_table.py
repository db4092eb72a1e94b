"""The table of what detectors cost and find, on an album whose answer is known."""

import json

import cv2
import numpy as np
import pytest
from data_sets import voc, write

from benchmarks.detectors import (
    Candidate,
    Search,
    markdown,
    open_candidates,
    score,
    search,
)
from mask_detector.annotations.pascal_voc import read_voc
from mask_detector.commands.shared import DEFAULT_CONFIDENCES
from mask_detector.detection_scores import ScoredPhoto
from mask_detector.errors import MaskDetectorError

FACE = (175, 110, 360, 345)  # of the portrait, seen by eye
NAMES = ["with_mask", "mask_weared_incorrect", "without_mask"]


@pytest.fixture(scope="module")
def album(tmp_path_factory, portrait, masked_portrait):
    """A bare face and a marked wall beside it; a masked one; nothing."""
    root = tmp_path_factory.mktemp("album")
    pictures = {
        "a": (portrait, [("without_mask", *FACE), ("mask_weared_incorrect", 5, 5, 35, 25)]),
        "b": (masked_portrait, [("with_mask", *FACE)]),
        "c": (np.full((90, 120, 3), 128, np.uint8), []),
    }
    for name, (picture, boxes) in pictures.items():
        write(root / "images" / f"{name}.png", picture)
        voc(root / "annotations" / f"{name}.xml", f"{name}.png", boxes)
    return root


def test_every_detector_of_the_package_can_be_named():
    for name, confidence in DEFAULT_CONFIDENCES.items():
        assert Candidate.parse(f" {name}:320") == Candidate(name, 320, confidence)
        assert Candidate.parse(name) == Candidate(name, 0, confidence)
    pyramid = Candidate.parse("yunet:640:pyramid")
    assert pyramid == Candidate("yunet", 640, DEFAULT_CONFIDENCES["yunet"], is_pyramid=True)


@pytest.mark.parametrize(
    "text", ["retina", "ssd:big", "ssd:-3", "ssd:pyramid", "haar:320:pyramid", ""]
)
def test_what_is_no_detector_is_named(text):
    with pytest.raises(MaskDetectorError, match=r"no detector; expected .*ssd:400"):
        Candidate.parse(text)


def test_a_real_album_is_searched_and_timed(album, face_folder):
    candidates = [Candidate.parse(text) for text in ("ssd:300", "haar")]
    detectors = open_candidates(candidates, face_folder)
    searches = search(read_voc(album), NAMES, detectors, timed=2)
    assert list(searches) == candidates
    for candidate in candidates:
        found = searches[candidate]
        assert len(found.photos) == 3 and len(found.times_ms) == 2
        row = score(candidate, found, NAMES)
        assert row.found["without_mask"][">=48"] == row.found["without_mask"][">=24"] == (1, 1)
        assert row.found["mask_weared_incorrect"]["16-24"] == (0, 1)
        assert row.found["mask_weared_incorrect"][">=24"] == (0, 0)
        assert row.median_ms > 0
        assert row.frames_per_s == pytest.approx(1000 / row.median_ms)
    assert score(candidates[0], searches[candidates[0]], NAMES).found["with_mask"]["all"] == (1, 1)


def made_up_search():
    """Two photos: faces of 10, 30 and 60 pixels, of which the larger are found; 3 false boxes."""
    sides = (10, 30, 60)
    faces = np.array([[100 * i, 0, 100 * i + side, side] for i, side in enumerate(sides)], float)
    false = np.array([[0, 500, 50, 550], [0, 600, 50, 650], [0, 700, 50, 750]], float)
    boxes = np.concatenate([faces[1:], false])
    scores = np.linspace(0.9, 0.5, len(boxes))
    full = ScoredPhoto(faces, np.array([0, 0, 2]), boxes, scores, np.empty((5, 0)))
    empty = ScoredPhoto(
        np.empty((0, 4)), np.empty(0, int), np.empty((0, 4)), np.empty(0), np.empty((0, 0))
    )
    return Search([full, empty], [10.0, 40.0, 20.0])


def test_counts_are_those_made_by_hand():
    row = score(Candidate("ssd", 300, 0.3), made_up_search(), NAMES)
    assert (row.median_ms, row.frames_per_s) == (20.0, 50.0)
    assert row.false_boxes_per_photo == 1.5
    masked, bare = row.found["with_mask"], row.found["without_mask"]
    assert (masked["<16"], masked["24-48"], masked[">=24"]) == ((0, 1), (1, 1), (1, 1))
    assert (bare[">=48"], bare[">=24"], bare["all"]) == ((1, 1), (1, 1), (1, 1))


def test_the_table_says_what_its_cells_hold():
    rows = [score(Candidate(name, 300), made_up_search(), NAMES) for name in ("ssd", "haar")]
    lines = markdown(rows).splitlines()
    assert "mask / mask worn wrongly / no mask" in lines[0]
    assert "<16 px: 1 / 0 / 0" in lines[0] and ">=24 px: 1 / 0 / 1" in lines[0]
    assert len({line.count("|") for line in lines[2:]}) == 1 and len(lines) == 6
    cells = [cell.strip() for cell in lines[4].split("|")]
    assert cells[1:5] == ["ssd at 0", "300 px", "50 (20)", "0.00 / - / -"]
    assert cells[-2] == "1.50"


def test_the_command_prints_the_table_and_writes_every_figure(run, album, face_folder, tmp_path):
    figures = tmp_path / "figures.json"
    options = ("--boxes", album, "--part", "all", "--timed", "1", "--face", face_folder)
    done = run("-m", "benchmarks.detectors", *options, "--detectors", "haar", "--json", figures)
    assert done.returncode == 0, done.stderr
    assert "| haar at 0 | all |" in done.stdout
    written = json.loads(figures.read_text())
    assert written["photos"] == 3 and written["part"] == "all" and written["machine"]["cores"] > 0
    assert written["detectors"][0]["found"]["without_mask"]["all"] == [1, 1]
    assert cv2.__version__ in json.dumps(written["machine"])


def test_a_wrong_folder_ends_in_one_line(run, tmp_path):
    done = run("-m", "benchmarks.detectors", "--boxes", tmp_path, "--part", "all")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no annotated photos") and "Traceback" not in done.stderr
