"""How right a classifier is: from probabilities and true labels to a `Report`.

scikit-learn computes everything it knows; the calibration error alone is ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    precision_recall_fscore_support,
)

from mask_detector.calibration import CONFIDENCE_BINS, reliability_bins
from mask_detector.types import ClassScore, Report

SIZE_EDGES = (0, 16, 24, 48)  # where the sizes of faces begin, shorter side in pixels
SIZE_NAMES = ("<16", "16-24", "24-48", ">=48")


def size_of(sides: ArrayLike) -> np.ndarray:
    """Sort faces by their shorter sides in pixels, `(n,)`, into indices of `SIZE_NAMES`."""
    return np.searchsorted(SIZE_EDGES, sides, side="right") - 1


def evaluate(probabilities: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> Report:
    """Compare probabilities `(n, classes)` with labels `(n,)`, both in class order."""
    predicted = probabilities.argmax(axis=1)
    indices = list(range(len(class_names)))
    scores = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0)
    return Report(
        class_names=class_names,
        confusion_matrix=tuple(
            tuple(int(n) for n in row)
            for row in confusion_matrix(labels, predicted, labels=indices)
        ),
        per_class={
            name: ClassScore(float(p), float(r), float(f), int(n))
            for name, p, r, f, n in zip(class_names, *scores, strict=True)
        },
        accuracy=float(accuracy_score(labels, predicted)),
        calibration_error=calibration_error(probabilities, labels),
        n=len(labels),
    )


def calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = CONFIDENCE_BINS
) -> float:
    """Expected calibration error of the top class over equally wide bins.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    counts, confidence, accuracy = reliability_bins(probabilities, labels, bins)
    return float(np.abs(confidence - accuracy) @ counts / counts.sum())


def report_text(probabilities: np.ndarray, labels: np.ndarray, report: Report) -> str:
    """scikit-learn's classification report, then the confusion matrix, as plain text."""
    names = report.class_names
    table = classification_report(
        labels,
        probabilities.argmax(axis=1),
        labels=list(range(len(names))),
        target_names=names,
        digits=4,
        zero_division=0,
    )
    width = max(12, *(len(name) for name in names)) + 2
    header = " " * width + "".join(f"{name:>{width}}" for name in names)
    rows = [
        f"{name:<{width}}" + "".join(f"{n:>{width}d}" for n in row)
        for name, row in zip(names, report.confusion_matrix, strict=True)
    ]
    matrix = "\n".join(["confusion matrix (rows: true class, columns: answer)", header, *rows])
    return (
        f"{table}\n{matrix}\n\n"
        f"accuracy {report.accuracy:.4f}, calibration error {report.calibration_error:.4f}, "
        f"n = {report.n}\n"
    )
