"""The classic loop: the steps of the tutorial, and the verdicts of our slow path."""

import imutils
import numpy as np
import pytest
from conftest import SHIPPED_MODEL

from mask_detector.benchmark.classic_loop import draw, open_classic_loop
from mask_detector.benchmark.frames import Case, compose, cut_out_heads, portraits
from mask_detector.calibration import apply_temperature
from mask_detector.errors import ModelError
from mask_detector.face_detectors import open_detector
from mask_detector.mask_classifiers import load_classifier
from mask_detector.pipeline import Pipeline
from mask_detector.profiling import Profile
from mask_detector.types import FaceBox, Frame

pytestmark = pytest.mark.skipif(
    not SHIPPED_MODEL.exists(), reason=f"needs the shipped model {SHIPPED_MODEL}"
)

GREEN, RED = (0, 255, 0), (0, 0, 255)  # BGR


@pytest.fixture(scope="module")
def loop(face_folder, keras):
    return open_classic_loop(SHIPPED_MODEL, face_folder)


@pytest.fixture(scope="module")
def image(face_folder, masked_portrait):
    """Three faces, one of them with a mask drawn on."""
    detector = open_detector("ssd", folder=face_folder, confidence=0.5)
    cutouts = cut_out_heads([masked_portrait, *portraits()], detector)
    return compose(Case(640, 480, 3), cutouts, count=1)[0]


def test_its_faces_are_those_of_our_detector_at_300_pixels(loop, image, face_folder):
    small = imutils.resize(image, width=400)
    ours = open_detector(
        "ssd-opencv", folder=face_folder, confidence=0.5, detect_size=300, is_adjusted=False
    )
    expected = [(box.left, box.top, box.right, box.bottom) for box in ours.detect(small)]
    places = loop.detect(small)
    assert len(places) == 3
    np.testing.assert_allclose(sorted(places), sorted(expected), atol=1)  # it cuts, we round


def test_its_verdicts_are_those_of_our_keras_pipeline_on_the_same_boxes(loop, image):
    small = imutils.resize(image, width=400)
    places = loop.detect(small)
    classifier = load_classifier(SHIPPED_MODEL)
    faces = Pipeline(None, classifier, margin=0.0).judge(
        small, [FaceBox(*place, 1.0) for place in places]
    )
    answers = loop.classify(small, places)
    names = [classifier.card.class_names[int(row.argmax())] for row in answers]
    assert names == [face.label for face in faces]
    assert len(set(names)) == 2  # masked and bare
    calibrated = apply_temperature(answers, classifier.card.temperature)
    np.testing.assert_allclose(calibrated, [face.probabilities for face in faces], atol=2e-3)


def test_it_names_every_face_of_every_frame_and_times_its_stages(loop, image):
    empty = np.full_like(image, 128)
    frames = [Frame(picture, index, index / 30, "test") for index, picture in
              enumerate((image, empty, image))]  # fmt: skip
    profile = Profile()
    names = loop.run(frames, profile)
    assert [len(of_frame) for of_frame in names] == [3, 0, 3] and names[0] == names[2]
    assert list(profile.totals_s) == ["capture", "detect", "classify", "draw"]
    assert profile.milliseconds["classify"][1] > profile.milliseconds["capture"][1]


@pytest.mark.parametrize(("name", "colour"), [("with_mask", GREEN), ("without_mask", RED)])
def test_it_draws_a_box_and_a_label_above_it(name, colour, image):
    drawn = image.copy()
    draw(drawn, (200, 150, 260, 230), name, 0.987)
    changed = np.argwhere((drawn != image).any(axis=2))
    assert 120 < changed[:, 0].min() < 140 and changed[:, 0].max() <= 232
    assert all(tuple(drawn[y, x].tolist()) == colour for y in (150, 230) for x in (200, 260))


def test_a_model_without_a_card_is_refused(tmp_path, face_folder, keras):
    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()]).save(path)
    with pytest.raises(ModelError, match="no card"):
        open_classic_loop(path, face_folder)
