"""Finding faces: against the weights run directly, on odd pictures, with odd files."""

import re

import cv2
import numpy as np
import pytest

from mask_detector.assets import SSD_WEIGHTS
from mask_detector.commands.shared import DETECTOR_NAMES
from mask_detector.errors import MaskDetectorError
from mask_detector.face_detectors import DETECTORS, SsdDetector, open_detector


@pytest.fixture(params=sorted(DETECTORS))
def detector(request, face_folder):
    return open_detector(request.param, folder=face_folder, confidence=0.5)


@pytest.fixture
def two_faces(portrait):
    """The portrait beside a smaller copy of itself."""
    small = cv2.resize(portrait, None, fx=0.6, fy=0.6)
    canvas = np.full_like(portrait, 128)
    canvas[: small.shape[0], : small.shape[1]] = small
    return np.hstack([portrait, canvas])


def raw_rows(face_folder, image):
    """The network's own answer, by OpenCV's documented recipe."""
    network = cv2.dnn.readNetFromCaffe(
        str(face_folder / "deploy.prototxt"), str(face_folder / SSD_WEIGHTS.name)
    )
    network.setInput(
        cv2.dnn.blobFromImage(cv2.resize(image, (300, 300)), 1.0, (300, 300), (104, 177, 123))
    )
    height, width = image.shape[:2]
    return [(row[2], row[3:7] * (width, height, width, height)) for row in network.forward()[0, 0]]


def assert_clean(boxes, image):
    height, width = image.shape[:2]
    for box in boxes:
        assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height
        assert all(isinstance(edge, int) for edge in (box.left, box.top, box.right, box.bottom))
    assert [box.score for box in boxes] == sorted((box.score for box in boxes), reverse=True)


def test_the_options_name_every_detector():
    assert set(DETECTOR_NAMES) == set(DETECTORS)


def test_every_detector_finds_the_one_face(detector, portrait):
    (box,) = detector.detect(portrait)
    assert_clean([box], portrait)
    # Seen by eye: forehead to chin about (160, 80) to (370, 380).
    assert box.left < 230 and box.right > 300 and box.top < 180 and box.bottom > 280


def test_the_ssd_says_what_the_weights_say(two_faces, face_folder):
    boxes = open_detector("ssd", folder=face_folder, confidence=0.05).detect(two_faces)
    height, width = two_faces.shape[:2]
    expected = []
    for score, edges in sorted(raw_rows(face_folder, two_faces), key=lambda row: -row[0]):
        left, top, right, bottom = np.clip(np.rint(edges), 0, (width, height, width, height))
        if score >= 0.05 and left < right and top < bottom:  # some lie wholly outside
            expected.append((left, top, right, bottom, score))
    assert len(expected) > 50  # also unsure ones, whose scores tell more than those near 1
    found = [(box.left, box.top, box.right, box.bottom, box.score) for box in boxes]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_picture_is_left_as_it_was(detector, portrait):
    before = portrait.copy()
    detector.detect(portrait)
    np.testing.assert_array_equal(portrait, before)


def test_two_faces_give_two_boxes_the_surest_first(two_faces, face_folder):
    boxes = open_detector("ssd", folder=face_folder, confidence=0.5).detect(two_faces)
    assert len(boxes) == 2
    assert_clean(boxes, two_faces)


@pytest.mark.parametrize("left", [-140, -90, 90, 140])
def test_boxes_of_cut_off_faces_end_at_the_edge(left, portrait, face_folder):
    cut = portrait[:, max(0, left + 100) : portrait.shape[1] + min(0, left - 100)]
    boxes = open_detector("ssd", folder=face_folder, confidence=0.1).detect(cut)
    assert boxes
    assert_clean(boxes, cut)


def test_a_plain_picture_holds_no_face(detector):
    assert detector.detect(np.full((240, 320, 3), 128, np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (700, 5), (23, 23)])
def test_tiny_pictures_are_looked_at_like_any_other(detector, shape, face_folder):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert_clean(detector.detect(image), image)
    assert_clean(open_detector("ssd", folder=face_folder, confidence=0).detect(image), image)


def test_a_lower_threshold_finds_at_least_as_much(two_faces, face_folder):
    few, many = (
        open_detector("ssd", folder=face_folder, confidence=threshold).detect(two_faces)
        for threshold in (0.5, 0.01)
    )
    assert len(many) > len(few) and set(few) <= set(many)
    assert min(box.score for box in few) >= 0.5 and min(box.score for box in many) < 0.2


def test_opencvs_own_edition_of_the_layers_gives_the_same_boxes(two_faces, face_folder, tmp_path):
    text = (face_folder / "deploy.prototxt").read_text()
    edition, changes = re.subn(r"confidence_threshold: 0\.01", "confidence_threshold: 0.2", text)
    assert changes == 1
    (tmp_path / "deploy.prototxt").write_text(edition)
    weights = face_folder / SSD_WEIGHTS.name
    theirs, ours = (
        SsdDetector(folder / "deploy.prototxt", weights, confidence=0.01).detect(two_faces)
        for folder in (tmp_path, face_folder)
    )
    assert theirs == ours and min(box.score for box in theirs) < 0.2


def test_an_unknown_detector_lists_the_known(face_folder):
    with pytest.raises(MaskDetectorError) as raised:
        open_detector("mtcnn", folder=face_folder, confidence=0.5)
    assert "'mtcnn'" in str(raised.value)
    assert all(name in str(raised.value) for name in DETECTORS)


@pytest.mark.parametrize(
    "name, module, attribute",
    [("ssd", cv2.dnn, "readNetFromCaffe"), ("haar", cv2, "CascadeClassifier")],
)
def test_an_opencv_that_dropped_the_reader_names_the_pip_line(
    name, module, attribute, face_folder, monkeypatch
):
    monkeypatch.delattr(module, attribute)  # as in OpenCV 5
    with pytest.raises(MaskDetectorError, match=re.escape('pip install "opencv-python<5"')):
        open_detector(name, folder=face_folder, confidence=0.5)
