"""The chain on photos whose answer is known: the portrait bare, masked, boxed as something else."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from mask_detector.chain.evaluation import (
    evaluate_chain,
    measure_offsets,
)
from mask_detector.chain.judging import Setting, judge_photos
from mask_detector.chain.report import chain_text, sweep_text
from mask_detector.detection_scores import ScoredPhoto
from mask_detector.errors import DatasetError
from mask_detector.evaluation import SIZE_NAMES
from mask_detector.face_detectors import open_detector
from mask_detector.images import crop_face
from mask_detector.labels import model_class_of
from mask_detector.mask_classifiers import load_classifier
from mask_detector.pipeline import Pipeline
from mask_detector.types import FaceBox, LabelledBox, ListedPhoto

FACE = (175, 110, 360, 345)  # of the portrait, seen by eye
CLASSES = ("with_mask", "without_mask")


def labelled(edges, name):
    return LabelledBox(FaceBox(*edges, 1.0), name)


@pytest.fixture(scope="module")
def album(tmp_path_factory, portrait, masked_portrait):
    """A bare face; a masked one beside a tiny box; one called a hat; a wall; a broken file."""
    folder = tmp_path_factory.mktemp("album")
    wall = np.full((200, 300, 3), 128, np.uint8)
    pictures = {"bare": portrait, "masked": masked_portrait, "hat": portrait, "wall": wall}
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    (folder / "broken.png").write_bytes(b"no picture")
    tiny = labelled((5, 5, 15, 17), "with_mask")
    faces = {
        "bare": [labelled(FACE, "without_mask")],
        "masked": [labelled(FACE, "with_mask"), tiny],
        "hat": [labelled(FACE, "hat")],
        "wall": [],
        "broken": [labelled(FACE, "with_mask")],
    }
    return [ListedPhoto(folder / f"{n}.png", faces=tuple(boxes)) for n, boxes in faces.items()]


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def detector(face_folder):
    return open_detector("ssd", folder=face_folder, confidence=0.3)


@pytest.fixture(scope="module")
def judged(album, classifier, detector):
    return judge_photos(album, {0: detector}, classifier, [0.0, 0.3])


@pytest.fixture(scope="module")
def report(judged):
    return evaluate_chain(judged, Setting(0.5, 0.3), resamples=50)


@pytest.mark.parametrize(
    "name, model_classes, expected",
    [
        ("with_mask", CLASSES, 0),
        ("without_mask", CLASSES, 1),
        ("NoMask", CLASSES, 1),  # another spelling of the same
        ("masked", CLASSES, 0),
        ("with_incorrect_mask", CLASSES, None),
        ("mask_weared_incorrect", (*CLASSES, "worn_wrongly"), 2),
        ("hat", CLASSES, None),
        ("def_front", ("def_front", "ok_front"), 0),
        ("other", ("def_front", "ok_front"), None),  # both speak of no mask
        ("mask", ("cloth_mask", "paper_mask", "no_mask"), None),  # which of the two?
    ],
)
def test_annotated_classes_are_known_by_name_or_by_meaning(name, model_classes, expected):
    assert model_class_of(name, model_classes) == expected


def test_the_counts_are_those_of_the_album(report):
    assert report.photos == 4 and report.unreadable == 1
    assert report.faces == {"with_mask": 2, "without_mask": 1, "hat": 1}
    assert report.unknown_classes == ("hat",)


@pytest.mark.parametrize("index, iou", [(0, 0.4), (1, 0.5)])
def test_found_faces_are_counted_per_class_and_size(report, index, iou):
    score = report.found[index]
    assert score.iou == iou
    nothing = dict.fromkeys(SIZE_NAMES, (0, 0))
    assert score.found == {
        "with_mask": {**nothing, "<16": (0, 1), ">=48": (1, 1), "all": (1, 2)},
        "without_mask": {**nothing, ">=48": (1, 1), "all": (1, 1)},
        "hat": {**nothing, ">=48": (1, 1), "all": (1, 1)},
    }
    assert score.right == {"with_mask": (1, 1), "without_mask": (1, 1)}
    assert score.false_boxes_per_photo == score.double_boxes_per_photo == 0


def test_average_precision_as_worked_by_hand(report):
    """Masked: one of two found, no false alarm before it; the tiny one is ignored from 24 px."""
    for score in report.precision:
        masked = 1.0 if score.min_side else 0.5
        assert score.per_class == {"with_mask": masked, "without_mask": 1.0}
        assert score.mean == score.ceiling == (masked + 1) / 2
        assert score.interval[0] <= score.mean <= score.interval[1]
    assert [(s.iou, s.min_side) for s in report.precision] == [
        (0.4, 0), (0.4, 24), (0.5, 0), (0.5, 24)
    ]  # fmt: skip


def test_verdicts_and_boxes_are_those_of_the_pipeline(judged, album, classifier, detector):
    pipeline = Pipeline(detector, classifier, margin=0.3)
    scored = judged.at(Setting(0.3, 0.3))[0]
    faces = pipeline(cv2.imread(str(album[0].path)))
    edges = [(f.box.left, f.box.top, f.box.right, f.box.bottom) for f in faces]
    np.testing.assert_array_equal(scored.boxes, edges)
    np.testing.assert_allclose(scored.probabilities, [f.probabilities for f in faces], atol=1e-6)


def test_the_margin_asked_for_is_the_one_that_is_cut(portrait, classifier, detector):
    (box,) = [box for box in detector.detect(portrait) if box.score > 0.5]
    tight = crop_face(portrait, box, 0.0)
    whole = FaceBox(0, 0, tight.shape[1], tight.shape[0], 1.0)
    (one,), (other,) = (
        Pipeline(detector, classifier, 0.0).judge(portrait, [box]),
        Pipeline(detector, classifier).judge(np.ascontiguousarray(tight), [whole]),
    )
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


@pytest.mark.parametrize("confidence, margin", [(0.3, 0.0), (0.9, 0.3)])
def test_looking_once_at_a_low_confidence_equals_looking_at_a_high_one(
    judged, album, classifier, face_folder, confidence, margin
):
    detector = open_detector("ssd", folder=face_folder, confidence=confidence)
    alone = judge_photos(album, {0: detector}, classifier, [margin])
    setting = Setting(confidence, margin)
    for one, other in zip(alone.at(setting), judged.at(setting), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_the_offsets_are_those_of_the_one_box_by_eye(judged, detector, portrait):
    (box,) = [box for box in detector.detect(portrait) if box.score > 0.5]
    offsets = measure_offsets(judged, Setting(0.5, 0.0))
    assert offsets.n == 3
    dy = ((FACE[1] + FACE[3]) - (box.top + box.bottom)) / 2 / box.height
    assert offsets.dy == pytest.approx(dy, abs=0.05)  # the masked one is found a little elsewhere
    assert np.exp(offsets.log_height) * box.height == pytest.approx(FACE[3] - FACE[1], rel=0.1)


def test_the_report_in_words_and_as_json(report):
    text = chain_text(report, "ssd")
    for words in (
        "4 photos with 4 faces: with_mask 2, without_mask 1, hat 1",
        "detector ssd, confidence 0.5, detect size default, crop margin 0.3",
        "1 unreadable photo left out",
        "does not know: hat",
        "IoU 0.5, faces >=24 px",
        "1/2 0.500",
        "false boxes per photo 0.00",
    ):
        assert words in text
    assert json.loads(json.dumps(report.to_dict()))["precision"][0]["mean"] == 0.75


def test_the_sweep_has_a_line_per_setting(judged):
    settings = [Setting(confidence, margin) for confidence in (0.3, 0.9) for margin in (0.0, 0.3)]
    reports = [evaluate_chain(judged, s, min_sides=(24,), resamples=0) for s in settings]
    text = sweep_text(reports, {0: measure_offsets(judged, settings[0])})
    lines = [line.split() for line in text.splitlines() if line.startswith("default ")]
    assert [line[1:3] for line in lines] == [
        ["0.3", "0"], ["0.3", "0.3"], ["0.9", "0"], ["0.9", "0.3"]
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1
    assert "size default: centre" in text


def test_sure_verdicts_are_those_above_the_models_threshold(judged):
    photo = ScoredPhoto(
        np.array([[0, 0, 40, 40], [100, 0, 140, 40], [200, 0, 240, 40.0]]),
        np.array([0, 0, 0]),
        np.array([[0, 0, 40, 40], [100, 0, 140, 40], [200, 0, 240, 40.0], *[[0, 99, 40, 139]] * 3]),
        np.array([0.9, 0.8, 0.7, 0.9, 0.9, 0.9]),
        np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.21, 0.79], [0.19, 0.81]]),
    )
    made = type(judged)(CLASSES, 2, 0.8, (Path("a.png"),), {(0, 0.3): [photo]}, 0)
    report = evaluate_chain(made, Setting(0.5, 0.3), resamples=0)
    assert report.found[0].right["with_mask"] == (2, 3)
    assert report.found[0].sure_right["with_mask"] == (1, 2)
    assert "right of the sure (>=0.8)" in chain_text(report, "ssd")
    found = report.found[0]
    assert (found.false_boxes_per_photo, found.sure_false_boxes_per_photo) == (3, 1)
    assert report.precision[0].per_class["without_mask"] is None  # none annotated
    assert report.precision[0].interval == (None, None)


def test_classes_none_of_which_the_model_knows_are_named(album, classifier, detector):
    hats = [photo for photo in album if photo.path.stem == "hat"]
    with pytest.raises(DatasetError, match=r"hat, of which the model knows none.*with_mask"):
        judge_photos(hats, {0: detector}, classifier, [0.3])


def test_photos_none_of_which_can_be_read_are_an_error(album, classifier, detector):
    broken = [photo for photo in album if photo.path.stem == "broken"]
    with pytest.raises(DatasetError, match="none of 1 annotated photos can be read"):
        judge_photos(broken, {0: detector}, classifier, [0.3])
