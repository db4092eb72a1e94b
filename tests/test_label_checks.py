"""Doubtful labels on probabilities written by hand."""

import numpy as np

from mask_detector.explaining.label_checks import class_bars, doubtful_labels


def test_a_label_is_doubted_where_another_class_passes_its_own_mean():
    first = np.array([0.9, 0.7, 0.2, 0.45, 0.1])  # p(class 0)
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.stack([first, 1 - first], axis=1)
    np.testing.assert_allclose(class_bars(probabilities, labels), [0.6, (0.55 + 0.9) / 2])
    assert doubtful_labels(probabilities, labels).tolist() == [2]


def test_the_surest_disagreement_comes_first_and_right_verdicts_are_never_doubted():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 50)
    probabilities = rng.dirichlet([0.4, 0.4, 0.4], 150)
    probabilities[np.arange(150), labels] += 2
    probabilities[[3, 60, 130]] = [[0, 0, 30], [50, 1, 1], [1, 9, 0.5]]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert doubtful_labels(probabilities, labels).tolist() == [3, 60, 130]


def test_a_modest_verdict_passes_the_bar_of_a_class_the_model_is_modest_about():
    labels = np.array([0, 0, 1, 1, 1, 0])
    sure = [0.99, 0.99, 0.4, 0.42, 0.38, 0.35]  # p(class 0); of class 1 the mean is 0.6
    probabilities = np.stack([sure, 1 - np.array(sure)], axis=1)
    assert doubtful_labels(probabilities, labels).tolist() == [5]
    assert doubtful_labels(probabilities[::-1], labels[::-1]).tolist() == [0]


def test_a_class_that_nothing_is_labelled_as_raises_no_doubt():
    probabilities = np.array([[0.05, 0.95], [0.9, 0.1]])
    assert class_bars(probabilities, np.array([0, 0]))[1] == 1
    assert doubtful_labels(probabilities, np.array([0, 0])).tolist() == []
