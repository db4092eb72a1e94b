"""Areas against scikit-learn and against counting pairs by hand; the picture by its pixels."""

import itertools
import os
import warnings

import cv2
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mask_detector.curve_plot import plot_curves
from mask_detector.curves import curves_of

NAMES = ("def_front", "ok_front", "наполовину")


def made_up(seed, class_count, n=150):
    """Probabilities that are right more often than not, and labels; some are equal."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, class_count, n)
    logits = rng.normal(0, 1.5, (n, class_count)).round(1)
    logits[np.arange(n), labels] += 1
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("class_count", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_areas_are_scikit_learns_of_each_class_against_the_rest(seed, class_count):
    probabilities, labels = made_up(seed, class_count)
    curves = curves_of(probabilities, labels, NAMES[:class_count])
    assert [curve.class_name for curve in curves] == list(NAMES[:class_count])
    one_hot = np.eye(class_count)[labels]
    roc = roc_auc_score(one_hot, probabilities, average=None)
    precision_recall = average_precision_score(one_hot, probabilities, average=None)
    assert [c.roc_area for c in curves] == pytest.approx(list(roc))
    assert [c.average_precision for c in curves] == pytest.approx(list(precision_recall))
    assert [c.share for c in curves] == pytest.approx(list(one_hot.mean(axis=0)))


def test_the_roc_area_is_how_often_a_pair_is_ranked_right():
    probabilities, labels = made_up(7, 2, n=40)
    pairs = itertools.product(probabilities[labels == 1, 1], probabilities[labels == 0, 1])
    wins = [1.0 if own > other else 0.5 * (own == other) for own, other in pairs]
    assert curves_of(probabilities, labels, NAMES[:2])[1].roc_area == pytest.approx(np.mean(wins))


def test_points_of_the_curves_are_as_counted_by_hand():
    scores = np.array([0.9, 0.8, 0.6, 0.3])
    labels = np.array([1, 0, 1, 0])
    curve = curves_of(np.stack([1 - scores, scores], 1), labels, ("other", "own"))[1]
    points = set(zip(curve.false_positive_rate, curve.true_positive_rate, strict=True))
    assert {(0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)} <= points
    points = set(zip(curve.recall, curve.precision.round(3), strict=True))
    assert {(0.5, 1.0), (0.5, 0.5), (1.0, 0.667), (1.0, 0.5)} <= points
    assert curve.areas() == {"roc_area": 0.75, "average_precision": pytest.approx(5 / 6)}


def test_where_a_class_is_missing_there_is_no_area():
    probabilities, _ = made_up(0, 3)
    curves = curves_of(probabilities, np.arange(150) % 2, NAMES)
    assert curves[2].areas() == {"roc_area": None, "average_precision": None}
    assert curves[0].roc_area is not None and curves[2].share == 0
    alone = curves_of(probabilities[:, :2], np.zeros(150, int), NAMES[:2])
    assert [curve.roc_area for curve in alone] == [None, None]


def part_of_colour(picture, blue_green_red):
    return (np.abs(picture.astype(int) - blue_green_red).max(axis=2) <= 20).mean()


@pytest.mark.parametrize("names", [NAMES, ("$a^$", "_hidden", os.fsdecode(b"caf\xe9")), NAMES[:2]])
def test_a_line_per_class_is_drawn_in_both_panels(tmp_path, names):
    curves = curves_of(*made_up(1, len(names)), names)
    plot_curves(curves, tmp_path / "new folder" / "curves.png", "$test_$ photos")
    picture = cv2.imread(str(tmp_path / "new folder" / "curves.png"))
    assert picture.shape == (572, 1100, 3)
    colours = [(180, 119, 31), (14, 127, 255), (44, 160, 44)]  # matplotlib's first, as BGR
    for half in (picture[:, :550], picture[:, 550:]):
        shown = [part_of_colour(half, colour) > 5e-4 for colour in colours]
        assert shown == [index < len(names) for index in range(3)]


def test_the_legend_of_many_classes_stands_below_the_curves(tmp_path):
    rng = np.random.default_rng(0)
    names = tuple(f"{'a very long name of a class ' * 3}{n}" for n in range(12))
    labels = np.arange(240) % 12
    probabilities = rng.dirichlet(np.ones(12), 240) / 2 + np.eye(12)[labels] / 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_curves(curves_of(probabilities, labels, names), tmp_path / "curves.png", "twelve")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape[0] > 700  # taller than for two classes: 572
    is_dark = (picture < 60).all(axis=2)
    rows = np.flatnonzero(is_dark.mean(axis=1) > 0.7 * is_dark.mean(axis=1).max())
    assert 0.5 * picture.shape[0] < np.ptp(rows)  # the axes' frame is not squeezed


def test_without_any_curve_the_picture_is_drawn_all_the_same(tmp_path):
    plot_curves(curves_of(np.eye(2)[[0, 0]], np.zeros(2, int), NAMES[:2]), tmp_path / "c.png", "x")
    assert cv2.imread(str(tmp_path / "c.png")).std() > 5
