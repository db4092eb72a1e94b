"""How well a classifier ranks pictures, wherever the line is drawn: ROC and precision-recall.

    for curve in curves_of(probabilities, labels, class_names):
        curve.roc_area, curve.average_precision

Each class is told from all others together. scikit-learn computes curves and areas. Source of the
area under precision and recall (average precision, no interpolation):
https://scikit-learn.org/stable/modules/model_evaluation.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)


@dataclass(frozen=True)
class ClassCurves:
    """One class against the rest; areas are None, and curves empty, where one of both is missing.

    A point of a curve is what a threshold gives: pictures above it are called this class.
    """

    class_name: str
    share: float  # of the pictures that are of this class: a guesser's precision
    roc_area: float | None  # 1 ranks every picture of the class before all others, .5 guesses
    average_precision: float | None
    false_positive_rate: np.ndarray  # (points,) of the others, called this class
    true_positive_rate: np.ndarray  # (points,) of this class, called so
    recall: np.ndarray  # (other points,) the same as the true positive rate
    precision: np.ndarray  # (other points,)

    def areas(self) -> dict[str, float | None]:
        """For JSON."""
        return {"roc_area": self.roc_area, "average_precision": self.average_precision}


def curves_of(
    probabilities: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]
) -> tuple[ClassCurves, ...]:
    """Compare probabilities `(n, classes)` with labels `(n,)`; n at least 1."""
    return tuple(
        _curves(name, probabilities[:, label], labels == label)
        for label, name in enumerate(class_names)
    )


def _curves(name: str, scores: np.ndarray, is_of_class: np.ndarray) -> ClassCurves:
    if is_of_class.all() or not is_of_class.any():  # nothing to tell it from, or nothing to tell
        none = np.empty(0)
        return ClassCurves(name, float(is_of_class.mean()), None, None, none, none, none, none)
    false_positive_rate, true_positive_rate, _ = roc_curve(is_of_class, scores)
    precision, recall, _ = precision_recall_curve(is_of_class, scores)
    return ClassCurves(
        class_name=name,
        share=float(is_of_class.mean()),
        roc_area=float(roc_auc_score(is_of_class, scores)),
        average_precision=float(average_precision_score(is_of_class, scores)),
        false_positive_rate=false_positive_rate,
        true_positive_rate=true_positive_rate,
        recall=recall,
        precision=precision,
    )
