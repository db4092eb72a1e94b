"""MTCNN: against the package asked directly, on odd pictures, and without the package."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest
from conftest import assert_clear_error

from mask_detector.errors import MaskDetectorError
from mask_detector.face_detectors import open_detector
from mask_detector.mtcnn_detector import MtcnnDetector

if importlib.util.find_spec("mtcnn") is None:
    pytest.skip("needs the package mtcnn: pip install mtcnn", allow_module_level=True)


@pytest.fixture(scope="module")
def package(keras):
    """The package itself, as its page says to use it."""
    from mtcnn import MTCNN

    return MTCNN()


@pytest.fixture(scope="module")
def open_mtcnn(keras, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")  # it takes no weights from there
    return lambda **options: open_detector("mtcnn", folder=folder, **options)


@pytest.fixture(scope="module")
def detector(open_mtcnn):
    return open_mtcnn(confidence=0.9)


@pytest.fixture(scope="module")
def raw(open_mtcnn, portrait):
    """Boxes as they come, at the portrait's own size."""
    return open_mtcnn(confidence=0.8, detect_size=max(portrait.shape), is_adjusted=False)


def test_it_says_what_the_package_says(raw, package, portrait):
    two = np.hstack([portrait, portrait[:, ::-1]])[:, 150:-150]
    two = cv2.resize(two, (600, two.shape[0] * 600 // two.shape[1]))
    expected = package.detect_faces(cv2.cvtColor(two, cv2.COLOR_BGR2RGB))
    expected = sorted(expected, key=lambda face: -face["confidence"])
    found = raw.detect(two)
    assert len(found) == len(expected) == 2
    for box, face in zip(found, expected, strict=True):
        left, top, width, height = face["box"]
        assert box.score == pytest.approx(face["confidence"], abs=1e-4)
        edges = (left, top, left + width, top + height)
        np.testing.assert_allclose((box.left, box.top, box.right, box.bottom), edges, atol=1.01)


def test_boxes_are_brought_to_those_that_people_draw(detector, open_mtcnn, portrait):
    ((box,), (raw_box,)) = (
        d.detect(portrait) for d in (detector, open_mtcnn(confidence=0.9, is_adjusted=False))
    )
    made = MtcnnDetector.adjustment
    assert box.width == pytest.approx(raw_box.width * made.width, abs=2.1)
    assert box.height == pytest.approx(raw_box.height * made.height, abs=2.1)
    assert (box.left + box.right - raw_box.left - raw_box.right) / 2 == pytest.approx(
        made.dx * raw_box.width, abs=1.6
    )
    assert (box.top + box.bottom - raw_box.top - raw_box.bottom) / 2 == pytest.approx(
        made.dy * raw_box.height, abs=1.6
    )


def test_the_confidence_decides_what_is_kept(open_mtcnn, portrait):
    (face,) = open_mtcnn(confidence=0.5).detect(portrait)
    assert 0.5 < face.score < 1
    assert open_mtcnn(confidence=min(1.0, face.score + 1e-6)).detect(portrait) == []


def test_a_larger_detect_size_finds_a_face_that_is_lost_in_the_crowd(open_mtcnn, portrait):
    scene = np.full((900, 900, 3), 128, np.uint8)
    small = cv2.resize(portrait, (60, 70), interpolation=cv2.INTER_AREA)  # its face: 20 pixels
    scene[400:470, 300:360] = small
    near, far = (open_mtcnn(confidence=0.9, detect_size=size) for size in (1300, 300))
    (box,) = near.detect(scene)
    assert far.detect(scene) == []
    assert 300 <= box.left < box.right <= 360 and 400 <= box.top < box.bottom <= 470


@pytest.mark.parametrize(
    ("part", "edge", "place"),
    [  # right through the face
        (np.s_[:, 215:], "left", 0),
        (np.s_[:, :290], "right", 290),
        (np.s_[140:], "top", 0),
        (np.s_[:280], "bottom", 280),
    ],
)
def test_boxes_of_cut_off_faces_end_at_the_edge(detector, portrait, part, edge, place):
    (box,) = detector.detect(portrait[part])
    assert getattr(box, edge) == place
    assert all(isinstance(edge, int) for edge in (box.left, box.top, box.right, box.bottom))


@pytest.mark.parametrize("shape", [(1, 1), (2, 640), (700, 5), (11, 13), (240, 320)])
def test_a_plain_picture_holds_no_face_however_small(detector, shape):
    picture = np.full((*shape, 3), 200, np.uint8)
    assert detector.detect(picture) == []
    assert (picture == 200).all()


@pytest.mark.parametrize("seed", range(3))
def test_noise_holds_no_face_whatever_the_first_stage_makes_of_it(open_mtcnn, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    assert open_mtcnn(confidence=0.9, detect_size=90).detect(noise) == []


def test_what_goes_wrong_inside_the_package_is_told_in_one_line(open_mtcnn, portrait, monkeypatch):
    detector = open_mtcnn(confidence=0.9)
    monkeypatch.setattr(np, "triu", _out_of_memory)  # it sets every box beside every other
    with pytest.raises(MaskDetectorError, match=r"546x640 pixels .*--detect-size"):
        detector.detect(portrait)


def _out_of_memory(*args, **options):
    raise MemoryError("Unable to allocate 9 GiB")


@pytest.mark.parametrize("missing", ["mtcnn", "mtcnn.stages"])  # no package; one older than 1.0
def test_a_missing_package_is_named_with_its_pip_line(open_mtcnn, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MaskDetectorError, match=r'pip install "mtcnn>=1\.0" tensorflow'):
        open_mtcnn(confidence=0.9)


def test_the_command_line_says_what_is_missing(run, tmp_path, portrait):
    """In a process where the package can't be imported."""
    (tmp_path / "mtcnn.py").write_text("raise ImportError('No module named mtcnn')")
    cv2.imwrite(str(tmp_path / "photo.png"), portrait)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from mask_detector.cli import main; "
        f"sys.exit(main(['image', {str(tmp_path / 'photo.png')!r}, '--detector', 'mtcnn', "
        f"'--output', {str(tmp_path / 'out')!r}]))"
    )
    assert_clear_error(run("-c", code), "mtcnn", "pip install")
