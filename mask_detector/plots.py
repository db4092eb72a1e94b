"""Pictures of a training and its result, as PNG; needs no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mask_detector.calibration import reliability_bins
from mask_detector.checkpoints import rank
from mask_detector.figures import new_figure, save
from mask_detector.labels import printable, shortened
from mask_detector.types import Report

_LONGEST_NAME = 30  # letters of a class; its middle gives way


def plot_history(history: list[dict[str, float]], path: Path) -> None:
    """Draw loss and accuracy of every epoch.

    Args:
        history: a row per epoch with `loss`, `val_loss`, `accuracy`, `val_accuracy`, `stage`.
        path: the PNG to write.
    """
    figure = new_figure(10, 4.2, layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, style in ((name, "train", "o-"), (f"val_{name}", "validation", "s-")):
            axes.plot(epochs, [row[key] for row in history], style, markersize=3, label=label)
        stages = [row["stage"] for row in history]
        for index in range(1, len(stages)):
            if stages[index] != stages[index - 1]:
                axes.axvline(index + 0.5, color="grey", linestyle=":", label=stages[index])
        best = min(range(len(history)), key=lambda index: rank(history[index]))
        axes.axvline(best + 1, color="tab:green", alpha=0.5, label="best, kept")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path, 110)


def plot_confusion_matrix(report: Report, path: Path, title: str) -> None:
    """Draw the confusion matrix, coloured by the part of each true class."""
    counts = np.array(report.confusion_matrix)
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 3.2 + 0.9 * len(counts)
    figure = new_figure(side + 1.2, side, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(parts, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if parts[row, column] > 0.5 else "black"
        text = f"{count}\n{parts[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour)
    ticks = range(len(counts))
    # A folder's name may hold anything, also what looks like TeX.
    names = [shortened(printable(name), _LONGEST_NAME) for name in report.class_names]
    axes.set_xticks(ticks, names, rotation=20, ha="right", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    axes.set_title(f"{title} (n = {report.n}, accuracy {report.accuracy:.2%})")
    figure.colorbar(image, ax=axes, label="part of the true class", shrink=0.8)
    save(figure, path, 110)


def plot_reliability(
    probabilities_before: np.ndarray,
    probabilities_after: np.ndarray,
    labels: np.ndarray,
    path: Path,
    title: str,
) -> None:
    """Draw how often verdicts of each confidence are right, before and after the temperature.

    On the diagonal confidence means what it says; below it the model claims too much. Source:
    Guo et al., On calibration of modern neural networks, ICML 2017.

    Args:
        probabilities_before: `(n, classes)` as the model gives them.
        probabilities_after: `(n, classes)` calibrated.
        labels: `(n,)` the true classes' indices.
        path: the PNG to write.
        title: what was judged, such as `validation split`.
    """
    figure = new_figure(10, 5.2, layout="constrained")
    figure.suptitle(title, parse_math=False)
    panels = zip(figure.subplots(1, 2), (probabilities_before, probabilities_after), strict=True)
    for (axes, probabilities), moment in zip(panels, ("before", "after"), strict=True):
        counts, confidence, accuracy = reliability_bins(probabilities, labels)
        error = np.average(abs(confidence - accuracy), weights=counts)
        _draw_reliability(axes, counts, confidence, accuracy)
        axes.set_title(f"{moment} (n = {len(labels)}, calibration error {error:.2%})")
    save(figure, path, 110)


def _draw_reliability(
    axes: Axes, counts: np.ndarray, confidence: np.ndarray, accuracy: np.ndarray
) -> None:
    edges = np.arange(len(counts)) / len(counts)
    bars = {"width": 1 / len(counts), "align": "edge", "color": "tab:grey", "alpha": 0.3}
    axes.bar(edges, counts / counts.sum(), **bars, label="part of the verdicts")
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", label="confidence = accuracy")
    filled = counts > 0
    x, y = confidence[filled], accuracy[filled]
    axes.plot(x, y, "o-", color="tab:blue", markersize=4, label="verdicts, and how many")
    for point in zip(x, y, counts[filled], strict=True):
        place = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center", "fontsize": 8}
        axes.annotate(str(point[2]), point[:2], **place)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.08), xlabel="confidence", ylabel="accuracy")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
