"""Find labels that look wrong: pictures on which a model surely disagrees with their label.

    indices = doubtful_labels(probabilities, labels)  # the surest disagreement first

A verdict against the label is confident where its probability reaches what the model on average
gives that class on pictures that do carry it. So a class on which the model is modest has a lower
bar than one on which it is sure, and no threshold needs choosing. Source: Northcutt, Jiang and
Chuang, Confident learning: estimating uncertainty in dataset labels, Journal of Artificial
Intelligence Research 70, 2021, https://arxiv.org/abs/1911.00068.

A network has learnt the labels of its own training photos, wrong ones too: doubts are worth most
on photos that it was not trained on.
"""

from __future__ import annotations

import numpy as np


def class_bars(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean probability of each class over the pictures labelled so; `(classes,)`.

    A class that no picture is labelled as has a bar of 1, which no verdict passes.

    Args:
        probabilities: `(n, classes)`.
        labels: `(n,)` the indices of the classes that they are labelled as.
    """
    bars = np.ones(probabilities.shape[1])
    for label in np.unique(labels):
        bars[label] = probabilities[labels == label, label].mean()
    return bars


def doubtful_labels(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of pictures whose label looks wrong, the surest disagreement first.

    Args:
        probabilities: `(n, classes)`.
        labels: `(n,)` the indices of the classes that they are labelled as.
    """
    verdicts, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    is_doubtful = (verdicts != labels) & (confidence >= class_bars(probabilities, labels)[verdicts])
    order = np.argsort(-confidence, kind="stable")
    return order[is_doubtful[order]]
