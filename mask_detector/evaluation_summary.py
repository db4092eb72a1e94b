"""The figures that people ask for first, as one object for JSON.

summary_of(report, scores, curves)["accuracy"]
summary_of_verdicts(probabilities, labels, class_names, groups)  # computes all three
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mask_detector.curves import ClassCurves, curves_of
from mask_detector.evaluation import evaluate
from mask_detector.intervals import Estimate, Scores, estimate_scores
from mask_detector.types import Report


def summary_of(report: Report, scores: Scores, curves: Sequence[ClassCurves]) -> dict[str, Any]:
    """Put a report, its intervals and its areas together, class by class.

    Returns:
        `n`, `accuracy`, `calibration_error`, `class_names`, `confusion_matrix` (a row per true
        class) and `per_class` (precision, recall, F1, each with its 95 % interval, areas, n).
    """
    per_class = {}
    for label, (name, score) in enumerate(report.per_class.items()):
        estimates = {
            "precision_interval": scores.precision[label],
            "recall_interval": scores.recall[label],
            "f1_interval": scores.f1[label],
        }
        intervals = {key: _interval(estimate) for key, estimate in estimates.items()}
        per_class[name] = {**asdict(score), **intervals, **curves[label].areas()}
    return {
        "n": report.n,
        "accuracy": report.accuracy,
        "accuracy_interval": _interval(scores.accuracy),
        "balanced_accuracy": scores.balanced_accuracy.value,
        "balanced_accuracy_interval": _interval(scores.balanced_accuracy),
        "calibration_error": report.calibration_error,
        "class_names": list(report.class_names),
        "confusion_matrix": [list(row) for row in report.confusion_matrix],
        "per_class": per_class,
    }


def summary_of_verdicts(
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
    groups: np.ndarray,
) -> dict[str, Any]:
    """The same from probabilities `(n, classes)`, labels `(n,)` and groups `(n,)`; n may be 0."""
    if not len(labels):
        empty = {"accuracy": None, "calibration_error": None, "per_class": {}}
        matrix = np.zeros((len(class_names),) * 2, int).tolist()
        return {"n": 0, "class_names": list(class_names), "confusion_matrix": matrix, **empty}
    return summary_of(
        evaluate(probabilities, labels, class_names),
        estimate_scores(probabilities, labels, groups),
        curves_of(probabilities, labels, class_names),
    )


def _interval(estimate: Estimate) -> list[float | None]:
    return [estimate.low, estimate.high]
