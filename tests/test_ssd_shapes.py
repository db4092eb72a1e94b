"""In which shape the SSD sees a picture, and that it is the SSD of that shape which answers."""

import dataclasses

import cv2
import numpy as np
import pytest

from mask_detector.assets import SSD_PROTOTXT, SSD_WEIGHTS
from mask_detector.detection_scores import iou_of
from mask_detector.face_boxes import BoxAdjustment, edges_of, without_parts
from mask_detector.face_detectors import open_detector
from mask_detector.ssd.opencv import SsdDetector
from mask_detector.ssd.shapes import ASPECTS, seen_shape, shape_of
from mask_detector.types import FaceBox


@pytest.fixture
def paths(face_folder):
    return face_folder / SSD_PROTOTXT.name, face_folder / SSD_WEIGHTS.name


@pytest.fixture
def wide(portrait):
    """The portrait between grey walls, 16:9."""
    wall = np.full((portrait.shape[0], portrait.shape[0] * 16 // 9, 3), 128, np.uint8)
    wall[:, 200 : 200 + portrait.shape[1]] = portrait
    return wall


@pytest.mark.parametrize(
    ("picture", "seen"),
    [
        ((640, 480), (344, 256)),
        ((1280, 720), (400, 224)),
        ((720, 1280), (224, 400)),
        ((480, 640), (256, 344)),
        ((700, 690), (300, 300)),
        ((5000, 10), (400, 224)),
        ((1, 1), (300, 300)),
    ],
)
def test_a_camera_picture_keeps_its_shape(picture, seen):
    assert seen_shape(*picture, 300) == seen


@pytest.mark.parametrize("size", [64, 300, 400, 1000])
@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_shape_has_about_as_many_pixels(aspect, size):
    width, height = shape_of(aspect, size)
    assert width * height == pytest.approx(size**2, rel=0.08)
    assert width / height == pytest.approx(aspect, rel=0.08)


def test_the_nearest_shape_is_the_one_that_stretches_least():
    rng = np.random.default_rng(0)
    for width, height in rng.integers(1, 3000, (200, 2)):
        chosen = seen_shape(int(width), int(height), 4000)
        stretch = [max(a * height / width, width / (a * height)) for a in ASPECTS]
        assert chosen == shape_of(ASPECTS[int(np.argmin(stretch))], 4000)


def test_a_wide_picture_is_judged_by_the_wide_network(paths, face_folder, wide):
    finder = open_detector("ssd-opencv", folder=face_folder, confidence=0.05, detect_size=300)
    upright = np.ascontiguousarray(wide.transpose(1, 0, 2))
    # One detector serves pictures of several shapes, in any order.
    for picture, size in ((wide, (400, 224)), (upright, (224, 400)), (wide, (400, 224))):
        expected = SsdDetector(*paths, 0.05, size).detect(picture)
        assert finder.detect(picture) == without_parts(expected) != []


def test_a_box_within_a_surer_one_or_small_beside_it_is_a_part_of_the_face():
    face, eye = FaceBox(0, 0, 100, 100, 0.9), FaceBox(10, 20, 40, 40, 0.8)
    behind, hair = FaceBox(60, 0, 160, 100, 0.7), FaceBox(-20, 10, 30, 60, 0.6)  # 40 %, 60 % in it
    assert without_parts([face, eye, behind, hair]) == [face, behind, hair]
    surer_eye = dataclasses.replace(eye, score=0.95)
    assert without_parts([surer_eye, face]) == [surer_eye, face]  # the face is not within it
    assert without_parts([]) == []
    ear, neighbour = FaceBox(95, 40, 125, 80, 0.5), FaceBox(95, 30, 155, 90, 0.5)  # .3, .6 its side
    child = FaceBox(135, 40, 165, 80, 0.5)  # as small as an ear, but further away
    assert without_parts([face, ear, neighbour, child]) == [face, neighbour, child]


def test_the_coarsest_grid_of_boxes_is_spread_over_the_picture(paths, portrait):
    """Five cells a side at 300 pixels, with four boxes around the middle of each."""
    priors = SsdDetector(*paths, 0.5, (300, 300)).raw_answer(portrait).priors[-100:]
    middles = (priors[:, :2] + priors[:, 2:]) / 2
    places = (np.arange(5) + 0.5) / 5
    rows = [(x, y) for y in places for x in places for _ in range(4)]
    np.testing.assert_allclose(middles, rows, atol=1e-6)


def test_a_face_that_fills_the_picture_is_found_where_it_is(paths, close_up):
    """Tutorials' boxes, laid out as the network's description says, miss it by half its size."""
    photo, drawn = close_up

    def overlap(**how):
        surest = SsdDetector(*paths, 0.5, (300, 300), **how).detect(photo)[:1]
        return iou_of(edges_of(surest), drawn)[0, 0]

    assert overlap() > 0.8
    assert overlap(keeps_steps=True) < 0.4


def test_raw_boxes_are_those_of_tutorials(paths, face_folder, wide):
    """A square, and boxes as they come, by OpenCV's documented recipe."""
    raw = open_detector(
        "ssd-opencv", folder=face_folder, confidence=0.5, detect_size=300, is_adjusted=False
    )
    assert raw.adjustment == BoxAdjustment()
    network = cv2.dnn.readNetFromCaffe(*map(str, paths))
    network.setInput(cv2.dnn.blobFromImage(wide, 1.0, (300, 300), (104.0, 177.0, 123.0)))
    best = max(network.forward()[0, 0], key=lambda row: row[2])
    height, width = wide.shape[:2]
    edges = np.rint(best[3:7] * (width, height, width, height)).astype(int).tolist()
    (box,) = raw.detect(wide)
    assert list(dataclasses.astuple(box)[:4]) == edges
