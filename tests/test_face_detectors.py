"""Finding faces: against the weights run directly, on odd pictures, with odd files.

YuNet's weights are looked for in the folder named by MASK_DETECTOR_FACE, else in `face_detector/`,
else on the network; its tests say so when they skip.
"""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from mask_detector.assets import SSD_WEIGHTS, YUNET_WEIGHTS, provide
from mask_detector.commands.shared import DEFAULT_CONFIDENCES, DETECTOR_NAMES
from mask_detector.errors import AssetError, MaskDetectorError
from mask_detector.face_boxes import BoxAdjustment
from mask_detector.face_detectors import DETECTORS, YunetDetector, open_detector
from mask_detector.ssd.by_shape import SsdByShape
from mask_detector.ssd.opencv import SsdDetector


@pytest.fixture(scope="module")
def yunet_folder(face_folder):
    folder = Path(os.environ.get("MASK_DETECTOR_FACE", face_folder))
    try:
        provide(YUNET_WEIGHTS, folder)
    except AssetError as error:
        pytest.skip(f"needs YuNet's weights in {folder}: {error}")
    return folder


@pytest.fixture
def folder_of(face_folder, request):
    """Where the weights of a detector lie."""
    return lambda name: request.getfixturevalue("yunet_folder") if name == "yunet" else face_folder


# For the other two see test_mtcnn_detector.py and test_whole_pictures.py.
@pytest.fixture(params=sorted(set(DETECTORS) - {"mtcnn", "none"}))
def detector(request, folder_of):
    return open_detector(request.param, folder=folder_of(request.param), confidence=0.5)


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


def adjusted(edges, adjustment):
    """One box, its centre moved and its sides scaled."""
    left, top, right, bottom = edges
    width, height = right - left, bottom - top
    middle = (left + right) / 2 + adjustment.dx * width
    level = (top + bottom) / 2 + adjustment.dy * height
    across, down = width * adjustment.width / 2, height * adjustment.height / 2
    return np.array([middle - across, level - down, middle + across, level + down])


def assert_clean(boxes, image):
    height, width = image.shape[:2]
    for box in boxes:
        assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height
        assert all(isinstance(edge, int) for edge in (box.left, box.top, box.right, box.bottom))
    assert [box.score for box in boxes] == sorted((box.score for box in boxes), reverse=True)


def test_the_options_name_every_detector():
    assert set(DETECTOR_NAMES) == set(DEFAULT_CONFIDENCES) == set(DETECTORS)


def test_every_detector_finds_the_one_face(detector, portrait):
    (box,) = detector.detect(portrait)
    assert_clean([box], portrait)
    # Seen by eye: forehead to chin about (160, 80) to (370, 380).
    assert box.left < 230 and box.right > 300 and box.top < 180 and box.bottom > 280


def test_the_ssd_says_what_the_weights_say(two_faces, face_folder):
    paths = face_folder / "deploy.prototxt", face_folder / SSD_WEIGHTS.name
    boxes = SsdDetector(*paths, confidence=0.05, keeps_steps=True).detect(two_faces)
    height, width = two_faces.shape[:2]
    expected = []
    for score, edges in sorted(raw_rows(face_folder, two_faces), key=lambda row: -row[0]):
        ours = np.rint(adjusted(edges, SsdDetector.adjustment))
        left, top, right, bottom = np.clip(ours, 0, (width, height, width, height))
        if score >= 0.05 and left < right and top < bottom:  # some lie wholly outside
            expected.append((left, top, right, bottom, score))
    assert len(expected) > 50  # also unsure ones, whose scores tell more than those near 1
    found = [(box.left, box.top, box.right, box.bottom, box.score) for box in boxes]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_yunet_says_what_the_weights_say(two_faces, yunet_folder):
    """At the picture's own size, by OpenCV's documented recipe."""
    height, width = two_faces.shape[:2]
    network = cv2.FaceDetectorYN.create(
        str(yunet_folder / YUNET_WEIGHTS.name), "", (width, height), 0.01, 0.3, 5000
    )
    rows = network.detect(two_faces)[1]
    expected = []
    for row in rows[np.argsort(-rows[:, 14], kind="stable")]:
        edges = adjusted((*row[:2], *(row[:2] + row[2:4])), YunetDetector.adjustment)
        edges = np.clip(np.rint(edges), 0, (width, height, width, height))
        expected.append((*edges, row[14]))
    boxes = open_detector(
        "yunet", folder=yunet_folder, confidence=0.01, detect_size=max(height, width)
    ).detect(two_faces)
    found = [(box.left, box.top, box.right, box.bottom, box.score) for box in boxes]
    assert len(found) > 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["ssd", "yunet"])
@pytest.mark.parametrize("size", [160, 480, 700])
def test_boxes_fit_the_picture_at_every_detect_size(name, size, folder_of, portrait):
    usual, other = (
        open_detector(name, folder=folder_of(name), confidence=0.5, detect_size=pixels)
        for pixels in (0, size)
    )
    (expected,), (box,) = usual.detect(portrait), other.detect(portrait)
    assert_clean([box], portrait)
    for edge in ("left", "top", "right", "bottom"):
        assert getattr(box, edge) == pytest.approx(getattr(expected, edge), abs=25)


@pytest.mark.parametrize("name", ["ssd", "yunet"])
def test_a_larger_detect_size_finds_a_face_that_is_lost_in_the_crowd(name, folder_of, portrait):
    scene = np.full((1600, 1600, 3), 128, np.uint8)
    small = cv2.resize(portrait, (60, 70), interpolation=cv2.INTER_AREA)  # its face: 20 pixels
    scene[800:870, 700:760] = small
    near, far = (
        open_detector(name, folder=folder_of(name), confidence=0.5, detect_size=size)
        for size in (1600, 300)
    )
    (box,) = near.detect(scene)
    assert far.detect(scene) == []
    assert 700 <= box.left < box.right <= 760 and 800 <= box.top < box.bottom <= 870


def test_the_default_detect_size_is_the_one_that_is_named(folder_of, two_faces):
    for name, kind in (("ssd", SsdByShape), ("yunet", YunetDetector)):
        default, named = (
            open_detector(name, folder=folder_of(name), confidence=0.2, detect_size=size)
            for size in (0, kind.DETECT_SIZE)
        )
        assert default.detect(two_faces) == named.detect(two_faces) != []


def test_an_adjustment_moves_by_its_own_size_and_scales_about_its_centre():
    edges = np.array([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 4.0, 2.0]])
    made = BoxAdjustment(dx=0.1, dy=-0.2, width=1.5, height=0.5)
    np.testing.assert_allclose(made.apply(edges), [adjusted(row, made) for row in edges])
    assert made.apply(edges)[0].tolist() == [7.0, 22.0, 37.0, 42.0]
    np.testing.assert_array_equal(BoxAdjustment().apply(edges), edges)
    assert made.apply(np.empty((0, 4))).shape == (0, 4)


def test_yunets_weights_are_found_in_a_folder_of_any_name(yunet_folder, tmp_path, portrait):
    folder = tmp_path / "Gesichter ü 顔"
    folder.mkdir()
    (folder / YUNET_WEIGHTS.name).write_bytes((yunet_folder / YUNET_WEIGHTS.name).read_bytes())
    assert len(open_detector("yunet", folder=folder, confidence=0.5).detect(portrait)) == 1


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
def test_tiny_pictures_are_looked_at_like_any_other(detector, shape, folder_of):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert_clean(detector.detect(image), image)
    for name in ("ssd", "yunet"):
        unsure = open_detector(name, folder=folder_of(name), confidence=0)
        assert_clean(unsure.detect(image), image)


@pytest.mark.parametrize("name", ["ssd", "yunet"])
def test_a_lower_threshold_finds_at_least_as_much(name, two_faces, folder_of):
    few, many = (
        open_detector(name, folder=folder_of(name), confidence=threshold).detect(two_faces)
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
        open_detector("retina", folder=face_folder, confidence=0.5)
    assert "'retina'" in str(raised.value)
    assert all(name in str(raised.value) for name in DETECTORS)


@pytest.mark.parametrize(
    "name, module, attribute",
    [("ssd-opencv", cv2.dnn, "readNetFromCaffe"), ("haar", cv2, "CascadeClassifier"),
     ("yunet", cv2, "FaceDetectorYN")],
)  # fmt: skip
def test_an_opencv_without_the_reader_names_the_pip_line(
    name, module, attribute, folder_of, monkeypatch
):
    monkeypatch.delattr(module, attribute)  # as in OpenCV 5, or in one built without it
    with pytest.raises(MaskDetectorError, match=r'pip install "opencv-python(>=4\.9,)?<5"'):
        open_detector(name, folder=folder_of(name), confidence=0.5)
