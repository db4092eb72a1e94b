"""Faces that are too small or cut off: no verdict on them is sure, whatever the model says."""

import cv2
import numpy as np
import pytest
from conftest import SHIPPED_MODEL
from test_pipeline import Counting

from benchmarks.unclear_faces import cut_off
from mask_detector.face_boxes import clean_boxes
from mask_detector.pipeline import Pipeline, TrackingPipeline
from mask_detector.types import EDGES, LEAST_FACE_SIDE, LEAST_FACE_VISIBLE, FaceBox, Frame

IMAGE = np.zeros((240, 320, 3), np.uint8)


class Seeing:
    """Stands where a detector does: finds what it was told."""

    def __init__(self, *boxes):
        self.boxes = list(boxes)

    def detect(self, image):
        return self.boxes


@pytest.mark.parametrize(
    "edges, visible",
    [
        ((10, 10, 50, 60), 1.0),
        ((-10, 10, 30, 60), 0.75),
        ((300, 10, 340, 60), 0.5),
        ((-10, -25, 30, 25), 0.375),
        ((-100, -100, 420, 340), 320 * 240 / (520 * 440)),
    ],
)
def test_a_box_knows_which_part_of_it_the_picture_shows(edges, visible):
    (box,) = clean_boxes(np.array([edges], float), np.array([0.9]), 0.5, 320, 240)
    assert box.visible == pytest.approx(visible)
    drawn = np.zeros((640, 640), np.uint8)  # an independent count, of pixels
    left, top, right, bottom = (edge + 150 for edge in edges)
    drawn[top:bottom, left:right] = 1
    assert box.visible == pytest.approx(drawn[150:390, 150:470].sum() / drawn.sum())
    assert box.within(320, 240).visible == box.visible  # clipped twice is clipped once


@pytest.mark.parametrize("is_tracked", [False, True])
@pytest.mark.parametrize(
    "box, is_clear",
    [
        (FaceBox(0, 0, 60, 60, 0.9), True),
        (FaceBox(0, 0, 60, 60, 0.9, LEAST_FACE_VISIBLE), True),
        (FaceBox(0, 0, 60, 60, 0.9, LEAST_FACE_VISIBLE - 0.01), False),
        (FaceBox(0, 0, LEAST_FACE_SIDE, 60, 0.9), True),
        (FaceBox(0, 0, LEAST_FACE_SIDE - 1, 60, 0.9), False),
        (FaceBox(0, 0, 60, LEAST_FACE_SIDE - 1, 0.9), False),
    ],
)
def test_a_verdict_on_a_face_that_is_not_clear_is_not_sure(box, is_clear, is_tracked):
    pipeline = Pipeline(Seeing(box), Counting())
    judge = TrackingPipeline(pipeline) if is_tracked else pipeline.judge_frame
    for index in range(5):
        (face,) = judge(Frame(IMAGE, index, index / 25, "clip"))
        assert (face.is_sure, face.label, face.confidence) == (is_clear, "b", pytest.approx(0.99))


def test_the_least_size_is_chosen_by_the_user():
    for least_side, is_sure in ((60, True), (61, False)):
        pipeline = Pipeline(Seeing(FaceBox(0, 0, 60, 90, 0.9)), Counting(), least_side=least_side)
        assert pipeline(IMAGE)[0].is_sure == is_sure


def test_a_real_face_that_walks_out_of_the_picture_loses_its_verdict(portrait, run, tmp_path):
    """Through the command line: the whole portrait is sure, its lower edge at the mouth is not."""
    cv2.imwrite(str(tmp_path / "whole.png"), portrait)
    cv2.imwrite(str(tmp_path / "cut.png"), portrait[:215])
    done = run("-m", "mask_detector", "image", tmp_path / "whole.png", tmp_path / "cut.png",
               "--model", SHIPPED_MODEL)  # fmt: skip
    lines = dict(line.rsplit("/", 1)[1].split(": ", 1) for line in done.stdout.splitlines())
    assert lines["whole.png"].startswith("No Mask") and lines["cut.png"].startswith("Not sure")


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("part", [0.9, 0.5])
def test_the_benchmark_cuts_a_face_off_where_it_says(edge, part):
    image, box = (
        np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8),
        FaceBox(40, 30, 80, 90, 1.0),
    )
    cut, shown = cut_off(image, box, edge, part)
    assert shown.visible == pytest.approx(part)
    width, height = box.width, box.height
    kept = image[30:90, 40:80]
    kept = {
        "left": kept[:, round(width * (1 - part)) :],
        "right": kept[:, : width - round(width * (1 - part))],
        "top": kept[round(height * (1 - part)) :],
        "bottom": kept[: height - round(height * (1 - part))],
    }[edge]
    seen = cut[shown.top : shown.bottom, shown.left : shown.right]
    np.testing.assert_array_equal(seen, kept)
    at_edge = {"left": 0, "top": 0, "right": cut.shape[1], "bottom": cut.shape[0]}
    assert getattr(shown, edge) == at_edge[edge]
