"""Scores against scikit-learn one by one, against counting by hand, and against a plain loop."""

import json

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from mask_detector.evaluation import (
    SIZE_NAMES,
    calibration_error,
    evaluate,
    report_text,
    size_of,
)

NAMES = ("with_mask", "without_mask", "mask_weared_incorrect", "other", "d")


def made_up(seed, class_count, n=200):
    """Probabilities that are right more often than not, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, class_count, n)
    logits = rng.normal(0, 1.5, (n, class_count))
    logits[np.arange(n), labels] += 1
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), labels


def binary(*answers):
    """Probabilities of two classes from that of the first."""
    first = np.array(answers, float)
    return np.stack([first, 1 - first], axis=1)


@pytest.mark.parametrize("class_count", [2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_every_score_equals_scikit_learns(seed, class_count):
    probabilities, labels = made_up(seed, class_count)
    report = evaluate(probabilities, labels, NAMES[:class_count])
    predicted = np.array([row.tolist().index(max(row)) for row in probabilities])
    assert report.class_names == NAMES[:class_count]
    assert report.n == 200
    assert report.accuracy == pytest.approx(accuracy_score(labels, predicted))
    np.testing.assert_array_equal(report.confusion_matrix, confusion_matrix(labels, predicted))
    for index, name in enumerate(report.class_names):
        score = report.per_class[name]
        mine, theirs = labels == index, predicted == index
        assert score.precision == pytest.approx(precision_score(mine, theirs))
        assert score.recall == pytest.approx(recall_score(mine, theirs))
        assert score.f1 == pytest.approx(f1_score(mine, theirs))
        assert score.n == mine.sum()


def test_a_small_case_is_as_counted_by_hand():
    #                      right  right  wrong  right  wrong  wrong
    probabilities = binary(0.90, 0.80, 0.30, 0.20, 0.60, 0.55)
    labels = np.array([0, 0, 0, 1, 1, 1])
    report = evaluate(probabilities, labels, ("mask", "none"))
    assert report.confusion_matrix == ((2, 1), (2, 1))  # rows are true classes
    assert report.accuracy == pytest.approx(3 / 6)
    mask, none = report.per_class["mask"], report.per_class["none"]
    assert (mask.precision, mask.recall, mask.n) == pytest.approx((2 / 4, 2 / 3, 3))
    assert (none.precision, none.recall, none.n) == pytest.approx((1 / 2, 1 / 3, 3))
    assert (mask.f1, none.f1) == pytest.approx((4 / 7, 2 / 5))
    # Fifteen bins: .55 and .60 are the 9th and 10th, .70 the 11th, .80 twice the 13th, .90 alone.
    gaps = [0.55 - 0, 0.60 - 0, 0.70 - 0, 2 * abs(0.80 - 1), abs(0.90 - 1)]
    assert report.calibration_error == pytest.approx(sum(gaps) / 6)


def test_a_class_that_is_never_shown_or_never_answered_scores_zero():
    report = evaluate(np.eye(3)[[0, 0, 1, 1]], np.array([0, 0, 1, 0]), ("a", "b", "c"))
    assert report.confusion_matrix == ((2, 1, 0), (0, 1, 0), (0, 0, 0))
    assert report.per_class["c"].n == 0
    assert (report.per_class["c"].precision, report.per_class["c"].recall) == (0, 0)


def test_a_perfect_classifier_has_nothing_but_ones():
    labels = np.array([0, 1, 2, 1])
    report = evaluate(np.eye(3)[labels], labels, ("a", "b", "c"))
    assert report.accuracy == 1
    assert report.calibration_error == 0
    assert all((s.precision, s.recall, s.f1) == (1, 1, 1) for s in report.per_class.values())


def plain_calibration_error(probabilities, labels, bins):
    """The definition of Guo et al. (2017), equations 2, 3 and 5, photo by photo."""
    members = [[] for _ in range(bins)]
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        place = next(b for b in range(bins) if confidence < (b + 1) / bins or b == bins - 1)
        members[place].append((confidence, row.index(confidence) == label))
    error = 0.0
    for photos in filter(None, members):
        confidence = sum(c for c, _ in photos) / len(photos)
        accuracy = sum(right for _, right in photos) / len(photos)
        error += len(photos) / len(labels) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("class_count", [2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_equals_a_plain_loop(seed, class_count, bins):
    probabilities, labels = made_up(seed, class_count, n=137)
    expected = plain_calibration_error(probabilities, labels, bins)
    assert calibration_error(probabilities, labels, bins) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answers", "labels", "error"),
    [
        ([1.0, 1.0, 0.0], [0, 0, 1], 0.0),  # sure and right
        ([1.0, 1.0, 0.0], [1, 1, 0], 1.0),  # sure and wrong
        ([0.8] * 5, [0, 0, 0, 0, 1], 0.0),  # right as often as it says
        ([0.8] * 5, [0] * 5, 0.2),  # too modest
        ([0.9] * 4 + [0.6] * 4, [0, 0, 1, 1, 0, 0, 0, 0], 0.4),  # bins do not make up for others
    ],
)
def test_the_calibration_error_of_plain_cases(answers, labels, error):
    assert calibration_error(binary(*answers), np.array(labels)) == pytest.approx(error)


def test_a_report_becomes_json_and_comes_back():
    report = evaluate(*made_up(0, 3), NAMES[:3])
    back = json.loads(json.dumps(report.to_dict()))
    assert back["n"] == 200
    assert back["accuracy"] == report.accuracy
    assert back["confusion_matrix"] == [list(row) for row in report.confusion_matrix]
    assert back["per_class"]["with_mask"]["recall"] == report.per_class["with_mask"].recall


@pytest.mark.parametrize("class_count", [2, 5])
def test_the_text_names_every_class_score_and_count(class_count):
    probabilities, labels = made_up(1, class_count)
    names = NAMES[:class_count]
    report = evaluate(probabilities, labels, names)
    text = report_text(probabilities, labels, report)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    for name, row in zip(names, report.confusion_matrix, strict=True):
        assert rows[name] == [str(n) for n in row]  # the matrix stands last
        score = report.per_class[name]
        parts = (score.precision, score.recall, score.f1)
        assert any(
            line.split() == [name, *(f"{part:.4f}" for part in parts), str(score.n)]
            for line in text.splitlines()
        )
    assert f"accuracy {report.accuracy:.4f}" in text
    assert f"calibration error {report.calibration_error:.4f}, n = 200" in text


def test_a_face_is_as_large_as_its_shorter_side():
    sides = [0, 15.9, 16, 23, 24, 47, 48, 5000]
    expected = ["<16", "<16", "16-24", "16-24", "24-48", "24-48", ">=48", ">=48"]
    assert [SIZE_NAMES[index] for index in size_of(sides)] == expected
    assert size_of(np.empty(0)).shape == (0,)
