"""The live loop: what the classifier is shown, whose verdict is whose, and when the loop ends."""

import dataclasses

import cv2
import numpy as np
import pytest

from mask_detector.face_detectors import open_detector
from mask_detector.mask_classifiers import load_classifier
from mask_detector.model_file import save_model
from mask_detector.pipeline import Pipeline, watch
from mask_detector.sinks import FrameSink, TallySink
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


class Watcher(FrameSink):
    """Keeps what it is given; has had enough after `patience` frames."""

    def __init__(self, patience=10**9):
        self.frames, self.faces, self._patience = [], [], patience

    def write(self, frame, faces):
        self.frames.append(frame)
        self.faces.append(faces)
        self.wants_stop = len(self.frames) >= self._patience


def frames_of(image, count):
    return [Frame(image, index, index / 25, "clip") for index in range(count)]


def test_every_sink_gets_every_frame_with_its_faces(portrait, detector, colour_classifier):
    first, second = Watcher(), TallySink()
    frames = frames_of(portrait, 3)
    watch(frames, Pipeline(detector, colour_classifier), [first, second])
    assert all(got is given for got, given in zip(first.frames, frames, strict=True))
    assert [len(faces) for faces in first.faces] == [1, 1, 1]
    assert second.frame_count == 3 and second.face_counts.total() == 3


def test_the_loop_ends_when_one_sink_has_had_enough(detector):
    frames = iter(frames_of(np.full((60, 80, 3), 90, np.uint8), 10))
    patient, impatient, last = Watcher(), Watcher(patience=4), Watcher()
    watch(frames, Pipeline(detector, Album(32, 0.0)), [patient, impatient, last])
    assert len(patient.frames) == len(impatient.frames) == len(last.frames) == 4
    assert next(frames).index == 4  # no frame was read in vain


@pytest.mark.parametrize("width", [256, 1000])
def test_scaled_frames_and_their_boxes_fit_together(portrait, detector, width):
    given = frames_of(portrait, 1)
    watcher = Watcher()
    watch(given, Pipeline(detector, Album(32, 0.0)), [watcher], width=width)
    (frame,), ((face,),) = watcher.frames, watcher.faces
    scale = width / portrait.shape[1]
    assert frame.image.shape[1] == width
    assert frame.image.shape[0] == pytest.approx(portrait.shape[0] * scale, abs=1)
    assert (frame.index, frame.time_s, frame.source) == (0, 0.0, "clip")
    (box,) = detector.detect(portrait)
    edges = np.array([box.left, box.top, box.right, box.bottom]) * scale
    found = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    np.testing.assert_allclose(found, edges, atol=0.05 * width)
    assert given[0].image is portrait
