"""The parts of a face's crop, and heat painted into them."""

import re

import numpy as np
import pytest

from benchmarks.heat_share import blob, face_parts, mean_with_interval, shares_of
from mask_detector.types import FaceBox, Sample

UNIFORM = np.ones((1, 1), np.float32)


def parts_of(box, margin=0.25, size=400):
    return face_parts(Sample(None, 0, 0, FaceBox(*box, 1.0)), size, size, margin)


def test_parts_are_halves_of_the_box_and_what_lies_around_it():
    parts = parts_of((100, 100, 200, 240))
    assert (parts.sum(axis=0) == 1).all()
    shares = shares_of(UNIFORM, parts)
    assert shares == pytest.approx([0.5 / 2.25, 0.5 / 2.25, 1 - 1 / 2.25], abs=0.01)


def test_at_the_photos_edge_parts_are_those_that_it_shows():
    lower, upper, around = shares_of(UNIFORM, parts_of((-50, 0, 150, 100), margin=0.0))
    assert (lower, upper, around) == pytest.approx((0.5, 0.5, 0), abs=0.01)
    lower, upper, around = shares_of(UNIFORM, parts_of((100, 300, 200, 500)))  # 100 pixels of 200
    assert (lower, upper) == pytest.approx((50 / 150 / 1.5, 50 / 150 / 1.5), abs=0.01)


def test_heat_counts_where_it_is_and_only_what_speaks_for_the_class():
    parts = parts_of((100, 100, 200, 200), margin=0.0)
    assert shares_of(np.array([[-9.0], [0.0], [0.0], [3.0]]), parts)[0] == 1
    assert shares_of(np.array([[5.0], [0.0], [0.0], [-3.0]]), parts)[1] == 1
    assert shares_of(-UNIFORM, parts) is None
    lower, upper, around = shares_of(blob(), parts_of((100, 100, 200, 200)))
    assert lower == pytest.approx(upper) and lower > 0.3 > around


def test_the_interval_draws_photos_not_faces():
    values = np.array([0.0] * 50 + [1.0] * 50)
    alone = mean_with_interval(values, [str(i) for i in range(100)])
    low, high = (float(text) for text in re.findall(r"(\d+\.\d)%", alone)[1:])
    assert low == pytest.approx(40.2, abs=2) and high == pytest.approx(59.8, abs=2)  # binomial
    assert mean_with_interval(values, ["a"] * 50 + ["b"] * 50) == "50.0% (0.0%-100.0%)"
