"""Faces that fill a picture and faces in a crowd are found by looking at several sizes."""

import json

import cv2
import numpy as np
import pytest

from mask_detector.detection_scores import iou_of
from mask_detector.face_boxes import edges_of
from mask_detector.face_detectors import open_detector
from mask_detector.pyramid import PyramidDetector, open_pyramid
from mask_detector.types import FaceBox

PICTURE = np.zeros((400, 400, 3), np.uint8)


class Found:
    """A detector that has found some boxes already, and counts its looks."""

    def __init__(self, *boxes):
        self.boxes, self.looks = list(boxes), 0

    def detect(self, image):
        self.looks += 1
        return self.boxes


def box(left, top, side, score):
    return FaceBox(left, top, left + side, top + side, score)


@pytest.fixture(scope="module")
def pyramid(face_folder):
    return open_pyramid("ssd-opencv", folder=face_folder, confidence=0.25, detect_size=400)


@pytest.fixture(scope="module")
def single(face_folder):
    return open_detector("ssd-opencv", folder=face_folder, confidence=0.25, detect_size=400)


def test_what_finer_looks_say_of_large_faces_does_not_count():
    face, half, small = box(100, 100, 200, 0.8), box(200, 200, 160, 0.9), box(0, 0, 30, 0.6)
    looks = {200: Found(face), 400: Found(half), 800: Found(half, small)}
    assert PyramidDetector(looks).detect(PICTURE) == [face, small]
    assert PyramidDetector({400: Found(half)}).detect(PICTURE) == [half]  # the coarsest may


def test_of_two_looks_at_one_face_the_surer_stays():
    coarse, fine = box(10, 10, 60, 0.5), box(14, 12, 60, 0.9)
    other = box(300, 300, 60, 0.7)
    looks = {200: Found(coarse), 400: Found(fine, other), 800: Found()}
    assert PyramidDetector(looks).detect(PICTURE) == [fine, other]
    assert PyramidDetector({200: Found(), 400: Found()}).detect(PICTURE) == []


def test_a_face_that_all_looks_see_is_surer_than_what_one_takes_for_a_face():
    face, thing = box(10, 10, 60, 0.6), box(300, 300, 60, 0.9)
    again = box(12, 10, 60, 0.3)
    looks = {200: Found(again), 400: Found(face, thing), 800: Found(face)}
    found = PyramidDetector(looks, confidence=0.5, say_of_all=0.5).detect(PICTURE)
    assert [b.edges for b in found] == [thing.edges, face.edges]
    assert [b.score for b in found] == pytest.approx([0.45 + 0.3 / 2, 0.3 + 0.5 / 2])
    assert len(PyramidDetector(looks, 0.58, 0.5).detect(PICTURE)) == 1
    assert PyramidDetector(looks, 0.59, 0.0).detect(PICTURE) == [thing, face]


def test_only_looks_that_show_a_face_at_a_size_that_can_be_seen_have_a_say():
    small, large = box(10, 10, 24, 0.6), box(190, 190, 200, 0.8)
    looks = {200: Found(large), 400: Found(small), 800: Found()}  # half, once and twice the size
    scores = {
        found.width: found.score
        for found in PyramidDetector(looks, say_of_all=1.0).detect(PICTURE)
    }  # fmt: skip
    assert scores == pytest.approx({24: 0.6 / 2, 200: 0.8})


def test_a_picture_of_few_pixels_is_not_enlarged_for_nothing():
    looks = {200: Found(), 400: Found(), 800: Found()}
    PyramidDetector(looks).detect(np.zeros((150, 150, 3), np.uint8))
    assert [found.looks for found in looks.values()] == [1, 1, 0]
    PyramidDetector(looks).detect(np.zeros((40, 40, 3), np.uint8))
    assert [found.looks for found in looks.values()] == [2, 1, 0]  # once at least


def test_a_face_that_fills_the_photo_is_one_face(pyramid, single, close_up):
    photo, drawn = close_up
    assert len(single.detect(photo)) > 1
    (found,) = pyramid.detect(photo)
    assert iou_of(edges_of([found]), drawn)[0, 0] > 0.8


def test_a_face_in_the_distance_is_found(pyramid, single, portrait):
    distant = np.full((900, 1200, 3), 128, np.uint8)
    small = cv2.resize(portrait, (85, 100), interpolation=cv2.INTER_AREA)
    distant[400:500, 700:785] = small
    assert single.detect(distant) == []
    (found,) = pyramid.detect(distant)
    drawn = np.array([[160, 80, 370, 380]]) / 6 + (700, 400, 700, 400)
    assert iou_of(edges_of([found]), drawn)[0, 0] > 0.5


def test_photos_are_looked_at_so_and_video_where_it_is_asked_for(run, close_up, tmp_path):
    photo = tmp_path / "close.png"
    cv2.imwrite(str(photo), close_up[0])

    def faces_in_photo(*options):
        done = run("-m", "mask_detector", "image", photo, "--json", *options)
        assert done.returncode == 0, done.stderr
        return len(json.loads(done.stdout)["faces"])

    assert (faces_in_photo(), faces_in_photo("--no-pyramid")) == (1, 2)

    def faces_in_video(*options):
        options = ("--source", photo, "--no-display", "--detect-size", "400", *options)
        done = run("detect_mask_video.py", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert "1 frame, 2 faces" in faces_in_video()
    assert "1 frame, 1 face" in faces_in_video("--pyramid")
