"""What the classifier is shown, and when; whose verdict is whose."""

import dataclasses

import cv2
import numpy as np
import pytest

from mask_detector.face_detectors import open_detector
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model
from mask_detector.pipeline import Pipeline, TrackingPipeline
from mask_detector.profiling import Profile
from mask_detector.tracking import TrackingOptions
from mask_detector.types import Frame, ModelCard

NAMES = ("reddish", "bluish")


@pytest.fixture(scope="module")
def detector(face_folder):
    return open_detector("ssd", folder=face_folder, confidence=0.5)


@pytest.fixture(scope="module")
def colour_classifier(keras, tmp_path_factory):
    """A real model that says whether its crop, taken as RGB, is more red or more blue."""
    model = keras.Sequential([
        keras.Input((48, 48, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.layers[-1].set_weights([np.array([[0.1, 0.0], [0, 0], [0.0, 0.1]]), np.zeros(2)])
    path = tmp_path_factory.mktemp("model") / "colour.keras"
    save_model(model, ModelCard(class_names=NAMES, image_size=48), path)
    return load_classifier(path)


class Album:
    """Stands where a classifier does and keeps the crops it was shown."""

    def __init__(self, image_size, crop_margin):
        self.card = ModelCard(("a", "b"), image_size, crop_margin=crop_margin)
        self.crops = None

    def predict(self, crops):
        self.crops = crops
        return np.tile(np.float32([0.25, 0.75]), (len(crops), 1))


def tinted(image, channel):
    image = image.copy()
    image[..., channel] = np.maximum(image[..., channel], 200)
    return image


def test_each_face_gets_its_own_verdict(portrait, detector, colour_classifier):
    image = np.hstack([tinted(portrait, 2), tinted(portrait, 0)])  # BGR: red left, blue right
    faces = Pipeline(detector, colour_classifier)(image)
    assert len(faces) == 2
    for face in faces:
        is_left = face.box.right < portrait.shape[1]
        assert face.label == ("reddish" if is_left else "bluish")
        assert sum(face.probabilities) == pytest.approx(1)
        assert face.confidence == max(face.probabilities) > 0.5
        assert face.class_names == NAMES


def test_the_faces_are_those_the_detector_finds(portrait, detector, colour_classifier):
    (box,) = detector.detect(portrait)
    (face,) = Pipeline(detector, colour_classifier)(portrait)
    assert face.box == box


def test_without_faces_there_are_no_verdicts(detector, colour_classifier):
    assert Pipeline(detector, colour_classifier)(np.full((100, 100, 3), 90, np.uint8)) == []


@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
def test_a_crop_shows_the_face_with_the_margin_of_the_card_as_rgb(portrait, detector, margin):
    (box,) = detector.detect(portrait)
    album = Album(64, margin)
    Pipeline(detector, album)(portrait)
    across, down = margin * (box.right - box.left), margin * (box.bottom - box.top)
    height, width = portrait.shape[:2]
    left, right = max(0, box.left - across), min(width, box.right + across)
    top, bottom = max(0, box.top - down), min(height, box.bottom + down)
    cut = portrait[round(top) : round(bottom), round(left) : round(right)]
    expected = cv2.resize(cut, (64, 64), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert album.crops.shape == (1, 64, 64, 3) and album.crops.dtype == np.uint8
    assert np.abs(album.crops[0].astype(int) - expected).mean() < 2


def test_the_threshold_of_the_card_says_which_verdicts_are_sure(portrait, detector):
    for threshold, is_sure in ((None, True), (0.75, True), (0.76, False)):
        album = Album(32, 0.0)  # always 0.75 sure
        thresholds = {} if threshold is None else {"not_sure": threshold}
        album.card = dataclasses.replace(album.card, thresholds=thresholds)
        (face,) = Pipeline(detector, album)(portrait)
        assert (face.is_sure, face.label, face.probabilities) == (is_sure, "b", (0.25, 0.75))


def test_what_is_hardly_likelier_than_its_opposite_is_no_verdict(portrait, detector):
    """Whatever the card says: of boxes around no face many are judged so."""
    for probability, is_sure in ((0.69, False), (0.71, True)):
        for thresholds in ({}, {"not_sure": 0.0}, {"not_sure": 0.6}):
            album = Album(32, 0.0)
            album.card = dataclasses.replace(album.card, thresholds=thresholds)
            album.predict = lambda crops, p=probability: np.full((len(crops), 2), (1 - p, p))
            (face,) = Pipeline(detector, album)(portrait)
            assert (face.is_sure, face.label) == (is_sure, "b")


def frames_of(image, count, is_still=False):
    return [Frame(image, index, index / 25, "clip", is_still) for index in range(count)]


class Counting:
    """Stands where a classifier does: always sure, and counts the crops it was asked about."""

    card = ModelCard(("a", "b"), 32)
    asked = 0

    def predict(self, crops):
        self.asked += len(crops)
        return np.tile(np.float32([0.01, 0.99]), (len(crops), 1))


def tracking(detector, classifier, **options):
    return TrackingPipeline(Pipeline(detector, classifier), TrackingOptions(**options))


def test_a_face_that_stays_keeps_its_number_and_is_classified_now_and_then(portrait, detector):
    classifier = Counting()
    judge = tracking(detector, classifier, every=10, first_verdicts=3)
    boxes = detector.detect(portrait)
    for frame in frames_of(portrait, 24):
        (face,) = judge(frame)
        assert (face.track_id, face.label, face.is_sure) == (1, "b", True)
        assert [face.box] == boxes
    assert 3 + 2 <= classifier.asked <= 3 + 3  # at first, then every tenth frame


def test_every_frame_is_classified_where_that_is_asked_for(portrait, detector):
    classifier = Counting()
    judge = tracking(detector, classifier, every=1)
    assert all(len(judge(frame)) == 1 for frame in frames_of(portrait, 8))
    assert classifier.asked == 8


def test_only_those_who_are_due_are_cut_out_and_the_right_ones(
    portrait, detector, colour_classifier
):
    """A second face joins: it alone is judged, and each keeps the verdict of its own crop."""
    red, blue = tinted(portrait, 2), tinted(portrait, 0)  # BGR
    judge = tracking(detector, colour_classifier, every=100, every_s=100.0)
    alone, both = np.hstack([red, np.full_like(blue, 90)]), np.hstack([red, blue])
    images = [alone] * 5 + [both] * 5
    frames = [Frame(image, index, index / 25, "clip") for index, image in enumerate(images)]
    answers = [judge(frame) for frame in frames]
    assert [len(faces) for faces in answers] == [1] * 5 + [2] * 5
    for faces in answers:
        for face in faces:
            is_left = face.box.right < portrait.shape[1]
            assert face.label == ("reddish" if is_left else "bluish")
            assert face.track_id == (1 if is_left else 2)


def test_photos_are_judged_one_by_one(portrait, detector):
    classifier = Counting()
    judge = tracking(detector, classifier)
    for frame in frames_of(portrait, 6, is_still=True):
        assert [face.track_id for face in judge(frame)] == [None]
    assert classifier.asked == 6


def test_the_stages_are_measured_once_per_frame(portrait, detector):
    profile = Profile()
    pipeline = Pipeline(detector, Counting(), profile=profile)
    judge = TrackingPipeline(pipeline)
    for frame in frames_of(portrait, 3):
        judge(frame)
    assert list(profile.milliseconds) == ["detect", "track", "classify"]
    assert profile.milliseconds["detect"][0] > profile.milliseconds["track"][0] > 0
