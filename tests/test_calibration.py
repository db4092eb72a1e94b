"""Temperature and threshold, judged by brute force, scikit-learn and what must never change."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mask_detector.calibration import (
    HIGHEST_THRESHOLD,
    TEMPERATURE_RANGE,
    apply_temperature,
    fit_temperature,
    not_sure_threshold,
    reliability_bins,
    softmax,
)
from mask_detector.evaluation import calibration_error


def made_up_answers(temperature, n=4000, classes=3, seed=0, spread=2.0):
    """Labels drawn from true probabilities, and answers whose logits are `temperature` times
    as large: so much too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (n, classes))
    true = softmax(logits)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return softmax(logits * temperature).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5, 6.0])
def test_the_temperature_is_the_one_a_grid_search_finds(temperature, classes):
    answers, labels = made_up_answers(temperature, n=1500, classes=classes)
    grid = np.geomspace(*TEMPERATURE_RANGE, 400)
    tried = answers.astype(np.float64)
    losses = [
        log_loss(labels, tried ** (1 / t) / (tried ** (1 / t)).sum(axis=1, keepdims=True))
        for t in grid
    ]
    best = grid[np.argmin(losses)]
    found = fit_temperature(answers, labels)
    assert found == pytest.approx(best, rel=0.01)
    assert found == pytest.approx(temperature, rel=0.15)  # the one they were made with


@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_calibrated_answers_say_how_often_they_are_right(temperature):
    answers, labels = made_up_answers(temperature)
    half = len(labels) // 2
    found = fit_temperature(answers[:half], labels[:half])
    before = calibration_error(answers[half:], labels[half:])
    after = calibration_error(apply_temperature(answers[half:], found), labels[half:])
    assert before > 0.1 and after < before / 3 and after < 0.03


@pytest.mark.parametrize("temperature", [0.25, 0.7, 1.8, 10.0])
def test_no_verdict_changes_and_each_row_stays_a_distribution(temperature):
    answers, _ = made_up_answers(2.0, n=500)
    calibrated = apply_temperature(answers, temperature)
    assert calibrated.dtype == np.float32 and calibrated.shape == answers.shape
    np.testing.assert_array_equal(calibrated.argmax(axis=1), answers.argmax(axis=1))
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, atol=1e-6)
    surer = (calibrated.max(axis=1) - answers.max(axis=1)) * (1 - temperature)
    assert (surer >= -1e-6).all()  # below 1 nothing gets less sure, above 1 nothing surer


def test_temperature_one_leaves_every_bit_alone():
    answers = np.float32([[0.1, 0.9], [0.3, 0.7000001], [0, 1], [1e-40, 1]])
    assert apply_temperature(answers, 1.0).tobytes() == answers.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [0.25, 3.0])
def test_answers_of_zero_and_one_stay_finite(dtype, temperature):
    answers = np.array([[0, 1], [1, 0], [0.5, 0.5], [1e-45, 1]], dtype)
    with np.errstate(all="raise", under="ignore"):
        calibrated = apply_temperature(answers, temperature)
    assert calibrated.dtype == dtype and np.isfinite(calibrated).all()
    np.testing.assert_allclose(calibrated[2], 0.5)
    assert calibrated[0, 1] > 0.999999 and calibrated[1, 0] > 0.999999
    assert 0 < fit_temperature(answers, np.array([0, 0, 0, 1])) < np.inf


@pytest.mark.parametrize(
    "answers, labels",
    [
        (np.empty((0, 2)), []),
        ([[0.9, 0.1]], [0]),
        ([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 0]),  # every verdict right
        ([[0.5, 0.5], [0.5, 0.5]], [0, 1]),  # no temperature makes a difference
    ],
    ids=["none", "one", "all right", "undecided"],
)
def test_where_nothing_can_be_learned_the_temperature_is_one(answers, labels):
    assert fit_temperature(np.array(answers), np.array(labels, int)) == 1.0


def test_hopeless_answers_reach_the_highest_temperature_and_no_more():
    answers = np.tile(np.float32([[0.999, 0.001]]), (20, 1))
    assert fit_temperature(answers, np.ones(20, int)) == pytest.approx(TEMPERATURE_RANGE[1], 1e-3)


def threshold_by_trying(probabilities, labels, least_accuracy):
    """The lowest confidence from which on the verdicts are right often enough; all tried."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    for threshold in sorted({0.0, *confidence.tolist()}):
        if right[confidence >= threshold].mean() >= least_accuracy:
            return min(threshold, HIGHEST_THRESHOLD)
    return HIGHEST_THRESHOLD


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("least_accuracy", [0.7, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("n", [1, 7, 300])
def test_the_threshold_is_the_lowest_that_keeps_the_promise(n, least_accuracy, seed):
    answers, labels = made_up_answers(1.0, n=n, seed=seed, spread=3.0)
    answers = answers.round(2)  # so that many are equally sure
    found = not_sure_threshold(answers, labels, least_accuracy)
    assert found == pytest.approx(threshold_by_trying(answers, labels, least_accuracy))
    kept = answers.max(axis=1) >= found
    if 0 < found < HIGHEST_THRESHOLD:
        assert (answers.argmax(axis=1) == labels)[kept].mean() >= least_accuracy


def test_without_photos_or_without_a_mistake_every_verdict_is_given():
    assert not_sure_threshold(np.empty((0, 2)), np.empty(0, int)) == 0.0
    answers, _ = made_up_answers(1.0, n=50)
    assert not_sure_threshold(answers, answers.argmax(axis=1)) == 0.0


def test_a_promise_that_cannot_be_kept_gives_the_highest_threshold():
    answers = np.float32([[0.999, 0.001], [0.2, 0.8]])
    assert not_sure_threshold(answers, np.array([1, 0])) == HIGHEST_THRESHOLD


@pytest.mark.parametrize("bins", [1, 15])
def test_the_bins_hold_every_verdict_and_give_the_calibration_error(bins):
    answers, labels = made_up_answers(3.0, n=777)
    counts, confidence, accuracy = reliability_bins(answers, labels, bins)
    assert len(counts) == len(confidence) == len(accuracy) == bins and counts.sum() == 777
    error = (abs(confidence - accuracy) * counts).sum() / counts.sum()
    assert error == pytest.approx(calibration_error(answers, labels, bins), abs=1e-6)
    right = (answers.argmax(axis=1) == labels).mean()
    assert (accuracy * counts).sum() / 777 == pytest.approx(right)
