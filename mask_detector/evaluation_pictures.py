"""Draw what an evaluation found, as PNG: confusion matrix, reliability, ROC, precision-recall."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mask_detector.calibration import apply_temperature
from mask_detector.curve_plot import plot_curves
from mask_detector.curves import curves_of
from mask_detector.errors import writing
from mask_detector.evaluation import evaluate
from mask_detector.plots import plot_confusion_matrix, plot_reliability
from mask_detector.types import ModelCard


def draw_evaluation(
    probabilities: np.ndarray, labels: np.ndarray, card: ModelCard, folder: Path, title: str
) -> None:
    """Write `confusion_matrix.png`, `reliability.png` and `curves.png`.

    Args:
        probabilities: `(n, classes)` as the model gives them, n at least 1.
        labels: `(n,)` the true classes' indices.
        card: the model's; its temperature is in the probabilities.
        folder: where to; made if it is not there.
        title: what was judged.

    Raises:
        MaskDetectorError: a file can't be written.
    """
    report = evaluate(probabilities, labels, card.class_names)
    uncalibrated = apply_temperature(probabilities, 1 / card.temperature)
    with writing(folder):
        plot_confusion_matrix(report, folder / "confusion_matrix.png", title)
        plot_reliability(uncalibrated, probabilities, labels, folder / "reliability.png", title)
        curves = curves_of(probabilities, labels, card.class_names)
        plot_curves(curves, folder / "curves.png", f"{title} (n = {report.n})")
