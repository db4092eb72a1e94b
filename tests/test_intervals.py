"""Intervals against published ones, against theory, and scores against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from mask_detector.evaluation import calibration_error
from mask_detector.intervals import Estimate, estimate_scores, proportion


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(successes, n, low, high):
    found = proportion(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_unknown():
    assert proportion(0, 0) == Estimate(None, None, None, 0)
    assert Estimate(None, None, None, 0).text().split() == ["-", "---", "0"]


def made_up(seed, class_count, n=240):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, class_count, n)
    powers = np.exp(rng.normal(0, 1.2, (n, class_count)) + np.eye(class_count)[labels] * 1.5)
    return powers / powers.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("class_count", [2, 3, 5])
def test_every_score_equals_scikit_learns_and_lies_in_its_interval(class_count):
    probabilities, labels = made_up(class_count, class_count)
    scores = estimate_scores(probabilities, labels, np.arange(len(labels)))
    answers = probabilities.argmax(axis=1)
    assert scores.accuracy.value == pytest.approx((answers == labels).mean())
    assert scores.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(labels, answers))
    assert scores.calibration_error.value == pytest.approx(calibration_error(probabilities, labels))
    for mine, theirs in (
        (scores.recall, recall_score),
        (scores.precision, precision_score),
        (scores.f1, f1_score),
    ):
        expected = theirs(labels, answers, average=None)
        np.testing.assert_allclose([estimate.value for estimate in mine], expected)
    per_class = (*scores.recall, *scores.precision, *scores.f1)
    for estimate in (scores.accuracy, scores.balanced_accuracy, *per_class):
        assert estimate.low < estimate.value < estimate.high
    assert [estimate.n for estimate in scores.recall] == np.bincount(labels).tolist()
    assert [estimate.n for estimate in scores.precision] == np.bincount(answers).tolist()


def test_a_bootstrapped_precision_agrees_with_theory_where_pictures_are_independent():
    probabilities, labels = made_up(1, 2, n=2000)
    found = estimate_scores(probabilities, labels, np.arange(2000)).precision[0]
    spread = 1.96 * np.sqrt(found.value * (1 - found.value) / found.n)
    assert (found.high - found.low) / 2 == pytest.approx(spread, rel=0.1)


def test_pictures_of_one_group_count_as_one_draw():
    probabilities, labels = made_up(2, 2, n=100)
    alone = estimate_scores(probabilities, labels, np.arange(100))
    nine_times = estimate_scores(
        np.repeat(probabilities, 9, axis=0), np.repeat(labels, 9), np.repeat(np.arange(100), 9)
    )
    for one, nine in (
        (alone.balanced_accuracy, nine_times.balanced_accuracy),
        (alone.f1[1], nine_times.f1[1]),
        (alone.calibration_error, nine_times.calibration_error),
    ):
        assert (nine.value, nine.low, nine.high) == pytest.approx((one.value, one.low, one.high))


def test_the_seed_decides_the_intervals():
    probabilities, labels = made_up(3, 3)
    first, again, other = (
        estimate_scores(probabilities, labels, np.arange(len(labels)), seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_without_a_mistake_no_interval_claims_to_be_certain():
    labels = np.array([0, 1] * 10)
    scores = estimate_scores(np.eye(2)[labels], labels, np.arange(20))
    assert scores.balanced_accuracy == Estimate(1.0, None, None, 20)
    assert scores.precision == scores.recall  # Wilson's 10 of 10
    assert scores.precision[0].low == pytest.approx(0.7225, abs=1e-4)


def test_classes_never_shown_or_answered_have_no_score():
    labels = np.array([0, 1, 0, 1, 1])
    scores = estimate_scores(np.eye(4)[[0, 1, 1, 1, 2]], labels, np.arange(5))
    assert scores.balanced_accuracy.value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores.recall[2] == scores.recall[3] == proportion(0, 0)
    assert (scores.precision[2].value, scores.precision[3].value) == (0.0, None)
    assert scores.f1[3].value is None
